"""How likely is it that this episode still needs a human: a LightGBM model with calibrated probabilities.

Its trees see running features and what a linear model says of the wording of the newest messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from handoff.calibration import NONE, Calibration
from handoff.errors import BadModel
from handoff.features import FEATURE_NAMES, FEATURES_VERSION
from handoff.features.follower import Moment
from handoff.models.manifest import BOOSTER_FILE, WORDING_FILE, Manifest, columns
from handoff.models.slots import SLOTS, WORDING_NAMES, wording_columns, wording_row
from handoff.models.trees import Patterns, SmallTrees, small_trees
from handoff.models.wording import Wording, read_wording
from handoff.transcript import Message

Floats = NDArray[np.float64]

# So many rows are scored from tables; more by LightGBM, to the same bit.
FEW_ROWS = 16
Recent = tuple[Message, ...]


class Contribution(msgspec.Struct, frozen=True):
    """What one feature adds to the raw log-odds; `value` is NaN where the feature is missing."""

    feature: str
    value: float
    weight: float


class _Seen(msgspec.Struct, frozen=True):
    """A moment as the trees see it: their columns, array of shape (n_columns,), and where these send them."""

    moment: Moment
    columns: Floats
    patterns: Patterns


class EscalationModel:
    """A trained escalation model. It is asked about moments; of their rows it picks its own columns."""

    def __init__(self, manifest: Manifest, booster: Any, wording: Wording | None = None) -> None:
        self.manifest, self._booster, self._wording = manifest, booster, wording
        self._calibration: Calibration = manifest.calibration or NONE
        self.columns = np.array(columns(manifest, FEATURE_NAMES, FEATURES_VERSION, WORDING_NAMES), dtype=np.intp)
        self._small_trees = small_trees(booster)
        self._newest: _Seen | None = None

    @classmethod
    def load(cls, folder: Path, manifest: Manifest) -> EscalationModel:
        """The model in `folder`. Raises `BadModel` when LightGBM cannot read it or its columns are others."""
        booster = _booster(folder / BOOSTER_FILE)
        trained_on = tuple(booster.feature_name())
        if trained_on != manifest.features:
            raise BadModel(f"{folder / BOOSTER_FILE}: columns {trained_on}; the manifest says {manifest.features}")
        return cls(manifest, booster, _wording(folder, manifest))

    @property
    def label(self) -> str:
        """As answers name it: "escalation/7"."""
        return self.manifest.label

    def log_odds(self, moments: Sequence[Moment]) -> Floats:
        """Raw log-odds before calibration: array of shape (n_moments,)."""
        if self._small_trees is None or len(moments) > FEW_ROWS:
            return self.log_odds_of(*_table(moments))
        return np.array(
            [self._small_trees.log_odds(self._see(moment, self._small_trees).patterns) for moment in moments]
        )

    def log_odds_of(self, rows: Floats, recent: Sequence[Recent]) -> Floats:
        """The same from a table: full rows, array of shape (n_rows, n_features), and each row's recent messages."""
        if not len(rows):
            return np.empty(0)
        return self._predict(self._inputs(rows, recent), raw_score=True).reshape(-1)

    def probabilities(self, moments: Sequence[Moment]) -> Floats:
        """Calibrated probabilities: array of shape (n_moments,)."""
        return self._calibration.probabilities(self.log_odds(moments))

    def probabilities_of(self, rows: Floats, recent: Sequence[Recent]) -> Floats:
        """The same from a table, as `log_odds_of`."""
        return self._calibration.probabilities(self.log_odds_of(rows, recent))

    def learn(self, moments: Sequence[Moment]) -> None:
        """Have the wording of what was said last read together, for less than when each moment is asked about."""
        if self._wording is not None:
            self._wording.learn(message.text for moment in moments for message in moment.recent)

    def contributions(self, moment: Moment) -> tuple[Contribution, ...]:
        """What each feature adds to the raw log-odds, largest first, without those that add nothing; with `base` they
        sum to it.

        Costs 0.05 ms for 300 small trees, 2 ms where trees are too large for `small_trees`.
        """
        columns, weights = self._weighed(moment)
        return self._told(columns.tolist(), weights.tolist())

    def contributions_of(self, moments: Sequence[Moment]) -> list[tuple[Contribution, ...]]:
        """The same of many moments, for less than one by one."""
        columns = self.inputs(moments)
        trees = self._small_trees
        weights = (
            self._predict(columns, pred_contrib=True)[:, :-1] if trees is None else trees.contributions_of(columns)
        )
        return list(map(self._told, columns.tolist(), weights.tolist()))

    def _told(self, values: list[float], added: list[float]) -> tuple[Contribution, ...]:
        names = self.manifest.features
        order = sorted([i for i, weight in enumerate(added) if weight], key=added.__getitem__, reverse=True)
        return tuple([Contribution(names[i], values[i], added[i]) for i in order])

    def _weighed(self, moment: Moment) -> tuple[Floats, Floats]:
        """What the trees see of the moment, and what each column adds: two arrays of shape (n_columns,)."""
        if self._small_trees is None:
            columns = self.inputs([moment])
            return columns[0], self._predict(columns, pred_contrib=True)[0, :-1]
        seen = self._see(moment, self._small_trees)
        return seen.columns, self._small_trees.contributions(seen.patterns)

    def _see(self, moment: Moment, trees: SmallTrees) -> _Seen:
        """The newest is remembered: whoever asks for a moment's score may ask for its explanation."""
        seen = self._newest
        if seen is None or seen.moment is not moment:
            columns = np.array(moment.row)[self.columns]
            if self._wording is not None:
                columns = np.concatenate((columns, wording_row(self._wording, moment.recent)))
            seen = self._newest = _Seen(moment, columns, trees.patterns(columns))
        return seen

    @property
    def base(self) -> float:
        """Raw log-odds before any feature is looked at, which `contributions` start from."""
        if self._small_trees is not None:
            return self._small_trees.base
        missing = np.full((1, len(self.manifest.features)), np.nan)
        return float(self._predict(missing, pred_contrib=True)[0, -1])

    def inputs(self, moments: Sequence[Moment]) -> Floats:
        """The model's own columns: array of shape (n_moments, n_columns), in the manifest's order, NaN for missing."""
        return self._inputs(*_table(moments)) if moments else np.empty((0, len(self.manifest.features)))

    def _inputs(self, rows: Floats, recent: Sequence[Recent]) -> Floats:
        """What the trees see: array of shape (n_rows, n_columns), NaN for missing."""
        if rows.ndim != 2 or rows.shape[1] != len(FEATURE_NAMES) or len(rows) != len(recent):
            raise ValueError(
                f"rows have shape {rows.shape}, recent messages {len(recent)}; "
                f"expected (n, {len(FEATURE_NAMES)}), features in their order, and n"
            )
        picked = rows[:, self.columns]
        if self._wording is None:
            return np.ascontiguousarray(picked)
        return np.hstack([picked, wording_columns(self._wording, recent)])

    def _predict(self, inputs: Floats, **kind: bool) -> Floats:
        # With its default threads one row takes 0.05 ms or 8 ms, by chance; with one it is always 0.05 ms.
        predicted: Floats = self._booster.predict(inputs, num_threads=1, **kind)
        return predicted


def _table(moments: Sequence[Moment]) -> tuple[Floats, list[Recent]]:
    """The moments as a table: rows and recent messages."""
    rows = np.array([moment.row for moment in moments], dtype=np.float64)
    return rows, [moment.recent for moment in moments]


def _wording(folder: Path, manifest: Manifest) -> Wording | None:
    """The model of wordings, where the manifest's last columns are its own."""
    if not set(manifest.features) & set(WORDING_NAMES):
        return None
    if manifest.features[-len(WORDING_NAMES) :] != WORDING_NAMES or WORDING_FILE not in manifest.files:
        raise BadModel(f"{folder}: expected {WORDING_FILE} and {', '.join(WORDING_NAMES)} as last columns; train again")
    wording = read_wording(folder / WORDING_FILE, None)
    if wording.coefficients.scores != SLOTS:
        raise BadModel(f"{folder / WORDING_FILE}: {wording.coefficients.scores} scores a text; expected {SLOTS}")
    return wording


def _booster(path: Path) -> Any:
    import lightgbm

    try:
        return lightgbm.Booster(model_file=str(path))
    except lightgbm.basic.LightGBMError as error:
        raise BadModel(f"{path}: LightGBM cannot read it ({error}); train again") from error
