"""How all commands print."""

from __future__ import annotations

import io
from importlib.metadata import version

import pytest
from rich.console import Console
from rich.table import Table

from handoff.commands._console import column
from tests.commands.running import run

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


@pytest.mark.parametrize(
    "arguments",
    [
        ("forget", "--conversation", "\udcff"),
        ("forget", "--customer=\udcff", "--yes"),
        ("export", "decisions", "--out", "\udcff.parquet"),
        ("keys", "add", "\udcff"),
        ("validate", "\udcff.jsonl", "--json"),
    ],
    ids=["an option", "an option with its value", "a file to write", "a name", "a file to read"],
)
def test_an_argument_that_is_no_utf8_is_named(arguments: tuple[str, ...]) -> None:
    done = run(*arguments, columns=200)
    assert done.exit_code == 2
    assert "\\udcff" in done.stderr and "holds bytes that are no UTF-8; write or name it in UTF-8" in done.stderr


def test_the_version_is_that_of_the_installed_package() -> None:
    done = run("--version")
    assert (done.exit_code, done.stdout) == (0, f"handoff {version('handoff')}\n")
