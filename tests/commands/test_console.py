"""How all commands print."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.table import Table

from handoff.commands._console import column

HEADERS = ("", r"cost per 100 \[95%]", "proactive_escalation", "calibration error ↓")


@pytest.mark.parametrize("width", [30, 60, 80])
def test_no_header_is_cut(width: int) -> None:
    table = Table(*map(column, HEADERS))
    table.add_row("a long text that takes whatever room there is", "1", "2", "3")
    out = io.StringIO()
    Console(file=out, width=width, soft_wrap=True).print(table)
    assert "…" not in out.getvalue()
    for word in ("proactive_escalation", "calibration", "[95%]", "error"):
        assert word in out.getvalue()
