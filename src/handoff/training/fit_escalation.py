"""Fit the escalation model: LightGBM, cross-fitted for early stopping and calibration.

The training side is dealt into five folds of whole customers. Each fold is scored once by a model that learnt from
three others and stopped early on the fourth, so that every training row gets a score from a model that has seen
nothing of its customer. Those scores calibrate, and give the number of rounds for the model over all folds. The
test side is never looked at. What the wording says is fitted in the same folds (`handoff.training.text_folds`).
Made-up requests for a human (`handoff.training.requests`) are learnt from in their conversation's fold; never scored.
Classes keep their share: resampling would have to be undone to be believed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handoff.calibration import Calibration
from handoff.errors import NotEnoughData
from handoff.features import FEATURES
from handoff.models.slots import WORDING_FEATURES, WORDING_NAMES, wording_columns
from handoff.models.wording import Wording
from handoff.training.calibrate import Method, compare, fit_calibration
from handoff.training.labels import EscalationTarget
from handoff.training.rows import Table
from handoff.training.splits import folds
from handoff.training.text_folds import PENALTIES, TextFolds

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

FOLDS = 5
MAX_ROUNDS, PATIENCE = 600, 30
# Under these numbers a fold would hold two positive conversations or fewer and nothing could be said of the result.
LEAST_CONVERSATIONS, LEAST_POSITIVES = 40, 10

PARAMETERS: dict[str, Any] = {
    "objective": "binary",
    "metric": "binary_logloss",
    "learning_rate": 0.05,
    "num_leaves": 7,
    # Rows weigh 1/n, so a leaf's sum of hessians is in conversations: it must rest on several.
    "min_sum_hessian_in_leaf": 1.0,
    "min_data_in_leaf": 30,
    "feature_fraction": 0.6,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 0.5,
    "max_bin": 127,
    "monotone_constraints_method": "basic",
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}


@dataclass(frozen=True, slots=True)
class FittedEscalation:
    """A fitted model. `out_of_fold`: calibrated-from raw log-odds of the training rows, array of shape (n_rows,)."""

    booster: Any
    features: tuple[str, ...]
    calibration: Calibration
    rounds: int
    out_of_fold: Floats
    parameters: dict[str, Any]
    calibrations: dict[Method, dict[str, float | None]]
    wording: Wording | None = None
    wording_penalty: float | None = None

    def log_odds(self, rows: Table) -> Floats:
        """Raw log-odds of a table's rows: array of shape (n_rows,)."""
        inputs = rows.X[:, positions(self.features)]
        if self.wording is not None:
            inputs = np.hstack([inputs, wording_columns(self.wording, rows.recent)])
        scores: Floats = self.booster.predict(inputs, raw_score=True, num_threads=1)
        return scores

    def probabilities(self, rows: Table) -> Floats:
        """Calibrated probabilities of a table's rows: array of shape (n_rows,)."""
        return self.calibration.probabilities(self.log_odds(rows))

    def importance(self) -> dict[str, float]:
        """Feature to the loss it saved in all its splits (gain), largest first."""
        gains = self.booster.feature_importance("gain")
        return dict(sorted(zip(self.features, map(float, gains), strict=True), key=lambda item: -item[1]))


def fit_escalation(
    train: Table,
    target: EscalationTarget,
    seed: int,
    threads: int = 0,
    *,
    wording: bool = True,
    penalties: Sequence[float] = PENALTIES,
) -> FittedEscalation:
    """Fit and calibrate on the training side. Raises `NotEnoughData` saying what is needed.

    Without `wording` it reads the running features alone; `penalties` are tried for the wording's coefficients.
    """
    check_enough(train, target)
    rows, real = train.with_requests()
    row_names = usable_features(rows.X, target)
    matrix, fold = np.ascontiguousarray(rows.X[:, positions(row_names)]), _folds(train, seed)[rows.of]
    text = TextFolds(rows, fold, penalties, real=real) if wording and any(train.recent) else None
    names = row_names if text is None else (*row_names, *WORDING_NAMES)
    parameters = PARAMETERS | {"seed": seed, "num_threads": threads, "monotone_constraints": directions(names)}
    raw, rounds = _cross_fit(matrix, text, rows, real, fold, names, parameters)
    inputs = matrix if text is None else np.hstack([matrix, text.out_of_fold()])
    booster = train_trees(parameters, dataset(inputs, rows, names, slice(None)), rounds)
    calibration = fit_calibration(raw, train.y, train.weight, int(train.positive.sum()))
    calibrations = compare(raw, train.y, train.weight, fold[real])
    fitted = FittedEscalation(booster, names, calibration, rounds, raw, parameters, calibrations)
    return fitted if text is None else replace(fitted, wording=text.wording(), wording_penalty=text.penalty)


