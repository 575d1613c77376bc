"""Tables of figures: printed, and written into docs/performance.md between their markers."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE = DOCS / "performance.md"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are numbers."""
    lines = [heads, ["---", *("---:" for _ in heads[1:])], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def machine() -> str:
    """The machine in a line, for beside a table."""
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{os.cpu_count()} cores ({platform.machine()}, {platform.system()}), Python {platform.python_version()}, "
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, load average {load}"
    )


def write(name: str, text: str, page: Path = PAGE) -> None:
    """Put the text between the page's markers of that name. Raises ValueError where it has none."""
    old = page.read_text("utf-8")
    pattern = re.compile(rf"(<!-- measured: {name} -->\n).*?(<!-- end of measured -->)", re.DOTALL)
    if not pattern.search(old):
        raise ValueError(f"{page}: no '<!-- measured: {name} -->' … '<!-- end of measured -->'; add the two lines")
    new = pattern.sub(lambda found: f"{found[1]}\n{text.strip()}\n\n{found[2]}", old)
    temporary = page.with_name(f".{page.name}")
    temporary.write_text(new, "utf-8")
    temporary.replace(page)
