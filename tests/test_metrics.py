"""Figures equal the slow, obvious computation, and intervals resample conversations."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn import metrics as reference

from handoff import metrics
from handoff.metrics import Interval
from handoff.training.leaks import suspicious

RNG = np.random.default_rng(0)
Y = (RNG.random(400) < 0.3).astype(np.int64)
P = np.clip(np.round(RNG.random(400) * 0.6 + 0.3 * Y, 2), 0.01, 0.99)
W = RNG.random(400) + 0.1


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (metrics.auroc, reference.roc_auc_score),
        (metrics.average_precision, reference.average_precision_score),
        (metrics.log_loss, reference.log_loss),
        (metrics.brier, reference.brier_score_loss),
    ],
    ids=lambda f: f.__name__,
)
def test_weighted_figures_equal_scikit_learns(ours: metrics.Metric, theirs: object) -> None:
    assert ours(Y, P, W) == pytest.approx(theirs(Y, P, sample_weight=W))  # type: ignore[operator]


def test_calibration_error_is_the_mean_distance_in_bins_of_equal_weight() -> None:
    p = np.repeat([0.1, 0.5], 100)
    y = np.concatenate([np.repeat([1, 0], [10, 90]), np.repeat([1, 0], [80, 20])])
    assert metrics.calibration_error(y, p, np.ones(200)) == pytest.approx((0 + 0.3) / 2)


def test_a_weight_counts_as_so_many_rows() -> None:
    times = np.arange(400) % 3 + 1
    for name, metric in metrics.METRICS.items():
        if name != "calibration_error":  # whose bins cut between rows, not within
            repeated = metric(np.repeat(Y, times), np.repeat(P, times), np.ones(times.sum()))
            assert metric(Y, P, times.astype(float)) == pytest.approx(repeated), name


@pytest.mark.parametrize("y", [0, 1])
def test_with_one_class_ranking_is_not_defined(y: int) -> None:
    found = metrics.figures(np.full(5, y), np.linspace(0.1, 0.9, 5), np.ones(5))
    assert found["auroc"] is None
    assert found["log_loss"] is not None


def test_certainty_that_is_wrong_costs_much_but_not_infinitely() -> None:
    assert 10 < metrics.log_loss(np.array([1]), np.array([0.0]), np.ones(1)) < 20


def test_intervals_widen_when_rows_belong_together() -> None:
    alone = metrics.intervals(Y, P, W, np.arange(400), seed=1)["auroc"]
    # Each conversation holds 20 copies of one row: 400 rows, but only 20 conversations.
    first = np.arange(20).repeat(20)
    together = metrics.intervals(Y[first], P[first], np.ones(400), first, seed=1)["auroc"]
    assert width(together) > 2 * width(alone)
    assert alone.low is not None and alone.value is not None and alone.high is not None
    assert alone.low < alone.value < alone.high


def test_intervals_repeat_with_their_seed() -> None:
    of = np.arange(400) // 4
    assert metrics.intervals(Y, P, W, of, seed=3) == metrics.intervals(Y, P, W, of, seed=3)


def test_f1_equals_scikit_learns() -> None:
    called = P > 0.4
    assert metrics.f1(Y, called, W) == pytest.approx(reference.f1_score(Y, called, sample_weight=W))
    macro = reference.f1_score(Y, called, sample_weight=W, average="macro")
    assert metrics.macro_f1(Y, called, W) == pytest.approx(macro)
    assert metrics.f1(Y, np.zeros(400, dtype=bool), W) == 0


def test_any_figure_gets_the_interval_that_its_own_function_would_give_it() -> None:
    of = np.arange(400) // 4
    found = metrics.resampled_interval(lambda counts: metrics.brier(Y, P, counts), of, seed=3)
    expected = metrics.intervals(Y, P, np.ones(400), of, seed=3)["brier"]
    assert found.value == pytest.approx(expected.value)
    assert (found.low, found.high) == (pytest.approx(expected.low), pytest.approx(expected.high))


def test_a_share_of_nothing_is_not_defined() -> None:
    assert metrics.share(np.array([], dtype=bool), np.array([], dtype=np.int64), seed=1) == Interval(None, None, None)


def test_a_planted_feature_that_has_seen_the_future_is_caught() -> None:
    honest = RNG.normal(size=400) + Y
    seconds_to_hand_off = np.where(Y == 1, RNG.random(400) * 300, np.nan)
    X = np.column_stack([honest, seconds_to_hand_off, 1 - Y])
    assert set(suspicious(X, Y, W, ("honest", "missing_unless", "upside_down"))) == {"missing_unless", "upside_down"}


def width(interval: Interval) -> float:
    return math.nan if interval.low is None or interval.high is None else interval.high - interval.low
