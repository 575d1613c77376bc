"""From two scores to a rating of 1 to 5, and how well ratings agree with those that were given."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

# Below these shares of the scores nothing is called: 40 cuts, denser where few turns are called.
CUTS = tuple((1 - np.geomspace(0.7, 0.005, 40)).tolist())
LOW, MIDDLE, HIGH = 2, 3, 4


@dataclass(frozen=True, slots=True)
class Head:
    """A score of low from `low` on is rated 2, one of high from `high` on 4, by the larger excess if both, and all else
    3: ratings of 1 and 5 are too rare to be told. A score of low from `dissatisfied` on is called dissatisfied."""

    low: float
    high: float
    dissatisfied: float

    def rating(self, scores: Floats) -> Integers:
        """The rating of each row of [score of low, score of high]: array of shape (n_rows,)."""
        return _rated(scores, self.low, self.high)

    def calls(self, scores: Floats) -> Mask:
        """Which rows are called dissatisfied: array of shape (n_rows,)."""
        called: Mask = scores[:, 0] >= self.dissatisfied
        return called


def fit_head(scores: Floats, rating: Integers) -> Head:
    """From out-of-fold scores [low, high] and the ratings given: the rating by kappa, dissatisfaction by F1."""
    lows, highs = (np.quantile(scores[:, side], CUTS).tolist() for side in (0, 1))
    low, high = max(itertools.product(lows, highs), key=lambda cuts: kappa(rating, _rated(scores, *cuts)))
    cut = max(lows, key=lambda cut: paper_f1(rating < MIDDLE, scores[:, 0] >= cut))
    return Head(low, high, cut)


def _rated(scores: Floats, low: float, high: float) -> Integers:
    below, above = scores[:, 0] - low, scores[:, 1] - high
    called = np.where(below >= above, LOW, HIGH)
    rated: Integers = np.where(np.maximum(below, above) >= 0, called, MIDDLE)
    return rated


def kappa(truth: Integers, found: Integers) -> float:
    """Cohen's kappa (1960), unweighted: agreement beyond chance; 0 where chance alone agrees fully."""
    size = int(max(truth.max(), found.max())) + 1
    chance = float((np.bincount(truth, minlength=size) @ np.bincount(found, minlength=size)) / len(truth) ** 2)
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
