"""Fit the routing model: multinomial logistic regression on embeddings and a few features, out-of-fold calibrated.

Everything that is chosen (temperature, the cut for "certain") is chosen on out-of-fold scores of the training side.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from handoff.errors import NotEnoughData
from handoff.features import FEATURE_NAMES, FEATURES
from handoff.features.follower import Moment
from handoff.models.encoder import Embeds
from handoff.models.routing import Weights, pooled, softmax, standardised
from handoff.training.rows import RoutingTable
from handoff.training.splits import folds

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

FOLDS = 5
LEAST_HAND_OFFS, LEAST_PER_TEAM = 30, 5
# What the customer's words and account say about the matter; how the chat went says little about who should take it.
FAMILIES = ("wording", "account")
# "Certain" means right in 80 of 100 cases, counted on at least so many; below that the guide's general team decides.
CERTAIN_PRECISION, LEAST_CERTAIN = 0.80, 20
CUTS = np.round(np.arange(0.30, 0.99, 0.01), 2)
# Strength of the penalty, chosen out of fold.
PENALTIES = (0.03, 0.1, 0.3, 1.0, 3.0)
TEMPERATURES = np.exp(np.linspace(np.log(0.3), np.log(4), 81))


@dataclass(frozen=True, slots=True)
class FittedRouting:
    """A fitted model. `out_of_fold`: calibrated probabilities, array of shape (n_moments, n_teams)."""

    weights: Weights
    teams: tuple[str, ...]
    features: tuple[str, ...]
    temperature: float
    certain_from: float | None
    penalty: float
    out_of_fold: Floats
    left_out: tuple[str, ...]


def fit_routing(table: RoutingTable, train: Mask, encoder: Embeds, seed: int) -> FittedRouting:
    """Fit on the entries of `train` (array of shape (n_moments,)). Raises `NotEnoughData` saying what is needed."""
    kept, teams, left_out = _teams(table, train)
    moments = [moment for moment, keep in zip(table.moments, kept, strict=True) if keep]
    y = np.array([teams.index(team) for team, keep in zip(table.teams, kept, strict=True) if keep], dtype=np.int64)
    names, rows = _rows(moments)
    vectors = pooled(encoder, moments)
    fold = folds(table.sources, np.ones(len(kept), dtype=bool), kept, FOLDS, seed)[kept]
    scored = {penalty: _cross_fit(vectors, rows, y, fold, len(teams), penalty) for penalty in PENALTIES}
    penalty = min(scored, key=lambda p: _log_loss(scored[p] / _temperature(scored[p], y), y))
    temperature = _temperature(scored[penalty], y)
    out_of_fold = softmax(scored[penalty] / temperature)
    return FittedRouting(
        weights=_fit(vectors, rows, y, len(teams), penalty),
        teams=teams,
        features=names,
        temperature=temperature,
        certain_from=certain_cut(out_of_fold, y),
        penalty=penalty,
        out_of_fold=out_of_fold,
        left_out=left_out,
    )


def certain_cut(probabilities: Floats, y: Integers) -> float | None:
    """The lowest cut on the first team's probability above which 80 % are right; None when no cut reaches it."""
    top, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == y
    for cut in CUTS:
        over = top >= cut
        if over.sum() < min(LEAST_CERTAIN, max(1, len(y) // 4)):
            return None
        if right[over].mean() >= CERTAIN_PRECISION:
            return float(cut)
    return None


def _teams(table: RoutingTable, train: Mask) -> tuple[Mask, tuple[str, ...], tuple[str, ...]]:
    """The entries to learn from, their teams, and the teams too rare to be learnt."""
    count = Counter(team for team, keep in zip(table.teams, train, strict=True) if keep)
    teams = tuple(sorted(team for team, n in count.items() if n >= LEAST_PER_TEAM))
    kept = train & np.isin(np.array(table.teams), teams) if teams else np.zeros_like(train)
    if len(teams) < 2 or kept.sum() < LEAST_HAND_OFFS:
        seen = ", ".join(f"{team} {n}" for team, n in count.most_common()) or "none"
        raise NotEnoughData(
            f"routing: {int(train.sum())} hand-offs with a team to train on ({seen}); needs at least "
            f"{LEAST_HAND_OFFS}, of two teams or more with {LEAST_PER_TEAM} each. "
            "It reads outcome.team of escalated conversations."
        )
    return kept, teams, tuple(sorted(set(count) - set(teams)))


def _rows(moments: Sequence[Moment]) -> tuple[tuple[str, ...], Floats]:
    """The features of the wording and account families that vary, and their values."""
    full = np.array([moment.row for moment in moments], dtype=np.float64)
    usable = [
        position
        for position, feature in enumerate(FEATURES)
        if feature.family in FAMILIES and len(np.unique(full[~np.isnan(full[:, position]), position])) > 1
    ]
    return tuple(FEATURE_NAMES[position] for position in usable), full[:, usable]


def _fit(vectors: Floats, rows: Floats, y: Integers, teams: int, penalty: float) -> Weights:
    """One regression, as arrays; two teams get a row of coefficients each, as more do."""
    from sklearn.linear_model import LogisticRegression

    scaling = _scaling(rows, vectors.shape[1] + rows.shape[1], teams)
    inputs = np.hstack([vectors, standardised(rows, scaling)])
    fitted = LogisticRegression(C=1 / penalty, max_iter=2000).fit(inputs, y)
    coefficients, intercepts = np.zeros((teams, inputs.shape[1])), np.full(teams, -20.0)
    if len(fitted.classes_) == 2:
        coefficients[fitted.classes_] = np.vstack([-fitted.coef_ / 2, fitted.coef_ / 2])
        intercepts[fitted.classes_] = [-fitted.intercept_[0] / 2, fitted.intercept_[0] / 2]
    else:
        coefficients[fitted.classes_], intercepts[fitted.classes_] = fitted.coef_, fitted.intercept_
    return Weights(coefficients, intercepts, scaling.means, scaling.scales)


def _scaling(rows: Floats, width: int, teams: int) -> Weights:
    """Means and scales of the features, missing values left out; the coefficients are still to be fitted."""
    filled = np.ma.masked_invalid(rows)
    means = np.ma.filled(filled.mean(axis=0), 0.0)
    # Embedding coordinates have a spread near 0.05; features scaled to 0.25 count beside them, but do not drown them.
    spread = np.ma.filled(filled.std(axis=0), 0.0)
    scales = np.where(spread > 0, 4 * spread, 1.0)
    return Weights(np.zeros((teams, width)), np.zeros(teams), means, scales)


def _cross_fit(vectors: Floats, rows: Floats, y: Integers, fold: Integers, teams: int, penalty: float) -> Floats:
    """Logits of every entry by a regression that did not see its customer: array of shape (n, n_teams)."""
    logits = np.zeros((len(y), teams))
    for held in np.unique(fold):
        learn, score = fold != held, fold == held
        weights = _fit(vectors[learn], rows[learn], y[learn], teams, penalty)
        inputs = np.hstack([vectors[score], standardised(rows[score], weights)])
        logits[score] = inputs @ weights.coefficients.T + weights.intercepts
    return logits


def _temperature(logits: Floats, y: Integers) -> float:
    """The one number that the logits are divided by, so that probabilities are neither too bold nor too shy."""
    return float(min(TEMPERATURES, key=lambda t: _log_loss(logits / t, y)))


def _log_loss(logits: Floats, y: Integers) -> float:
    return float(-np.log(np.clip(softmax(logits)[np.arange(len(y)), y], 1e-9, None)).mean())
