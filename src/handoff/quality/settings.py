"""What every set of the benchmark is run with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from handoff.models.encoder import DEFAULT_KIND, Kind

DEFAULT_ENCODER = DEFAULT_KIND
DEFAULT_SEED = 7


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class QualitySettings:
    """`encoder` by its name, `threads` for fitting, `work` a folder for what may be kept between runs (encoders,
    vectors), and `step`, which is called once a piece of work so that somebody sees it go on."""

    work: Path
    encoder: Kind = DEFAULT_ENCODER
    seed: int = DEFAULT_SEED
    threads: int = 2
    step: Callable[[], None] = _nothing

    def stepping(self, step: Callable[[], None]) -> QualitySettings:
        """The same settings with another `step`."""
        return replace(self, step=step)
