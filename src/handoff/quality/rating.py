"""From two scores to a rating of 1 to 5, and how well ratings agree with those that were given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

# How much a rating's rarity is made up for: 0 leaves probabilities as they are, 1 takes all ratings for equally common.
CORRECTIONS = tuple(np.linspace(0, 1, 21).tolist())
CUTS = tuple(np.linspace(0.60, 0.99, 40).tolist())


@dataclass(frozen=True, slots=True)
class Head:
    """`model` gives the probabilities of its ratings, `correction` how they are set off against `prior`; a score from
    `cut` on is called dissatisfied."""

    model: Any
    prior: Floats
    correction: float
    cut: float

    def rating(self, scores: Floats) -> Integers:
        """The rating of each row of [score of low, score of high]: array of shape (n_rows,)."""
        return _decided(self.model, scores, self.prior, self.correction)


def fit_head(scores: Floats, rating: Integers) -> Head:
    """From out-of-fold scores [low, high] and the ratings given. Correction by kappa and UAR together, cut by F1."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=1.0, max_iter=200).fit(scores, rating)
    prior = np.array([(rating == value).mean() for value in model.classes_])
    correction = max(CORRECTIONS, key=lambda c: _agreement(rating, _decided(model, scores, prior, c)))
    cuts = np.quantile(scores[:, 0], CUTS)
    cut = max(cuts.tolist(), key=lambda c: paper_f1(rating < 3, scores[:, 0] >= c))
    return Head(model, prior, correction, cut)


def _decided(model: Any, scores: Floats, prior: Floats, correction: float) -> Integers:
    log_odds = model.predict_log_proba(scores) - correction * np.log(prior)
    decided: Integers = model.classes_[log_odds.argmax(axis=1)]
    return decided


def _agreement(truth: Integers, found: Integers) -> float:
    return kappa(truth, found) + unweighted_recall(truth, found)


def kappa(truth: Integers, found: Integers) -> float:
    """Cohen's kappa (1960), unweighted: agreement beyond chance; 0 where chance alone agrees fully."""
    values = np.union1d(truth, found)
    chance = sum(float((truth == v).mean() * (found == v).mean()) for v in values)
    return 0.0 if chance == 1 else float(((truth == found).mean() - chance) / (1 - chance))


def unweighted_recall(truth: Integers, found: Integers) -> float:
    """Mean recall over the ratings that occur in either array, as scikit-learn's macro recall counts (UAR)."""
    values = np.union1d(truth, found)
    return float(np.mean([(found[truth == v] == v).mean() if (truth == v).any() else 0.0 for v in values]))


def ordinary_f1(truth: Mask, found: Mask) -> float:
    """Harmonic mean of precision and recall; 0 without a hit."""
    precision, recall = _precision_recall(truth, found)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def paper_f1(truth: Mask, found: Mask) -> float:
    """2pr / max(p + r, 1), as the code of Sun et al. computes it: smaller than F1 wherever p + r < 1."""
    precision, recall = _precision_recall(truth, found)
    return 2 * precision * recall / max(precision + recall, 1)


def _precision_recall(truth: Mask, found: Mask) -> tuple[float, float]:
    hits = float((truth & found).sum())
    return hits / max(float(found.sum()), 1), hits / max(float(truth.sum()), 1)
