"""The sum of a model's trees, and what each feature adds to it, looked up instead of worked out.

A tree of k splits sees of a row no more than k bits, "left" or "right" at each split. So its leaf, and the Shapley
values of its features, are worked out once for each of the 2^k patterns, when the model is loaded; a row then costs
one comparison a split and one look-up a tree: 0.05 ms for 300 trees of 7 leaves, where LightGBM's `pred_contrib` takes
0.35 to 2. A score costs a third of `Booster.predict` where other work lies between two calls, as in a service.

The Shapley values are `pred_contrib`'s to rounding, the path-dependent ones of Lundberg et al. (2020), "From local
explanations to global understanding with explainable AI for trees": a feature left out goes both ways, weighed by how
many training rows went there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Patterns = NDArray[np.uint8]

# With more the tables outgrow the time that they save: 2^8 patterns of 8 features are 16 KB a tree.
MOST_SPLITS = 8


class Split(msgspec.Struct, frozen=True):
    """A split of a tree. `missing_left`: where a missing value goes; `share_left`: of the training rows."""

    feature: int
    threshold: float
    missing_left: bool
    share_left: float
    left: Split | float
    right: Split | float


class SmallTrees:
    """Trees with few splits each. Rows hold the model's own columns, NaN for missing.

    `base` is the sum of the trees before any feature is looked at.
    """

    def __init__(self, trees: list[Split | float], features: int) -> None:
        """`trees` are the roots; a bare number is a tree without a split."""
        splits = [list(_splits(root)) for root in trees]
        bits = max([len(found) for found in splits], default=0)
        self._features, self._tree = features, np.arange(len(trees))
        # Eight places a tree, so that its bits pack into one byte; nothing is at most NaN.
        feature = np.zeros((len(trees), MOST_SPLITS), dtype=np.intp)
        self._threshold = np.full((len(trees), MOST_SPLITS), np.nan)
        missing_left = np.zeros((len(trees), MOST_SPLITS), dtype=bool)
        self._leaf = np.zeros((len(trees), 2**bits))
        self._shapley = np.zeros((len(trees), 2**bits, MOST_SPLITS))
        base = []
        for tree, (root, found) in enumerate(zip(trees, splits, strict=True)):
            for place, split in enumerate(found):
                feature[tree, place], self._threshold[tree, place] = split.feature, split.threshold
                missing_left[tree, place] = split.missing_left
            worth = _worth(root, found)
            self._leaf[tree, : len(worth)] = worth[:, -1]
            # A feature with two splits has its share at the first of them.
            self._shapley[tree, : len(worth), : len(found)] = _shapley(worth, found)
            base.append(float(worth[0, 0]))
        self._splits_on = feature.ravel()
        # Where each split reads in `patterns`: the first half goes left where a value is missing, the second right.
        self._column = np.where(missing_left, feature, feature + features)
        self.base = math.fsum(base)

    def patterns(self, row: Floats) -> Patterns:
        """Which splits send the row, array of shape (n_features,), to the left, as bits: array of shape (n_trees,)."""
        # fmax and fmin pass over a missing value.
        sided = np.concatenate((np.fmax(row, -np.inf), np.fmin(row, np.inf)))
        return np.packbits((sided.take(self._column) <= self._threshold).ravel(), bitorder="little")

    def log_odds(self, patterns: Patterns) -> float:
        """The sum of the trees for a row's `patterns`, LightGBM's to the last bit."""
        # One tree after the other, as LightGBM adds them up; a sum would pair them.
        return float(np.add.accumulate(self._leaf[self._tree, patterns])[-1])

    def contributions(self, patterns: Patterns) -> Floats:
        """What each feature adds to `base` for a row's `patterns`: array of shape (n_features,)."""
        parts = self._shapley[self._tree, patterns]
        sums: Floats = np.bincount(self._splits_on, parts.ravel(), self._features).astype(np.float64, copy=False)
        return sums

    def contributions_of(self, rows: Floats) -> Floats:
        """The same of many rows, array of shape (n_rows, n_features), as are these; added up in the same order."""
        sided = np.concatenate((np.fmax(rows, -np.inf), np.fmin(rows, np.inf)), axis=1)
        goes_left = sided.take(self._column, axis=1) <= self._threshold
        patterns = np.packbits(goes_left.reshape(len(rows), self._column.size), axis=1, bitorder="little")
        parts = self._shapley[self._tree, patterns]
        places = self._features * np.arange(len(rows))[:, None] + self._splits_on
        sums = np.bincount(places.ravel(), parts.ravel(), self._features * len(rows))
        return sums.astype(np.float64, copy=False).reshape(len(rows), self._features)


