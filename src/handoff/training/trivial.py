"""Policies too simple to be worth a model. A model that does not beat them has learnt nothing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from handoff.calibration import sigmoid
from handoff.features import FEATURE_NAMES
from handoff.training.rows import Table

Floats = NDArray[np.float64]

PRIOR, TURNS, CONFIDENCE = "always the base rate", "messages so far", "the AI's last confidence"


def trivial_policies(fitted_on: Table, scored: Table) -> dict[str, Floats]:
    """Name to the probabilities that each policy, fitted on one table, gives the rows of another.

    The base rate; a logistic curve over the number of messages; and one over the AI's last confidence, where any is.
    """
    base_rate = float(np.average(fitted_on.y, weights=fitted_on.weight))
    policies = {PRIOR: np.full(len(scored), base_rate)}
    policies[TURNS] = _curve(np.log1p(_column(fitted_on.index)), np.log1p(_column(scored.index)), fitted_on)
    at = FEATURE_NAMES.index("confidence_last")
    if np.isfinite(fitted_on.X[:, at]).any():
        policies[CONFIDENCE] = _curve(fitted_on.X[:, [at]], scored.X[:, [at]], fitted_on)
    return policies


def _column(values: NDArray[np.int64]) -> Floats:
    return values.astype(np.float64).reshape(-1, 1)


def _curve(learn: Floats, score: Floats, fitted_on: Table) -> Floats:
    """A logistic curve over one number, with a level of its own for rows where it is missing."""
    from sklearn.linear_model import LogisticRegression

    def inputs(values: Floats) -> Floats:
        return np.hstack([np.nan_to_num(values, nan=0.0), np.isnan(values)])

    if len(np.unique(fitted_on.y)) < 2:
        return np.full(len(score), float(np.average(fitted_on.y, weights=fitted_on.weight)))
    fitted = LogisticRegression(C=100).fit(inputs(learn), fitted_on.y, sample_weight=fitted_on.weight)
    return sigmoid(inputs(score) @ fitted.coef_[0] + fitted.intercept_[0])
