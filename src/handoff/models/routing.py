"""Which team should take it: sentence embeddings and a few features to team probabilities, or "unsure"."""

from __future__ import annotations

import functools
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
from handoff.models.encoder import Embeds, Encoder
from handoff.models.manifest import WEIGHTS_FILE, Manifest, columns

Floats = NDArray[np.float64]

# A message counts by its words, but a long one not without end: "help" says less than a sentence,
# a pasted log of 300 words not fifteen times as much.
MOST_WORDS = 20
CACHED_TEXTS = 10_000


class Weights(msgspec.Struct, frozen=True):
    """Of a multinomial logistic regression on [embedding, standardised features].

    `coefficients` has shape (n_teams, n_dimensions + n_features), the others fit to it.
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

    def __init__(self, manifest: Manifest, weights: Weights, encoder: Encoder) -> None:
        self.manifest, self.weights, self.encoder = manifest, weights, encoder
        self.columns = np.array(columns(manifest, FEATURE_NAMES, FEATURES_VERSION), dtype=np.intp)
        self._of_meaning, self._of_features = np.split(weights.coefficients.T, [encoder.dimensions])
        self._said = functools.lru_cache(maxsize=CACHED_TEXTS)(self._read)

    @classmethod
    def load(cls, folder: Path, manifest: Manifest, encoder: Encoder) -> RoutingModel:
        """The model in `folder`. Raises `BadModel` when its arrays are missing or do not fit each other."""
        weights = read_weights(folder / WEIGHTS_FILE)
        shape = (len(manifest.teams), encoder.dimensions + len(manifest.features))
        if weights.coefficients.shape != shape or weights.intercepts.shape != shape[:1]:
            raise BadModel(f"{folder / WEIGHTS_FILE}: coefficients {weights.coefficients.shape}; expected {shape}")
        if not weights.means.shape == weights.scales.shape == (len(manifest.features),):
            raise BadModel(
                f"{folder / WEIGHTS_FILE}: {weights.means.shape[0]} means for {len(manifest.features)} features"
            )
        return cls(manifest, weights, encoder)

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
        scores = self.scores([moment])[0]
        ranked = {self.teams[i]: float(scores[i]) for i in np.argsort(-scores, kind="stable")}
        team, highest = next(iter(ranked.items()))
        from_ = self.manifest.certain_from
        return Route(team, from_ is not None and highest >= from_, ranked)

    def scores(self, moments: Sequence[Moment]) -> Floats:
        """Calibrated probabilities: array of shape (n_moments, n_teams), teams in the manifest's order."""
        rows = np.asarray([moment.row for moment in moments], dtype=np.float64)[:, self.columns]
        said = np.array([self._meant(moment.customer_texts) for moment in moments])
        logits = said + standardised(rows, self.weights) @ self._of_features + self.weights.intercepts
        return softmax(logits / (self.manifest.temperature or 1.0))

    def _meant(self, texts: Sequence[str]) -> Floats:
        """What `pooled` of the texts adds to each team's logit: array of shape (n_teams,). The mean of vectors times a
        matrix is the mean of their products, and a product is remembered with its text."""
        total, words = np.zeros(len(self.teams)), 0
        for text in texts:
            logits, weight = self._said(text)
            total += logits
            words += weight
        return total / words if words else total

    def _read(self, text: str) -> tuple[Floats, int]:
        """A text's part of the logits, times its weight; and that weight."""
        weight = weight_of(text)
        return weight * (self.encoder.encode([text])[0].astype(np.float64) @ self._of_meaning), weight


def pooled(encoder: Embeds, moments: Sequence[Moment]) -> Floats:
    """Mean embedding of each moment's customer texts, weighted by their words (20 at most).

    Array of shape (n_moments, dimensions); zeros where the customer has written no word.
    """
    vectors = np.zeros((len(moments), encoder.dimensions))
    for row, moment in enumerate(moments):
        words = np.array([weight_of(text) for text in moment.customer_texts], dtype=np.float64)
        if words.sum() > 0:
            vectors[row] = words @ encoder.encode(moment.customer_texts) / words.sum()
    return vectors


def weight_of(text: str) -> int:
    """How much a text counts in the mean: its words, 20 at most."""
    return min(len(text.split()), MOST_WORDS)


def standardised(rows: Floats, weights: Weights) -> Floats:
    """Features around 0 with spread 1; a missing one counts as average, which moves no team."""
    filled: Floats = (rows - weights.means) / weights.scales
    filled[np.isnan(filled)] = 0.0
    return filled


def softmax(logits: Floats) -> Floats:
    """Probabilities along the last axis."""
    odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares: Floats = odds / odds.sum(axis=-1, keepdims=True)
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
