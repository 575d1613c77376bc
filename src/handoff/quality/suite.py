"""Runs the benchmark set by set. Adding a set is one entry in `SETS`; a study over all sets, one in `STUDIES`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from handoff.errors import BadInput, nearest
from handoff.quality import ablation, betold, dbdc3, encoders, hint3, intents, released, transfer, triggers, uss
from handoff.quality.row import Row
from handoff.quality.settings import QualitySettings

# Seconds between two words on how far a part got.
TELL_AFTER = 30.0

Rows = Callable[[Path, QualitySettings], Iterator[Row]]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the benchmark: the folders of the data that it cannot do without, and what yields its rows."""

    needs: tuple[str, ...]
    rows: Rows


SETS: dict[str, Part] = {
    "uss": Part(("uss",), uss.rows),
    "released": Part(("uss",), released.rows),
    "betold": Part(("betold",), betold.rows),
    "dbdc3": Part(("dbdc3",), dbdc3.rows),
    "hint3": Part(("hint3",), hint3.rows),
    "banking77": Part(("banking77",), intents.banking77_rows),
    "clinc150": Part(("clinc150",), intents.clinc150_rows),
    "triggers": Part(("hint3", "banking77", "clinc150"), triggers.rows),
    "transfer": Part(("uss", "dbdc3", "clinc150"), transfer.rows),
}
# Further tables, each asked for by name, never part of the headline run.
STUDIES: dict[str, Part] = {
    "encoders": Part(encoders.NEEDS, encoders.compare_encoders),
    "ablation": Part(("uss", "betold", "dbdc3"), ablation.rows),
}


class PartRun(msgspec.Struct, frozen=True):
    """What became of one part: its rows, or the folders that were missing."""

    name: str
    seconds: float
    rows: tuple[Row, ...] = ()
    missing: tuple[str, ...] = ()


class SuiteRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run of the benchmark, as it goes into the table."""

    title: str
    command: str
    encoder: str
    seed: int
    seconds: float
    parts: tuple[PartRun, ...]

    @property
    def rows(self) -> tuple[Row, ...]:
        return tuple(row for part in self.parts for row in part.rows)


def chosen(names: Iterable[str], among: dict[str, Part]) -> dict[str, Part]:
    """The parts of those names, in the order of the benchmark. Raises `BadInput` with the nearest name there is."""
    wanted = set(names)
    for name in wanted:
        if name not in among:
            raise BadInput(f"unknown set '{name}'{nearest(name, among)}")
    return {name: part for name, part in among.items() if name in wanted}


def run_parts(
    parts: dict[str, Part],
    data: Path,
    settings: QualitySettings,
    say: Callable[[str], None],
    clock: Callable[[], float],
) -> Iterator[PartRun]:
    """Run the parts one after the other; one whose data is not there says so and is skipped.

    Raises `BadInput` when nothing is there at all.
    """
    if not any((data / folder).is_dir() for part in parts.values() for folder in part.needs):
        raise BadInput(f"{data}: holds none of the sets; name their folder with --data or HANDOFF_BENCHMARK_DATA")
    for name, part in parts.items():
        missing = tuple(folder for folder in part.needs if not (data / folder).is_dir())
        if missing:
            say(f"{name}: skipped, {', '.join(str(data / folder) for folder in missing)} not there")
            yield PartRun(name, 0.0, missing=missing)
            continue
        begun = clock()
        say(f"{name} …")
        rows = tuple(_told(name, part.rows(data, settings), say, clock))
        yield PartRun(name, clock() - begun, rows)


def _told(name: str, rows: Iterable[Row], say: Callable[[str], None], clock: Callable[[], float]) -> Iterator[Row]:
    """The rows as they come. At most twice a minute it is said how far it got: parts may take an hour."""
    begun = told = clock()
    for number, row in enumerate(rows, start=1):
        yield row
        now = clock()
        if now - told >= TELL_AFTER:
            say(f"{name}: {number} figures after {(now - begun) / 60:.0f} min, the last of {row.set}, {row.task}")
            told = now


def run_suite(
    title: str,
    command: str,
    parts: dict[str, Part],
    data: Path,
    settings: QualitySettings,
    say: Callable[[str], None],
    clock: Callable[[], float] = time.perf_counter,
) -> SuiteRun:
    """The whole run, with the time that it took on the wall."""
    begun = clock()
    done = tuple(run_parts(parts, data, settings, say, clock))
    return SuiteRun(
        title=title, command=command, encoder=settings.encoder, seed=settings.seed, seconds=clock() - begun, parts=done
    )
