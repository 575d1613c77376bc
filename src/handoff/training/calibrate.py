"""Fit a calibration to scores that a model gave to rows which it had not seen."""

from __future__ import annotations

import math
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from handoff.calibration import Calibration, sigmoid
from handoff.metrics import figures

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

Method = Literal["sigmoid", "isotonic", "temperature"]
METHODS: tuple[Method, ...] = get_args(Method)

# With fewer positive conversations the steps of an isotonic fit follow chance; a sigmoid has two numbers to learn.
ISOTONIC_FROM = 1_000
# Isotonic frequencies of 0 and 1 mean "none seen yet", not "never": no calibrated log-odds beyond this.
MOST_LOG_ODDS = math.log(999)
# Corners nearer than this would make a step, and rounding could make it fall.
CLOSEST = 1e-6


def fit_calibration(
    raw: Floats, y: Integers, weight: Floats, positives: int, method: Method | Literal["auto"] = "auto"
) -> Calibration:
    """A rising function of raw log-odds. `positives` is the number of positive conversations behind the rows."""
    if method == "isotonic" or (method == "auto" and positives >= ISOTONIC_FROM):
        fitted = _isotonic(raw, y, weight)
        if fitted is not None:
            return fitted
    slope, intercept = _temperature(raw, y, weight) if method == "temperature" else _sigmoid(raw, y, weight)
    ends = (float(raw.min()), float(max(raw.max(), raw.min() + 1)))
    named: Method = "temperature" if method == "temperature" else "sigmoid"
    return Calibration(method=named, raw=ends, calibrated=tuple(slope * x + intercept for x in ends)).check()


def _sigmoid(raw: Floats, y: Integers, weight: Floats) -> tuple[float, float]:
    """Slope and intercept of Platt's sigmoid (1999). Never falls: a model without signal gets slope 0."""
    target = _smoothed(y, weight)
    prior = float(np.average(target, weights=weight))
    level = math.log(prior / (1 - prior))
    centre, spread = float(np.average(raw, weights=weight)), float(raw.std())
    if spread == 0:
        return 0.0, level
    inputs = np.column_stack([(raw - centre) / spread, np.ones(len(raw))])
    slope, intercept = _newton(inputs, target, weight, np.array([0.0, level]))
    if slope <= 0:
        return 0.0, level
    return float(slope / spread), float(intercept - slope * centre / spread)


def _temperature(raw: Floats, y: Integers, weight: Floats) -> tuple[float, float]:
    """1 / T of temperature scaling (Guo et al. 2017, arXiv:1706.04599), and 0: log-odds of 0 stay where they are.

    It can make scores bolder or more careful, but not move their mean, as the sigmoid can.
    """
    spread = float(np.sqrt(np.average(raw**2, weights=weight)))
    if spread == 0:
        return 1.0, 0.0
    (slope,) = _newton((raw / spread)[:, None], _smoothed(y, weight), weight, np.array([0.0]))
    return max(float(slope / spread), 0.0), 0.0


def compare(raw: Floats, y: Integers, weight: Floats, fold: Integers) -> dict[Method, dict[str, float | None]]:
    """Every metric of each method, each row calibrated by a fit that has not seen its fold.

    `raw`, `y`, `weight` and `fold` have shape (n_rows,); `fold` keeps the rows of one customer together.
    """
    found: dict[Method, dict[str, float | None]] = {}
    for method in METHODS:
        p = np.empty(len(raw))
        for held in np.unique(fold):
            learn = fold != held
            fitted = fit_calibration(raw[learn], y[learn], weight[learn], ISOTONIC_FROM, method)
            p[~learn] = fitted.probabilities(raw[~learn])
        found[method] = figures(y, p, weight)
    return found


def _newton(inputs: Floats, target: Floats, weight: Floats, start: Floats) -> Floats:
    """Coefficients of least log loss, array of shape (n_inputs,). A step that does not lower the loss is halved."""
    coefficients, loss = start, _loss(inputs @ start, target, weight)
    for _ in range(100):
        p = sigmoid(inputs @ coefficients)
        curve = weight * np.maximum(p * (1 - p), 1e-12)
        hessian = (inputs * curve[:, None]).T @ inputs + 1e-9 * np.eye(len(start))
        step = np.linalg.solve(hessian, inputs.T @ (weight * (p - target)))
        while np.abs(step).max() > 1e-10 and _loss(inputs @ (coefficients - step), target, weight) > loss:
            step = step / 2
        if np.abs(step).max() <= 1e-10:
            break
        coefficients = coefficients - step
        loss = _loss(inputs @ coefficients, target, weight)
    return coefficients


def _loss(log_odds: Floats, target: Floats, weight: Floats) -> float:
    return float((weight * (np.logaddexp(0, log_odds) - target * log_odds)).sum())


def _smoothed(y: Integers, weight: Floats) -> Floats:
    """Platt's targets, a little inside 0 and 1, so that classes which part cleanly do not end in certainty."""
    positives, negatives = weight[y == 1].sum(), weight[y == 0].sum()
    targets: Floats = np.where(y == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    return targets


def _isotonic(raw: Floats, y: Integers, weight: Floats) -> Calibration | None:
    """Corners at the middle of each block of equal frequency, joined by straight lines; None with one block."""
    from sklearn.isotonic import IsotonicRegression

    fitted = IsotonicRegression(out_of_bounds="clip").fit(raw, y, sample_weight=weight).predict(raw)
    blocks = np.unique(fitted)
    middles = np.array([np.average(raw[fitted == block], weights=weight[fitted == block]) for block in blocks])
    apart = np.append(True, np.diff(middles) > CLOSEST)
    blocks, middles = blocks[apart], middles[apart]
    low, high = 1 / (1 + math.exp(MOST_LOG_ODDS)), 1 / (1 + math.exp(-MOST_LOG_ODDS))
    heights = [float(math.log(p / (1 - p))) for p in np.clip(blocks, low, high)]
    if len(middles) < 2:
        return None
    # Level beyond both ends: an isotonic fit knows nothing of scores that it has not seen.
    corners = tuple(float(x) for x in (middles[0] - 1, *middles, middles[-1] + 1))
    return Calibration(method="isotonic", raw=corners, calibrated=(heights[0], *heights, heights[-1])).check()
