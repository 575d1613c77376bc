"""`handoff evaluate --suite public`: the benchmark on public sets, run, written and shown."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer
from rich.box import SIMPLE
from rich.table import Column, Table

from handoff.commands._console import console, print_json, progress, stderr
from handoff.errors import BadInput

if TYPE_CHECKING:
    from handoff.quality.settings import QualitySettings
    from handoff.quality.suite import SuiteRun

Kind = Literal["quality", "encoders", "ablation"]

BENCHMARK_DATA = Path("../shared/data")
TITLES: dict[Kind, str] = {
    "quality": "Quality on public data",
    "encoders": "Encoders compared",
    "ablation": "What each family of features is worth",
}


def run_public_suite(
    kind: Kind, sets: str | None, data: Path, out: Path | None, settings: QualitySettings, as_json: bool
) -> None:
    """Run the sets, write the page where it belongs (a choice of sets only where `out` says), and print it."""
    from handoff.files import write_atomically
    from handoff.quality.page import page
    from handoff.quality.suite import SETS, STUDIES, chosen, run_suite

    if kind == "quality":
        parts = SETS if sets is None else chosen([name.strip() for name in sets.split(",")], SETS)
    else:
        parts = chosen([kind], STUDIES)
    command = shlex.join(["handoff", "evaluate", "--suite", "public", *_arguments(kind, sets, settings.encoder)])
    with progress("pieces of work") as step:
        run = run_suite(TITLES[kind], command, parts, data, settings.stepping(step), _say)
    whole = sets is None and not any(part.missing for part in run.parts)
    target = out or (Path("benchmarks") / f"{kind}.md" if whole else None)
    if target is not None:
        write_atomically(target, page(run).encode())
    print_json(run) if as_json else _print(run, target)


def check_suite(suite: str) -> None:
    """Raise a usage error for a suite that is not there."""
    if suite != "public":
        raise typer.BadParameter(f"no suite '{suite}'; there is one: public", param_hint="'--suite'")


def check_data(data: Path) -> None:
    """Raise `BadInput` where the folder of the sets is not there."""
    if not data.is_dir():
        raise BadInput(f"{data}: no such folder; name that of the public sets with --data or HANDOFF_BENCHMARK_DATA")


def _arguments(kind: Kind, sets: str | None, encoder: str) -> list[str]:
    from handoff.quality.settings import DEFAULT_ENCODER

    chosen_sets = ["--sets", sets] if sets else []
    chosen_encoder = ["--encoder", encoder] if encoder != DEFAULT_ENCODER else []
    return [*chosen_sets, *([f"--{kind}"] if kind != "quality" else []), *chosen_encoder]


def _say(line: str) -> None:
    stderr.print(line, markup=False)


def _print(run: SuiteRun, target: Path | None) -> None:
    from handoff.quality.page import HEADER, cells

    shown = ("set", "task", "metric", "ours [95 %]", "best published", "floor", "aim")
    table = Table(*(Column(name.replace("[", r"\["), overflow="fold") for name in shown), box=SIMPLE)
    for row in run.rows:
        by_name = dict(zip(HEADER, cells(row), strict=True))
        table.add_row(*(by_name[name].replace("**", "").replace("[", r"\[") for name in shown))
    console.print(table)
    console.print(f"{len(run.rows)} figures in {run.seconds:.0f} s; intervals, proxies and trivial policies:", end=" ")
    console.print(f"{target}" if target else "not written, since not every set was run (--out writes)", markup=False)
