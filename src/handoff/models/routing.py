"""Which team should take it: what the customer wrote and a few features to team probabilities, or "unsure"."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from handoff.errors import BadModel
from handoff.features import FEATURE_NAMES, FEATURES_VERSION
from handoff.features.follower import Moment
from handoff.models.encoder import Encoder
from handoff.models.manifest import WEIGHTS_FILE, WORDING_FILE, Manifest, columns
from handoff.models.wording import Wording, read_wording

Floats = NDArray[np.float64]

# A message counts by its words, but a long one not without end: "help" says less than a sentence,
# a pasted log of 300 words not fifteen times as much.
MOST_WORDS = 20


class Weights(msgspec.Struct, frozen=True):
    """What the standardised features add to each team's logit, beside the wording.

    `coefficients` has shape (n_teams, n_features), the others fit to it.
    """

    coefficients: Floats
    intercepts: Floats
    means: Floats
    scales: Floats


class Route(msgspec.Struct, frozen=True):
    """The most probable team, whether that is `certain`, and every team's probability, highest first."""

    team: str
    certain: bool
    probabilities: dict[str, float]


class RoutingModel:
    """A trained routing model."""

    def __init__(self, manifest: Manifest, weights: Weights, wording: Wording) -> None:
        """`wording` gives each text a score a team, from its n-grams and its embedding."""
        self.manifest, self.weights, self.wording = manifest, weights, wording
        self.columns = np.array(columns(manifest, FEATURE_NAMES, FEATURES_VERSION), dtype=np.intp)

    @classmethod
    def load(cls, folder: Path, manifest: Manifest, encoder: Encoder) -> RoutingModel:
        """The model in `folder`. Raises `BadModel` when its arrays are missing or do not fit each other."""
        weights = read_weights(folder / WEIGHTS_FILE)
        shape = (len(manifest.teams), len(manifest.features))
        if weights.coefficients.shape != shape or weights.intercepts.shape != shape[:1]:
            raise BadModel(f"{folder / WEIGHTS_FILE}: coefficients {weights.coefficients.shape}; expected {shape}")
        if not weights.means.shape == weights.scales.shape == (len(manifest.features),):
            raise BadModel(
                f"{folder / WEIGHTS_FILE}: {weights.means.shape[0]} means for {len(manifest.features)} features"
            )
        wording = read_wording(folder / WORDING_FILE, encoder)
        if wording.coefficients.scores != len(manifest.teams):
            raise BadModel(
                f"{folder / WORDING_FILE}: {wording.coefficients.scores} scores a text; expected {len(manifest.teams)}"
            )
        return cls(manifest, weights, wording)

    @property
    def label(self) -> str:
        """As answers name it: "routing/4"."""
        return self.manifest.label

    @property
    def teams(self) -> tuple[str, ...]:
        return self.manifest.teams

    def probabilities(self, moment: Moment) -> dict[str, float]:
        """Team to calibrated probability, highest first; they sum to 1."""
        return self.route(moment).probabilities

    def route(self, moment: Moment) -> Route:
        """The most probable team at `moment`; not `certain` below the manifest's `certain_from`."""
        scores = self._scores(moment)
        told = scores.tolist()
        ranked = {self.teams[i]: told[i] for i in (-scores).argsort(kind="stable").tolist()}
        team, highest = next(iter(ranked.items()))
        from_ = self.manifest.certain_from
        return Route(team, from_ is not None and highest >= from_, ranked)

    def learn(self, moments: Sequence[Moment]) -> None:
        """Have the wording of what the customers said read together, for less than when each moment is asked about."""
        self.wording.learn(text for moment in moments for text in moment.customer_texts)

    def scores(self, moments: Sequence[Moment]) -> Floats:
        """Calibrated probabilities: array of shape (n_moments, n_teams), teams in the manifest's order."""
        return np.array([self._scores(moment) for moment in moments]).reshape(len(moments), len(self.teams))

    def _scores(self, moment: Moment) -> Floats:
        weights = self.weights
        row = standardised(np.array(moment.row)[self.columns], weights.means, weights.scales)
        logits = self._said(moment.customer_texts) + weights.coefficients @ row + weights.intercepts
        return softmax(logits / (self.manifest.temperature or 1.0))

    def _said(self, texts: Sequence[str]) -> Floats:
        """What the texts add to each team's logit: array of shape (n_teams,). The mean of texts' features times a
        matrix is the mean of their scores, and a score is remembered with its text."""
        said: Floats = shares(texts) @ self.wording.scores(texts)
        return said


def shares(texts: Sequence[str]) -> Floats:
    """How much each text counts in their mean: array of shape (n_texts,), by its words, 20 at most.

    They sum to 1, or are zeros where no text has a word.
    """
    words = [min(MOST_WORDS, len(text.split(maxsplit=MOST_WORDS))) for text in texts]
    return np.array(words, dtype=np.float64) / (sum(words) or 1)


def standardised(rows: Floats, means: Floats, scales: Floats) -> Floats:
    """Features around 0 with spread 1; a missing one counts as average, which moves no team."""
    filled: Floats = (rows - means) / scales
    filled[np.isnan(filled)] = 0.0
    return filled


def softmax(logits: Floats) -> Floats:
    """Probabilities along the last axis."""
    odds = np.exp(logits - np.maximum.reduce(logits, axis=-1, keepdims=True))
    shares: Floats = odds / np.add.reduce(odds, axis=-1, keepdims=True)
    return shares


def read_weights(path: Path) -> Weights:
    """The arrays of `weights.npz`; never unpickles. Raises `BadModel` when they cannot be read."""
    try:
        # From memory: given a path to a broken archive, NumPy leaves the file open.
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
            found = {name: np.asarray(arrays[name], dtype=np.float64) for name in Weights.__struct_fields__}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise BadModel(f"{path}: cannot be read ({error}); train again") from error
    if not all(np.isfinite(array).all() for array in found.values()):
        raise BadModel(f"{path}: holds numbers that are not finite; train again")
    return Weights(**found)


def weights_bytes(weights: Weights) -> bytes:
    """The arrays as an .npz file."""
    buffer = io.BytesIO()
    np.savez(buffer, **msgspec.structs.asdict(weights))
    return buffer.getvalue()
