"""The ridge regression that leaves rows out by subtraction, against one that is fitted on what is left."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import Ridge as Plain

from handoff.quality.ridge import Ridge

ROWS, PENALTY = 120, 2.0
rng = np.random.default_rng(5)
FIRST, SECOND = (rng.normal(0, 1, (ROWS, width)).astype(np.float32) for width in (4, 3))
TARGETS = np.column_stack([FIRST[:, 0] - SECOND[:, 1], SECOND[:, 2]]) + rng.normal(0, 0.1, (ROWS, 2)) + 5
PART = np.arange(ROWS) % 3
HELD = np.arange(ROWS) < 30


def told_by(rows: np.ndarray, asked: np.ndarray) -> np.ndarray:
    inputs = np.hstack([FIRST, SECOND])
    return Plain(alpha=PENALTY).fit(inputs[rows], TARGETS[rows]).predict(inputs[asked])


def test_each_row_is_told_by_a_fit_on_the_others_that_it_should_be() -> None:
    sums = Ridge([FIRST, SECOND], PART, PENALTY).columns(HELD, TARGETS)[:, -2:]
    # The parts leave out the intercept's share of a block, the sum holds it.
    assert np.allclose(sums[HELD], told_by(~HELD, HELD), atol=2e-3)
    for part in range(3):
        asked = ~HELD & (part == PART)
        assert np.allclose(sums[asked], told_by(~HELD & (part != PART), asked), atol=2e-3)


def test_the_blocks_sum_to_the_whole_but_for_the_intercept() -> None:
    found = Ridge([FIRST, SECOND], PART, PENALTY).columns(HELD, TARGETS)
    rest = found[:, 4:] - found[:, :2] - found[:, 2:4]
    assert np.allclose(rest[HELD], rest[HELD][0], atol=1e-4)


def test_targets_of_the_held_rows_are_not_read() -> None:
    ridge = Ridge([FIRST, SECOND], PART, PENALTY)
    other = np.where(HELD[:, None], -TARGETS, TARGETS)
    assert np.array_equal(ridge.columns(HELD, TARGETS), ridge.columns(HELD, other))
