"""From two scores to a rating of 1 to 5, and how well ratings agree with those that were given."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

MIDDLE = 3
# How much a rating's rarity is made up for (0: not at all, 1: as if all were equally common), and what is put on top of
# the log-probability of 3, which most ratings are.
CORRECTIONS, FOR_MIDDLE = np.linspace(0.3, 1, 15), np.linspace(-0.6, 0.6, 13)
# From these quantiles of the scores on a turn may be called dissatisfied, denser where few are.
CUTS = 1 - np.geomspace(0.7, 0.005, 40)


@dataclass(frozen=True, slots=True)
class Head:
    """`model` gives the log-probabilities of its ratings, `added` is added to them before the largest is taken; a score
    of low from `cut` on is called dissatisfied."""

    model: Any
    added: Floats
    cut: float

    def rating(self, scores: Floats) -> Integers:
        """The rating of each row of [score of low, score of high]: array of shape (n_rows,)."""
        log_odds = self.model.predict_log_proba(scores) + self.added
        named: Integers = self.model.classes_[log_odds.argmax(axis=1)]
        return named

    def calls(self, scores: Floats) -> Mask:
        """Which rows are called dissatisfied: array of shape (n_rows,)."""
        called: Mask = scores[:, 0] >= self.cut
        return called


def fit_head(scores: Floats, rating: Integers) -> Head:
    """From out-of-fold scores [low, high] and the ratings given: the rating by kappa, dissatisfaction by F1."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=10.0, max_iter=300).fit(scores, rating)
    rarity = -np.log([(rating == value).mean() for value in model.classes_])
    probabilities, is_middle = model.predict_log_proba(scores), model.classes_ == MIDDLE
    added = [c * rarity + bonus * is_middle for c, bonus in itertools.product(CORRECTIONS, FOR_MIDDLE)]
    best = max(added, key=lambda each: kappa(rating, model.classes_[(probabilities + each).argmax(axis=1)]))
    cuts = np.quantile(scores[:, 0], CUTS).tolist()
    return Head(model, best, max(cuts, key=lambda cut: paper_f1(rating < MIDDLE, scores[:, 0] >= cut)))


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
