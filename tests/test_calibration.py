"""A calibration rises, says what it is, and refuses what is not one."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handoff.calibration import NONE, Calibration, sigmoid
from handoff.errors import BadModel
from handoff.training.calibrate import METHODS, compare, fit_calibration

finite = st.floats(-30, 30)


def made(raw: tuple[float, ...], calibrated: tuple[float, ...]) -> Calibration:
    return Calibration(method="isotonic", raw=raw, calibrated=calibrated)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        pytest.param(0.0, 1.0, id="at a corner"),
        pytest.param(1.0, 2.0, id="halfway between corners"),
        pytest.param(-1.0, 0.0, id="below the first corner goes on with the first slope"),
        pytest.param(4.0, 3.0, id="above the last corner goes on with the last slope"),
    ],
)
def test_log_odds_follow_the_line(raw: float, expected: float) -> None:
    line = made((0.0, 2.0, 3.0), (1.0, 3.0, 3.0))
    assert line.log_odds(np.array([raw]))[0] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("raw", "calibrated", "says"),
    [
        pytest.param((0.0,), (0.0,), "at least 2", id="one corner is no line"),
        pytest.param((0.0, 1.0), (0.0,), "as many", id="corners without a height"),
        pytest.param((0.0, 1.0), (1.0, 0.0), "falls", id="a falling line"),
        pytest.param((1.0, 1.0), (0.0, 1.0), "falls or stands still", id="a step"),
        pytest.param((0.0, 1.0), (0.0, math.nan), "not a finite number", id="not a number"),
    ],
)
def test_what_is_no_calibration_is_refused(raw: tuple[float, ...], calibrated: tuple[float, ...], says: str) -> None:
    with pytest.raises(BadModel, match=says):
        made(raw, calibrated).check()


@settings(deadline=None)
@given(st.lists(finite, min_size=2, max_size=20), st.integers(0, 2**16), st.sampled_from(METHODS))
def test_a_fitted_calibration_never_changes_the_order(scores: list[float], seed: int, method: str) -> None:
    rng = np.random.default_rng(seed)
    raw = np.array(sorted(scores))
    y = (rng.random(len(raw)) < 0.4).astype(np.int64)
    fitted = fit_calibration(raw, y, np.ones(len(raw)), positives=int(y.sum()), method=method)  # type: ignore[arg-type]
    grid = np.linspace(-60, 60, 500)
    assert (np.diff(fitted.log_odds(grid)) >= -1e-9).all()
    assert ((fitted.probabilities(grid) >= 0) & (fitted.probabilities(grid) <= 1)).all()


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_overconfident_scores_come_out_as_frequencies(method: str) -> None:
    rng = np.random.default_rng(3)
    truth = rng.normal(-1, 1.5, 40_000)
    y = (rng.random(len(truth)) < sigmoid(truth)).astype(np.int64)
    fitted = fit_calibration(truth * 2.5 + 1, y, np.ones(len(y)), positives=10_000, method=method)  # type: ignore[arg-type]
    p = fitted.probabilities(truth * 2.5 + 1)
    assert np.abs(p - sigmoid(truth)).mean() < 0.01
    # The planted mistake: the scores taken at their word are far off.
    assert np.abs(sigmoid(truth * 2.5 + 1) - sigmoid(truth)).mean() > 0.1


def test_a_temperature_undoes_scores_that_are_too_bold_and_leaves_even_odds_alone() -> None:
    rng = np.random.default_rng(5)
    truth = rng.normal(0, 1.5, 40_000)
    y = (rng.random(len(truth)) < sigmoid(truth)).astype(np.int64)
    fitted = fit_calibration(truth * 2.5, y, np.ones(len(y)), positives=20_000, method="temperature")
    assert fitted.method == "temperature"
    assert fitted.log_odds(np.array([2.5, 0.0])) == pytest.approx([1.0, 0.0], abs=0.05)


def test_methods_are_compared_on_rows_that_they_have_not_seen() -> None:
    rng = np.random.default_rng(6)
    truth = rng.normal(-1, 1.5, 6_000)
    y = (rng.random(len(truth)) < sigmoid(truth)).astype(np.int64)
    fold = np.arange(len(y)) % 3
    found = compare(truth * 2.5 + 2, y, np.ones(len(y)), fold)
    assert set(found) == set(METHODS)
    # The scores are off by a shift as well, which a temperature cannot undo.
    assert found["sigmoid"]["log_loss"] < found["temperature"]["log_loss"]  # type: ignore[operator]
    assert found["sigmoid"]["calibration_error"] < 0.05  # type: ignore[operator]
    # The planted mistake: rows of noise, calibrated on themselves, would look better than chance.
    noise = compare(rng.normal(size=300), rng.integers(0, 2, 300), np.ones(300), np.arange(300) % 3)
    assert noise["isotonic"]["log_loss"] > 0.68  # type: ignore[operator]


def test_scores_that_point_the_wrong_way_give_the_base_rate() -> None:
    raw, y = np.linspace(-3, 3, 400), np.repeat([1, 0], 200)
    p = fit_calibration(raw, y, np.ones(400), positives=200).probabilities(raw)
    assert p == pytest.approx(np.full(400, 0.5), abs=0.01)


def test_it_survives_json() -> None:
    fitted = made((-2.0, 0.0, 3.5), (-1.0, -1.0, 2.0))
    assert msgspec.json.decode(msgspec.json.encode(fitted), type=Calibration) == fitted


def test_none_changes_nothing() -> None:
    grid = np.linspace(-9, 9, 50)
    assert NONE.log_odds(grid) == pytest.approx(grid)


def test_extreme_log_odds_do_not_overflow() -> None:
    assert sigmoid(np.array([-1e6, 0.0, 1e6])).tolist() == [0.0, 0.5, 1.0]
