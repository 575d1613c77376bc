"""What a USS sample is told from: what was said lately, slot by slot, how the reply fits, and how the dialogue went.

All of it is computed once a set, whatever the folds, and knows no rating.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from handoff.features import FEATURES
from handoff.models.encoder import Embeds
from handoff.models.escalation import Recent
from handoff.quality.reply_fit import fit_of
from handoff.quality.ridge import Ridge
from handoff.quality.settings import QualitySettings
from handoff.quality.texts import embeddings_of
from handoff.quality.turns import Turns, by_dialogue
from handoff.training.fit_slots import slot_table

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Singles = NDArray[np.float32]

INNER = 3
# N-grams by their strongest directions: 150, 250 and 400 were alike within .003 of AUC on SGD and CCPE.
DIRECTIONS = 250
# Of the ridge, chosen on SGD and CCPE in folds of whole dialogues, as is what behaviour weighs beside the texts.
PENALTY, BEHAVIOUR_WEIGHS = 50.0, 0.1
FARTHEST = 4.0  # standard deviations


@dataclass(frozen=True, slots=True)
class Inputs:
    """`behaviour` (n_turns, n_features) are the project's features that vary, named `names`; `fit` (n_turns, n_fit)
    how the newest reply fits, NaN before there is one; `ridge` reads the texts and both; `part` is the inner fold."""

    behaviour: Floats
    names: tuple[str, ...]
    fit: Floats
    ridge: Ridge
    part: Integers


def inputs_of(turns: Turns, settings: QualitySettings) -> Inputs:
    """The inputs of all samples of a set."""
    slots = slot_table(turns.recent)
    vectors = embeddings_of(slots.texts, settings)
    meaning = np.hstack([directions_of(slots.grams, settings.seed), vectors.encode(slots.texts)])
    varies = [at for at, feature in enumerate(FEATURES) if feature.family != "rating" and _varies(turns.X[:, at])]
    behaviour = turns.X[:, varies]
    fit = np.array([_fit(recent, vectors) for recent in turns.recent])
    numbers = BEHAVIOUR_WEIGHS * np.hstack([scaled(behaviour), scaled(fit)])
    part = by_dialogue(turns, settings.seed + 1, INNER)
    ridge = Ridge([*(slot @ meaning for slot in slots.slots), numbers.astype(np.float32)], part, PENALTY)
    return Inputs(behaviour, tuple(FEATURES[at].name for at in varies), fit, ridge, part)


def directions_of(grams: object, seed: int) -> Singles:
    """Texts along the strongest directions of their n-grams: array of shape (n_texts, at most 250)."""
    from sklearn.utils.extmath import randomized_svd

    count = min(DIRECTIONS, *(size - 1 for size in grams.shape))  # type: ignore[attr-defined]
    left, strength, _ = randomized_svd(grams, count, n_iter=2, random_state=seed)
    along: Singles = (left * strength).astype(np.float32)
    return along


def scaled(numbers: Floats) -> Floats:
    """Columns with mean 0 and deviation 1, large values drawn in, and beside them which ones are missing.

    Array of shape (n_rows, n_columns + n_columns with missing values); a missing value is 0.
    """
    missing = np.isnan(numbers)
    drawn_in = np.sign(numbers) * np.log1p(np.abs(numbers))
    centred = drawn_in - np.nanmean(drawn_in, axis=0)
    deviation = np.nanstd(drawn_in, axis=0)
    units = np.clip(centred / np.where(deviation > 0, deviation, 1), -FARTHEST, FARTHEST)
    return np.hstack([np.where(missing, 0, units), missing[:, missing.any(axis=0)]])


def _fit(recent: Recent, vectors: Embeds) -> Sequence[float]:
    bots = [message.text for message in recent if message.role != "customer"]
    people = [message.text for message in recent if message.role == "customer"]
    if not bots:
        return [np.nan] * len(fit_of("", (), (), vectors))
    return fit_of(bots[-1], bots[:-1], people, vectors)


def _varies(column: Floats) -> bool:
    return len(np.unique(column)) > 1  # NaN equals NaN here