def small_trees(booster: Any) -> SmallTrees | None:
    """The trees of a LightGBM booster; None where they are not small, or are of another kind than ours."""
    model = booster.dump_model()
    infos = model["tree_info"]
    if model["num_tree_per_iteration"] != 1 or model["average_output"] or not infos:
        return None
    if any(info["num_leaves"] > MOST_SPLITS + 1 or info["num_cat"] for info in infos):
        return None
    try:
        return SmallTrees([_read(info["tree_structure"]) for info in infos], booster.num_feature())
    except NotImplementedError:
        return None


def _read(node: dict[str, Any]) -> Split | float:
    if "leaf_value" in node:
        return float(node["leaf_value"])
    if node["decision_type"] != "<=" or node["missing_type"] == "Zero":
        raise NotImplementedError
    threshold = float(node["threshold"])
    left, right = _count(node["left_child"]), _count(node["right_child"])
    return Split(
        feature=node["split_feature"],
        threshold=threshold,
        # Where no training row lacked the feature, LightGBM reads a missing one as 0.
        missing_left=bool(node["default_left"]) if node["missing_type"] == "NaN" else threshold >= 0,
        share_left=left / (left + right),
        left=_read(node["left_child"]),
        right=_read(node["right_child"]),
    )


def _count(node: dict[str, Any]) -> int:
    return int(node["leaf_count"] if "leaf_value" in node else node["internal_count"])


def _splits(node: Split | float) -> Iterator[Split]:
    if isinstance(node, Split):
        yield node
        yield from _splits(node.left)
        yield from _splits(node.right)


def _worth(root: Split | float, splits: list[Split]) -> Floats:
    """What the tree says for each pattern of its splits when only some of its features are known.

    Array of shape (2^n_splits, 2^n_features): bit i of a pattern is split i, bit j of a subset is feature j.
    """
    features = list(dict.fromkeys(split.feature for split in splits))
    patterns, subsets = np.arange(2 ** len(splits))[:, None], np.arange(2 ** len(features))[None, :]
    place = {id(split): i for i, split in enumerate(splits)}

    def worth(node: Split | float) -> Floats:
        if not isinstance(node, Split):
            return np.full((1, 1), node)
        left, right = worth(node.left), worth(node.right)
        goes_left = (patterns >> place[id(node)]) & 1 == 1
        known = (subsets >> features.index(node.feature)) & 1 == 1
        both = node.share_left * left + (1 - node.share_left) * right
        found: Floats = np.where(known, np.where(goes_left, left, right), both)
        return found

    return np.broadcast_to(worth(root), (patterns.size, subsets.size))


def _shapley(worth: Floats, splits: list[Split]) -> Floats:
    """Shapley values from `_worth`: array of shape (2^n_splits, n_splits), each feature's at its first split."""
    features = list(dict.fromkeys(split.feature for split in splits))
    n = len(features)
    subsets = np.arange(2**n)
    sizes = np.array([int(subset).bit_count() for subset in subsets])
    first = {feature: next(i for i, s in enumerate(splits) if s.feature == feature) for feature in features}
    weights = np.zeros((2**n, len(splits)))
    for j, feature in enumerate(features):
        inside = (subsets >> j) & 1 == 1
        others = sizes - inside
        share = np.array([1 / (n * math.comb(n - 1, int(k))) for k in others])
        weights[:, first[feature]] = np.where(inside, share, -share)
    return worth @ weights
