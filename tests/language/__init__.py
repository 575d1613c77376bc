"""A table of messages and the triggers that they must and must not fire, written without reading the lexicon.

`develop.yaml` may be read while phrases are added. `check.yaml` is only ever scored: nobody looks at its cases.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from handoff.decision import Judge
from handoff.quality.language import Mark, marks, read_cases

HALVES = ("develop", "check")


@cache
def marks_of(half: str) -> tuple[Mark, ...]:
    """The marks of one half under the shipped rules."""
    return tuple(marks(read_cases(Path(__file__).with_name(f"{half}.yaml")), Judge.by_rules()))
