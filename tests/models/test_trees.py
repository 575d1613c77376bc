"""Contributions from tables against LightGBM's own, which are the oracle."""

from __future__ import annotations

from typing import Any

import lightgbm
import numpy as np
import pytest
from numpy.typing import NDArray

from handoff.models.trees import MOST_SPLITS, small_trees

Floats = NDArray[np.float64]

FEATURES = 6


def data(seed: int = 0) -> tuple[Floats, NDArray[np.int64]]:
    """Rows of which the first column never lacks a value, the others often do; the second is a count with zeros."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(1_500, FEATURES))
    rows[:, 1] = rng.poisson(1, len(rows))
    y = (rows[:, 0] + rows[:, 1] * rows[:, 2] + rng.normal(size=len(rows)) > 0).astype(np.int64)
    rows[:, 1:][rng.random((len(rows), FEATURES - 1)) < 0.3] = np.nan
    return rows, y


def fitted(leaves: int, rounds: int = 40, categories: tuple[int, ...] = (), **parameters: Any) -> lightgbm.Booster:
    rows, y = data()
    dataset = lightgbm.Dataset(rows, y, categorical_feature=list(categories), free_raw_data=False)
    settings = {"objective": "binary", "num_leaves": leaves, "verbosity": -1, "num_threads": 1, "seed": 1}
    return lightgbm.train(settings | parameters, dataset, rounds)


@pytest.mark.parametrize("leaves", [2, 7, MOST_SPLITS + 1], ids="trees of {} leaves".format)
def test_scores_are_those_of_lightgbm_to_the_last_bit(leaves: int) -> None:
    booster = fitted(leaves)
    trees = small_trees(booster)
    assert trees is not None
    rows = data(seed=6)[0][:200]
    rows[0], rows[1, 0] = np.nan, np.nan
    assert [trees.log_odds(trees.patterns(row)) for row in rows] == booster.predict(
        rows, raw_score=True, num_threads=1
    ).tolist()


@pytest.mark.parametrize("leaves", [2, 7, MOST_SPLITS + 1], ids="trees of {} leaves".format)
def test_contributions_are_those_of_lightgbm(leaves: int) -> None:
    booster = fitted(leaves)
    trees = small_trees(booster)
    assert trees is not None
    rows = data(seed=5)[0][:200]
    rows[0], rows[1, 0] = np.nan, np.nan  # also where no training row lacked a value
    expected = booster.predict(rows, pred_contrib=True, num_threads=1)
    found = np.array([[*trees.contributions(trees.patterns(row)), trees.base] for row in rows])
    assert found == pytest.approx(expected, abs=1e-9)
    assert np.ptp(found[:, 0]) > 0.1


@pytest.mark.parametrize("leaves", [2, 7, MOST_SPLITS + 1], ids="trees of {} leaves".format)
def test_contributions_of_many_rows_are_those_one_by_one_to_the_last_bit(leaves: int) -> None:
    trees = small_trees(fitted(leaves))
    assert trees is not None
    rows = data(seed=5)[0][:200]
    rows[0], rows[1, 0] = np.nan, np.nan
    alone = np.array([trees.contributions(trees.patterns(row)) for row in rows])
    assert trees.contributions_of(rows).tobytes() == alone.tobytes()
    assert trees.contributions_of(rows[:0]).shape == (0, FEATURES)


def test_a_value_that_equals_a_threshold_goes_left_as_in_lightgbm() -> None:
    booster = fitted(7)
    trees = small_trees(booster)
    assert trees is not None
    table = booster.trees_to_dataframe().dropna(subset=["threshold"])
    rows = np.zeros((len(table), FEATURES))
    for row, (feature, threshold) in zip(rows, zip(table.split_feature, table.threshold, strict=True), strict=True):
        row[int(feature.removeprefix("Column_"))] = threshold
    expected = booster.predict(rows, pred_contrib=True, num_threads=1)[:, :-1]
    assert np.array([trees.contributions(trees.patterns(row)) for row in rows]) == pytest.approx(expected, abs=1e-9)


def test_a_tree_without_a_split_adds_to_the_base_alone() -> None:
    booster = fitted(7, rounds=1, min_data_in_leaf=5_000)
    trees = small_trees(booster)
    assert trees is not None
    assert trees.base == pytest.approx(booster.predict(np.zeros((1, FEATURES)), raw_score=True)[0])
    assert not trees.contributions(trees.patterns(np.zeros(FEATURES))).any()


@pytest.mark.parametrize(
    "booster",
    [
        pytest.param(lambda: fitted(MOST_SPLITS + 2), id="trees with more splits than a table holds"),
        pytest.param(lambda: fitted(7, zero_as_missing=True), id="zeros read as missing"),
        pytest.param(lambda: fitted(7, boosting="rf", bagging_freq=1, bagging_fraction=0.5), id="trees averaged"),
        pytest.param(lambda: fitted(7, categories=(1,)), id="splits by category"),
    ],
)
def test_other_trees_are_left_to_lightgbm(booster: Any) -> None:
    assert small_trees(booster()) is None
