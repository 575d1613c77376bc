"""Fit the routing model: multinomial logistic regression on texts and a few features, out-of-fold calibrated.

Everything that is chosen (temperature, the cut for "certain") is chosen on out-of-fold scores of the training side.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handoff.errors import NotEnoughData
from handoff.features import FEATURE_NAMES, FEATURES
from handoff.features.follower import Moment
from handoff.models.encoder import Embeds
from handoff.models.routing import Weights, shares, softmax, standardised
from handoff.models.wording import Coefficients, Vocabulary
from handoff.training.fit_wording import TextTable, coefficients, fit, learn_vocabulary
from handoff.training.rows import RoutingTable
from handoff.training.splits import folds

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]
Sparse = Any  # scipy.sparse.csr_matrix: scipy ships no types

FOLDS = 5
LEAST_HAND_OFFS, LEAST_PER_TEAM = 30, 5
# What the customer's words and account say about the matter; how the chat went says little about who should take it.
FAMILIES = ("wording", "account")
# "Certain" means right in 80 of 100 cases, counted on at least so many; below that the guide's general team decides.
CERTAIN_PRECISION, LEAST_CERTAIN = 0.80, 20
CUTS = np.round(np.arange(0.30, 0.99, 0.01), 2)
# Strength of the penalty, chosen out of fold.
PENALTIES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
# Of each block of n-grams beside an embedding of length 1 (docs/decisions.md, "Text").
GRAMS_WEIGH = 0.5
MOST_GRAMS = 100_000
# The intercept of a team that a fold does not hold.
NEVER = -20.0
TEMPERATURES = np.exp(np.linspace(np.log(0.3), np.log(4), 81))


@dataclass(frozen=True, slots=True)
class FittedRouting:
    """A fitted model. `out_of_fold`: calibrated probabilities, array of shape (n_moments, n_teams)."""

    weights: Weights
    vocabulary: Vocabulary
    coefficients: Coefficients
    teams: tuple[str, ...]
    features: tuple[str, ...]
    temperature: float
    certain_from: float | None
    penalty: float
    out_of_fold: Floats
    left_out: tuple[str, ...]


def fit_routing(
    table: RoutingTable, train: Mask, encoder: Embeds, seed: int, grams_weigh: float = GRAMS_WEIGH
) -> FittedRouting:
    """Fit on the entries of `train` (array of shape (n_moments,)). Raises `NotEnoughData` saying what is needed."""
    kept, teams, left_out = _teams(table, train)
    moments = [moment for moment, keep in zip(table.moments, kept, strict=True) if keep]
    y = np.array([teams.index(team) for team, keep in zip(table.teams, kept, strict=True) if keep], dtype=np.int64)
    names, rows = _rows(moments)
    vocabulary = learn_vocabulary(_texts(moments), most=MOST_GRAMS, words_weigh=grams_weigh, letters_weigh=grams_weigh)
    said = mean_texts(vocabulary, encoder, moments)
    fold = folds(table.sources, np.ones(len(kept), dtype=bool), kept, FOLDS, seed)[kept]
    scored = {penalty: _cross_fit(said, rows, y, fold, len(teams), penalty) for penalty in PENALTIES}
    penalty = min(scored, key=lambda p: _log_loss(scored[p] / _temperature(scored[p], y), y))
    temperature = _temperature(scored[penalty], y)
    out_of_fold = softmax(scored[penalty] / temperature)
    by_text, weights = _fit(said, rows, y, len(teams), penalty)
    return FittedRouting(
        weights=weights,
        vocabulary=vocabulary,
        coefficients=coefficients(by_text.T, vocabulary),
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


def mean_texts(vocabulary: Vocabulary, encoder: Embeds, moments: Sequence[Moment]) -> Sparse:
    """The mean of the features of each moment's customer texts, by `shares`: CSR of shape (n_moments, n_features)."""
    from scipy import sparse

    at = {text: number for number, text in enumerate(dict.fromkeys(_texts(moments)))}
    counted = [shares(moment.customer_texts) for moment in moments]
    columns = [at[text] for moment in moments for text in moment.customer_texts]
    starts = np.cumsum([0, *map(len, counted)])
    mean = sparse.csr_matrix((np.concatenate(counted), columns, starts), shape=(len(moments), len(at)))
    return (mean @ TextTable(vocabulary, at, encoder).rows(at)).tocsr()


def _texts(moments: Sequence[Moment]) -> list[str]:
    return [text for moment in moments for text in moment.customer_texts]


def _fit(said: Sparse, rows: Floats, y: Integers, teams: int, penalty: float) -> tuple[Floats, Weights]:
    """One regression: the coefficients of what was said, (n_teams, n_features of a text), and those of the features.

    Two teams get a row of coefficients each, as more do; a team that does not occur in `y` is never named.
    """
    from scipy import sparse

    means, scales = _scaling(rows)
    scaled = standardised(rows, means, scales)
    seen, numbers = np.unique(y, return_inverse=True)
    fitted = fit(sparse.hstack([said, sparse.csr_matrix(scaled)], format="csr"), numbers, penalty)
    both, free = fitted.coefficients, fitted.intercepts
    if len(seen) == 2:
        both, free = np.vstack([-both / 2, both / 2]), np.array([-free[0] / 2, free[0] / 2])
    found, intercepts = np.zeros((teams, both.shape[1])), np.full(teams, NEVER)
    found[seen], intercepts[seen] = both, free
    by_text, by_feature = np.split(found, [said.shape[1]], axis=1)
    return by_text, Weights(by_feature, intercepts, means, scales)


def _scaling(rows: Floats) -> tuple[Floats, Floats]:
    """Means and scales of the features, missing values left out."""
    filled = np.ma.masked_invalid(rows)
    means = np.ma.filled(filled.mean(axis=0), 0.0)
    # Embedding coordinates have a spread near 0.05; features scaled to 0.25 count beside them, but do not drown them.
    spread = np.ma.filled(filled.std(axis=0), 0.0)
    return means, np.where(spread > 0, 4 * spread, 1.0)


def _cross_fit(said: Sparse, rows: Floats, y: Integers, fold: Integers, teams: int, penalty: float) -> Floats:
    """Logits of every entry by a regression that did not see its customer: array of shape (n, n_teams)."""
    logits = np.zeros((len(y), teams))
    for held in np.unique(fold):
        learn, score = fold != held, fold == held
        by_text, weights = _fit(said[learn], rows[learn], y[learn], teams, penalty)
        by_feature = standardised(rows[score], weights.means, weights.scales) @ weights.coefficients.T
        logits[score] = said[score] @ by_text.T + by_feature + weights.intercepts
    return logits


def _temperature(logits: Floats, y: Integers) -> float:
    """The one number that the logits are divided by, so that probabilities are neither too bold nor too shy."""
    return float(min(TEMPERATURES, key=lambda t: _log_loss(logits / t, y)))


def _log_loss(logits: Floats, y: Integers) -> float:
    return float(-np.log(np.clip(softmax(logits)[np.arange(len(y)), y], 1e-9, None)).mean())