def _folds(train: Table, seed: int) -> Integers:
    """The fold of each conversation, -1 for those without a row."""
    present = np.zeros(len(train.sources), dtype=bool)
    present[train.of] = True
    return folds(train.sources, train.positive, present, FOLDS, seed)


def check_enough(train: Table, target: EscalationTarget) -> None:
    """Raise `NotEnoughData` unless there are conversations enough with and without the target."""
    positives, conversations = int(train.positive.sum()), train.conversations
    need = f"needs at least {LEAST_CONVERSATIONS} conversations, {LEAST_POSITIVES} of them positive"
    if conversations < LEAST_CONVERSATIONS or positives < LEAST_POSITIVES:
        raise NotEnoughData(
            f"target {target!r}: {positives} positive of {conversations} conversations with rows to train on; {need}. "
            f"{_where_labels_come_from(target)}"
        )
    if (train.y == 1).all():
        raise NotEnoughData(f"target {target!r}: every row is positive; {need}, and some that are not")


def usable_features(X: Floats, target: EscalationTarget) -> tuple[str, ...]:
    """The features that take two values at least, missing being one; the label's own series is left out."""
    names = []
    for position, feature in enumerate(FEATURES):
        column = X[:, position]
        # Ratings are what `dissatisfied_next` predicts: the last rating all but tells the next one.
        if target == "dissatisfied_next" and feature.family == "rating":
            continue
        if len(np.unique(column)) > 1:  # NaN equals NaN here
            names.append(feature.name)
    if not names:
        raise NotEnoughData("no feature varies between the rows; are the conversations all alike?")
    return tuple(names)


def positions(names: tuple[str, ...]) -> list[int]:
    """Where the named features stand in a full row; the columns of the wording stand in none."""
    at = {feature.name: position for position, feature in enumerate(FEATURES)}
    return [at[name] for name in names if name not in WORDING_NAMES]


def directions(names: tuple[str, ...]) -> list[int]:
    direction = {feature.name: int(feature.direction) for feature in (*FEATURES, *WORDING_FEATURES)}
    return [direction[name] for name in names]


def _cross_fit(
    matrix: Floats,
    text: TextFolds | None,
    rows: Table,
    real: Mask,
    fold: Integers,
    names: tuple[str, ...],
    parameters: dict[str, Any],
) -> tuple[Floats, int]:
    """Raw log-odds of every real row by a model that did not see its fold, and the usual number of rounds."""
    raw, rounds = np.empty(len(rows)), []
    for held in range(FOLDS):
        stop = (held + 1) % FOLDS
        learn = (fold != held) & (fold != stop)
        inputs = matrix if text is None else np.hstack([matrix, text.without(held)])
        learning = dataset(inputs, rows, names, learn)
        stopping = dataset(inputs, rows, names, (fold == stop) & real, learning)
        booster = train_trees(parameters, learning, MAX_ROUNDS, stopping)
        scored = (fold == held) & real
        raw[scored] = booster.predict(inputs[scored], raw_score=True, num_threads=1)
        rounds.append(max(1, booster.best_iteration))
    return raw[real], int(np.median(rounds))


def dataset(matrix: Floats, train: Table, names: tuple[str, ...], rows: Any, reference: Any = None) -> Any:
    import lightgbm

    return lightgbm.Dataset(
        matrix[rows],
        label=train.y[rows],
        weight=train.weight[rows],
        feature_name=list(names),
        reference=reference,
        free_raw_data=True,
        params={"max_bin": PARAMETERS["max_bin"], "verbosity": -1},
    )


def train_trees(parameters: dict[str, Any], learning: Any, rounds: int, stopping: Any = None) -> Any:
    import lightgbm

    if stopping is None:
        return lightgbm.train(parameters, learning, num_boost_round=rounds)
    early = lightgbm.early_stopping(PATIENCE, verbose=False)
    return lightgbm.train(parameters, learning, num_boost_round=rounds, valid_sets=[stopping], callbacks=[early])


def _where_labels_come_from(target: EscalationTarget) -> str:
    return {
        "escalated": "It counts hand-offs: outcome.escalated_at, or messages of role 'agent'.",
        "needed_human": "It counts hand-offs, abandoned, and unresolved conversations rated below 3 (outcome).",
        "label": "It reads messages[].label (0 or 1).",
        "dissatisfied_next": "It reads messages[].satisfaction of customer messages (1 to 5).",
    }[target]
