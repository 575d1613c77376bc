"""How good probabilities are, weighted so that each conversation counts once, with bootstrap intervals.

The interval comes from drawing conversations with replacement, not rows: the rows of one conversation are alike,
and drawing them one by one would make every interval too narrow.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial

import msgspec
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Metric = Callable[[Integers, Floats, Floats], float]

BINS = 10
RESAMPLES = 300
# No probability is taken for more certain than this, so that one mistake cannot make the log loss infinite.
EPSILON = 1e-6


class Interval(msgspec.Struct, frozen=True):
    """A figure, and the range that holds it in 95 of 100 resamples. None where it is not defined."""

    value: float | None
    low: float | None
    high: float | None


def log_loss(y: Integers, p: Floats, weight: Floats) -> float:
    """Mean of -log of the probability given to what happened; lower is better."""
    clipped = np.clip(p, EPSILON, 1 - EPSILON)
    return float(np.average(-np.where(y == 1, np.log(clipped), np.log1p(-clipped)), weights=weight))


def brier(y: Integers, p: Floats, weight: Floats) -> float:
    """Mean squared distance of the probability from what happened; lower is better."""
    return float(np.average((p - y) ** 2, weights=weight))


def auroc(y: Integers, p: Floats, weight: Floats) -> float:
    """How often a positive row scores above a negative one, ties counting half; NaN with one class only."""
    positives, negatives = _by_score(y, p, weight)
    if positives.sum() == 0 or negatives.sum() == 0:
        return math.nan
    below = np.cumsum(negatives) - negatives
    return float((positives * (below + negatives / 2)).sum() / (positives.sum() * negatives.sum()))


def average_precision(y: Integers, p: Floats, weight: Floats) -> float:
    """Precision averaged over the recall that each score reaches; NaN without positives."""
    positives, negatives = _by_score(y, p, weight)
    if positives.sum() == 0:
        return math.nan
    found, called = np.cumsum(positives[::-1]), np.cumsum((positives + negatives)[::-1])
    reached = called > 0
    return float((positives[::-1][reached] * found[reached] / called[reached]).sum() / positives.sum())


def calibration_error(y: Integers, p: Floats, weight: Floats) -> float:
    """Mean distance of probability from frequency over ten bins of equal weight (ECE); lower is better."""
    predicted, observed, mass = reliability(y, p, weight)
    return float(np.average(np.abs(predicted - observed), weights=mass))


def reliability(y: Integers, p: Floats, weight: Floats, bins: int = BINS) -> tuple[Floats, Floats, Floats]:
    """Mean probability, observed frequency and weight of each bin: three arrays of shape (n_bins,).

    Rows of the same probability share a bin, so that their order does not matter.
    """
    scores = np.unique(p)
    positives, negatives = _by_score(y, p, weight)
    mass = positives + negatives
    reached = np.cumsum(mass)
    bin_of = np.minimum((bins * (reached - mass / 2) / reached[-1]).astype(np.int64), bins - 1)
    total = np.bincount(bin_of, mass, bins).astype(np.float64)
    filled = total > 0
    predicted = np.bincount(bin_of, mass * scores, bins)[filled] / total[filled]
    observed = np.bincount(bin_of, positives, bins)[filled] / total[filled]
    return predicted, observed, total[filled]


METRICS: dict[str, Metric] = {
    "log_loss": log_loss,
    "brier": brier,
    "auroc": auroc,
    "average_precision": average_precision,
    "calibration_error": calibration_error,
}


def figures(y: Integers, p: Floats, weight: Floats) -> dict[str, float | None]:
    """Every metric by name; None where it is not defined."""
    return {name: _defined(metric(y, p, weight)) for name, metric in METRICS.items()}


def intervals(
    y: Integers,
    p: Floats,
    weight: Floats,
    of: Integers,
    seed: int,
    resamples: int = RESAMPLES,
    names: tuple[str, ...] = tuple(METRICS),
) -> dict[str, Interval]:
    """Each metric of `names` with its 95 % interval, by resampling the conversations that `of` names."""
    values = figures(y, p, weight)
    drawn: dict[str, list[float]] = {name: [] for name in names}
    for counts in _resampled(of, seed, resamples):
        kept = counts > 0
        for name in names:
            drawn[name].append(METRICS[name](y[kept], p[kept], (weight * counts)[kept]))
    return {name: _interval(values[name], drawn[name]) for name in names}


def share(hits: NDArray[np.bool_], of: Integers, seed: int, resamples: int = RESAMPLES) -> Interval:
    """The share of True with its 95 % interval, by resampling what `of` names."""
    if not len(hits):
        return Interval(None, None, None)
    mean = partial(np.average, hits)
    drawn = [float(mean(weights=counts)) for counts in _resampled(of, seed, resamples)]
    return _interval(float(hits.mean()), drawn)


def resampled_interval(
    measure: Callable[[Floats], float], of: Integers, seed: int, resamples: int = RESAMPLES
) -> Interval:
    """Any figure with its 95 % interval, by resampling what `of` names.

    `measure` computes the figure from how much each row counts, an array of shape (n_rows,): ones for the figure
    itself. Rows that count 0 are not drawn. NaN where it is not defined.
    """
    value = measure(np.ones(len(of)))
    return _interval(_defined(value), [measure(counts) for counts in _resampled(of, seed, resamples)])


def f1(y: Integers, called: NDArray[np.bool_], weight: Floats) -> float:
    """Harmonic mean of precision and recall of the positive class; 0 where nothing is found."""
    hit = float(weight[(y == 1) & called].sum())
    return 2 * hit / max(float(weight[y == 1].sum() + weight[called].sum()), EPSILON)


def macro_f1(y: Integers, called: NDArray[np.bool_], weight: Floats) -> float:
    """Mean of the F1 of the positive and of the negative class."""
    return (f1(y, called, weight) + f1(1 - y, ~called, weight)) / 2


def _resampled(of: Integers, seed: int, resamples: int) -> Iterator[Floats]:
    """How often each row is drawn, resample by resample: arrays of shape (n_rows,)."""
    rng = np.random.default_rng(seed)
    _, position = np.unique(of, return_inverse=True)
    count = int(position.max()) + 1
    for _ in range(resamples):
        yield rng.multinomial(count, np.full(count, 1 / count))[position].astype(np.float64)


def _interval(value: float | None, drawn: list[float]) -> Interval:
    defined = [figure for figure in drawn if not math.isnan(figure)]
    if value is None or len(defined) < len(drawn) / 2:
        return Interval(value, None, None)
    low, high = np.quantile(defined, [0.025, 0.975])
    return Interval(value, float(low), float(high))


def _by_score(y: Integers, p: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Weight of the positives and of the negatives at each distinct score, lowest first."""
    scores, position = np.unique(p, return_inverse=True)
    positives = np.bincount(position, weight * (y == 1), len(scores)).astype(np.float64)
    negatives = np.bincount(position, weight * (y == 0), len(scores)).astype(np.float64)
    return positives, negatives


def _defined(value: float) -> float | None:
    return None if math.isnan(value) else value
