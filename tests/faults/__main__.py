"""`make test-faults`: every fault in full, and a table. Exit status 1 when something did not hold.

    python -m tests.faults [--models FOLDER] [--only NAME] [--json FILE]

PostgreSQL is taken from HANDOFF_TEST_POSTGRES, and left out, saying so, where that is not set.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from tests.faults import batches, scenes
from tests.faults.ground import Ground, Row, postgresql_store
from tests.faults.overload import Overload, overload

RATE, SECONDS, OVERLOAD_SECONDS = 40.0, 10.0, 60.0
POSTGRESQL = "HANDOFF_TEST_POSTGRES"

console = Console(width=170)
Scene = Callable[[Ground], Row]


@contextmanager
def ground(models: Path, server: str | None, seconds: float, rate: float = RATE) -> Iterator[Ground]:
    """A new folder and store."""
    with tempfile.TemporaryDirectory(prefix="handoff-faults-") as name:
        folder = Path(name)
        if server is None:
            yield Ground(models, folder, f"sqlite:///{folder / 'handoff.sqlite'}", rate, seconds)
        else:
            with postgresql_store(server, f"handoff_faults_{os.getpid()}") as (url, proxy):
                yield Ground(models, folder, url, rate, seconds, proxy)


def _trained(folder: Path) -> Path:
    """Small models, made in a process of their own."""
    console.print("Training small models …")
    subprocess.run([sys.executable, "tests/train_small.py", str(folder)], check=True, capture_output=True)
    return folder


def _plan(server: str | None) -> list[tuple[Scene, str | None]]:
    on_sqlite = (*scenes.STORELESS, *batches.SCENES, *scenes.ON_SQLITE)
    plan: list[tuple[Scene, str | None]] = [(scene, None) for scene in on_sqlite]
    return plan + ([(scene, server) for scene in scenes.ON_POSTGRESQL] if server else [])


def _table(rows: list[Row]) -> Table:
    table = Table(title="Faults")
    for name in ("fault", "what was done", "requests", "answered", "outside of the fault", "during it", "refused", "cut", "wrong", "escalations acknowledged",
                 "of these lost", "others lost", "recovery s", "holds"):  # fmt: skip
        table.add_column(name, justify="left" if name in ("fault", "what was done", "holds") else "right")
    for row in rows:
        recovery = "" if row.recovery_seconds is None else f"{row.recovery_seconds:.1f}"
        shares = ("" if share is None else str(share) for share in (row.outside, row.during))
        numbers = (row.refused, row.cut, row.wrong, row.escalations, row.lost, row.gone)
        table.add_row(row.fault, row.done, f"{row.requests:,}", f"{row.answered:,}", *shares,
                      *(f"{n:,}" for n in numbers), recovery,
                      "yes" if row.holds else f"NO: {'; '.join(row.notes)}")  # fmt: skip
    return table


def _print_overload(found: Overload) -> None:
    said = msgspec.structs.asdict(found)
    del said["row"]
    table = Table(title="Overload (milliseconds, MiB)")
    for name in said:
        table.add_column(name.replace("_", " "), justify="right")
    table.add_row(*(f"{value:,.0f}" for value in said.values()))
    console.print(table)
    for aim in found.misses():
        console.print(f"missed: {aim}", style="bold red")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, help="small models made before; trained anew without")
    parser.add_argument("--only", help="only faults with this in their function's name, such as killed or overload")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--overload-seconds", type=float, default=OVERLOAD_SECONDS)
    given = parser.parse_args(arguments)
    server, begun = os.environ.get(POSTGRESQL), time.monotonic()
    rows: list[Row] = []
    missed = False
    with tempfile.TemporaryDirectory(prefix="handoff-faults-models-") as made:
        models = given.models.absolute() if given.models else _trained(Path(made) / "models")
        for scene, where in _plan(server):
            if given.only is None or given.only in scene.__name__:
                rows.append(_tried(scene, models, where, given.seconds))
        if given.only is None or given.only == "overload":
            with ground(models, None, given.overload_seconds) as here:
                found = overload(here)
            rows.append(found.row)
            missed = bool(found.misses())
            _print_overload(found)
    console.print(_table(rows))
    if server is None:
        console.print(f"PostgreSQL was left out: {POSTGRESQL} is not set", style="bold red")
    console.print(f"{time.monotonic() - begun:.0f} seconds")
    return 0 if all(row.holds for row in rows) and not missed else 1


def _tried(scene: Scene, models: Path, server: str | None, seconds: float) -> Row:
    with ground(models, server, seconds) as here:
        console.print(f"{scene.__name__.replace('_', ' ')} ({here.database}) …")
        try:
            return scene(here)
        except (AssertionError, RuntimeError) as error:
            problem = f"{type(error).__name__}: {str(error)[:300]}"
            return Row(
                fault=scene.__name__.replace("_", " "), done=here.database, requests=0, answered=0, refused=0, cut=0,
                wrong=0, escalations=0, lost=0, gone=0, recovery_seconds=None, notes=(problem,),
            )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
