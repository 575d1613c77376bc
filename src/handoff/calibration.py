"""From a model's raw log-odds to log-odds that can be taken at their word.

A calibration is a rising line with corners, kept as numbers in JSON: two corners are Platt's sigmoid or a
temperature, more are an isotonic fit. Outside its corners it goes on with the slope of its first or last piece.
"""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from handoff.errors import BadModel

Floats = NDArray[np.float64]


class Calibration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """Corners (`raw`, `calibrated`) of a rising function on log-odds. Never changes the order of two scores."""

    method: Literal["none", "sigmoid", "isotonic", "temperature"]
    raw: tuple[float, ...]
    calibrated: tuple[float, ...]

    def check(self) -> Calibration:
        """The same calibration. Raises `BadModel` unless it has two corners, rises, and is finite."""
        if len(self.raw) != len(self.calibrated) or len(self.raw) < 2:
            raise BadModel(
                f"calibration: {len(self.raw)} and {len(self.calibrated)} corners; expected as many, at least 2"
            )
        if not np.isfinite([*self.raw, *self.calibrated]).all():
            raise BadModel("calibration: a corner is not a finite number")
        if any(a >= b for a, b in pairwise(self.raw)) or any(a > b for a, b in pairwise(self.calibrated)):
            raise BadModel("calibration: falls or stands still in `raw`; expected a rising function")
        return self

    @cached_property
    def _corners(self) -> tuple[Floats, Floats]:
        return np.asarray(self.raw), np.asarray(self.calibrated)

    def log_odds(self, raw: Floats) -> Floats:
        """Calibrated log-odds, array of the shape of `raw`."""
        x, y = self._corners
        inside: Floats = np.interp(raw, x, y)
        if ((raw >= x[0]) & (raw <= x[-1])).all():
            return inside
        below = y[0] + (raw - x[0]) * (y[1] - y[0]) / (x[1] - x[0])
        above = y[-1] + (raw - x[-1]) * (y[-1] - y[-2]) / (x[-1] - x[-2])
        extended: Floats = np.where(raw < x[0], below, np.where(raw > x[-1], above, inside))
        return extended

    def probabilities(self, raw: Floats) -> Floats:
        """Calibrated probabilities, array of the shape of `raw`."""
        return sigmoid(self.log_odds(raw))


NONE = Calibration(method="none", raw=(-1.0, 1.0), calibrated=(-1.0, 1.0))


def sigmoid(log_odds: Floats) -> Floats:
    """Probability of log-odds, without overflow at either end."""
    odds = np.exp(-np.abs(log_odds))
    probabilities: Floats = np.where(log_odds >= 0, 1.0, odds) / (1 + odds)
    return probabilities
