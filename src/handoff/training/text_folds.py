"""What the wording says of each training row, by models that have not seen the row's fold.

A score that was fitted on a row flatters itself there, and trees that learn from it would trust it too much. So trees
learn a fold's rows from a wording model fitted on the other folds. Where a fold is held out to be scored, no wording
model behind those trees has seen it either: each is fitted without the row's fold and without the held one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from handoff.calibration import sigmoid
from handoff.metrics import log_loss
from handoff.models.wording import Wording
from handoff.training.fit_slots import SlotFit, fit_slots, slot_table
from handoff.training.rows import Table

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

# Of the coefficients, against a loss in which each conversation weighs one. The best by out-of-fold log loss is taken.
PENALTIES = (1.0, 3.0)
# Judging a penalty on two of the folds takes two fits of it.
JUDGED_ON = 2


class TextFolds:
    """Fits wording models without one fold, without two, and without any, each when it is first asked for."""

    def __init__(
        self, train: Table, fold: Integers, penalties: Sequence[float] = PENALTIES, real: Mask | None = None
    ) -> None:
        """It learns from the rows of `real`, by default all, and has columns for the others too."""
        self._train, self._fold = train, fold
        self._real = np.ones(len(train), dtype=bool) if real is None else real
        self._table = slot_table(train.recent)
        self._fits: dict[tuple[float, frozenset[int]], SlotFit] = {}
        self.penalty = penalties[0] if len(penalties) == 1 else min(penalties, key=self._loss)

    def out_of_fold(self) -> Floats:
        """Columns of every row, from a model that has not seen its fold: array of shape (n_rows, n_slots + 1)."""
        return self._columns(frozenset(), self.penalty)

    def without(self, held: int) -> Floats:
        """The same, from models that have not seen the fold `held` either."""
        return self._columns(frozenset([held]), self.penalty)

    def fitted(self) -> SlotFit:
        """The model of all rows."""
        return self._fit(frozenset(), self.penalty)

    def wording(self) -> Wording:
        """The same as it serves."""
        return self.fitted().wording(self._table.vocabulary)

    def _columns(self, held: frozenset[int], penalty: float) -> Floats:
        found = np.zeros((len(self._train), len(self._table.slots)))
        for part in np.unique(self._fold).tolist():
            rows = self._fold == part
            found[rows] = self._fit(held | {part}, penalty).parts(self._table, rows)
        return with_sum(found)

    def _fit(self, left_out: frozenset[int], penalty: float) -> SlotFit:
        known = self._fits.get((penalty, left_out))
        if known is None:
            rows = self._real & ~np.isin(self._fold, list(left_out))
            known = fit_slots(self._table, rows, self._train.y, self._train.weight, penalty)
            self._fits[penalty, left_out] = known
        return known

    def _loss(self, penalty: float) -> float:
        """Log loss of the wording alone in folds that it has not seen."""
        found = 0.0
        for part in np.unique(self._fold).tolist()[:JUDGED_ON]:
            rows, fitted = (self._fold == part) & self._real, self._fit(frozenset([part]), penalty)
            log_odds = fitted.parts(self._table, rows).sum(axis=1) + fitted.intercept
            found += log_loss(self._train.y[rows], sigmoid(log_odds), self._train.weight[rows])
        return found


def with_sum(parts: Floats) -> Floats:
    """The slots' parts and their sum, as `wording_row` has them: array of shape (n_rows, n_slots + 1)."""
    return np.column_stack([parts, parts.sum(axis=1)])
