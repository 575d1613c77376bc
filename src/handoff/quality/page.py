"""The benchmark's table in Markdown, and the part of it that the README quotes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from handoff.errors import BadInput
from handoff.metrics import Interval
from handoff.quality.row import Row
from handoff.quality.suite import SuiteRun

QUALITY_PAGE = Path("benchmarks/quality.md")

HEADER = ("set", "task", "proxy for", "metric", "ours [95 %]", "interval", "best published", "floor", "trivial", "aim")
# The columns that fit a README, and the one that says whether a row belongs there.
QUOTED = ("set", "task", "metric", "ours [95 %]", "best published", "floor", "aim")


def page(run: SuiteRun) -> str:
    """The whole page: how it was made on top, then the table."""
    said = [f"{part.name} {_minutes(part.seconds)}" for part in run.parts if not part.missing]
    skipped = [f"{part.name} (no {', '.join(part.missing)})" for part in run.parts if part.missing]
    lines = [
        f"# {run.title}",
        "",
        f"`{run.command}`, encoder `{run.encoder}`, seed {run.seed}: {_minutes(run.seconds)} ({', '.join(said)}).",
        *([f"Skipped for want of data: {', '.join(skipped)}."] if skipped else []),
        "",
        "Written by that command, not by hand. Nothing is chosen on test data. A floor is an untuned TF-IDF and",
        "logistic regression. ↓: lower is better.",
        "",
        table(run.rows),
        "",
    ]
    return "\n".join(lines)


def table(rows: Iterable[Row]) -> str:
    """One line a row, as Markdown."""
    return "\n".join(map(_line, (HEADER, ("---",) * len(HEADER), *map(cells, rows))))


def cells(row: Row) -> tuple[str, ...]:
    """A row's cells, in the order of `HEADER`."""
    trivial = "; ".join(f"{name} {_figure(value)}" for name, value in row.trivial.items())
    return (
        row.set,
        row.task,
        row.proxy_for,
        row.metric + (" ↓" if row.lower_is_better else ""),
        _interval(row.ours),
        row.interval,
        _figure(row.published),
        _figure(row.floor),
        trivial,
        _aim(row),
    )


def quoted(path: Path = QUALITY_PAGE) -> str:
    """The rows of a written page that have an aim, with fewer columns. Raises `BadInput` where there is no page."""
    if not path.is_file():
        raise BadInput(f"{path}: not there; run 'make benchmark-quality' in the project's folder")
    lines = [_cells(line) for line in path.read_text("utf-8").splitlines() if line.startswith("| ")]
    if not lines or tuple(lines[0]) != HEADER:
        raise BadInput(f"{path}: does not hold the benchmark's table; run 'make benchmark-quality' again")
    kept = [HEADER.index(name) for name in QUOTED]
    with_aim = [row for row in lines[2:] if row[HEADER.index("aim")]]
    shown = ([row[position] for position in kept] for row in (lines[0], lines[1], *with_aim))
    return "\n".join(map(_line, shown))


def _line(row: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in row)} |"


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|")]


def _interval(interval: Interval) -> str:
    if interval.low is None or interval.high is None:
        return _figure(interval.value) or "–"
    return f"**{_figure(interval.value)}** [{_figure(interval.low)}, {_figure(interval.high)}]"


def _figure(value: float | None) -> str:
    """Three decimals, four where the first two say nothing; empty for None."""
    if value is None:
        return ""
    return f"{value:.4f}" if abs(value) < 0.1 else f"{value:.3f}"


def _aim(row: Row) -> str:
    if row.aim is None:
        return ""
    return f"{_figure(row.aim)} {'reached' if row.reached else 'missed'}"


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"
