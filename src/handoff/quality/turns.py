"""USS as samples: what was known before each rated turn, how it was rated, and which fold it is in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from handoff.features import FEATURE_NAMES
from handoff.features.follower import Moment, follow
from handoff.formats.record import Found
from handoff.formats.uss import read_ratings, read_uss
from handoff.models.escalation import Recent

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

FOLDS = 10
# Dissatisfied is a rating below 3; satisfied, one above.
MIDDLE = 3


@dataclass(frozen=True, slots=True)
class Turns:
    """The samples of a set in file order. `X` and `recent` are what was known before the turn; `rating` is what most
    raters gave and `shares` (n_turns, 2) how many of them gave less than 3 and more; `overall` marks the rows that rate
    a whole dialogue. Arrays have one entry a sample."""

    X: Floats
    recent: tuple[Recent, ...]
    rating: Integers
    shares: Floats
    dialogue: Integers
    overall: Mask

    def __len__(self) -> int:
        return len(self.rating)

    @property
    def dissatisfied(self) -> Mask:
        """Which turns most raters gave less than 3."""
        return self.rating < MIDDLE


def read_turns(path: Path) -> Turns:
    """Every rated user turn with what was said before it, and the OVERALL row with all that was said."""
    nothing = (tuple([np.nan] * len(FEATURE_NAMES)), ())
    seen: list[tuple[tuple[float, ...], Recent]] = []
    facts: list[tuple[int, int, bool]] = []
    for dialogue, record in enumerate(read_uss(path)):
        assert isinstance(record, Found), f"{path}: dialogue {dialogue} cannot be read"
        before: Moment | None = None
        for moment in follow(record.conversation):
            if moment.message.role == "customer" and moment.message.satisfaction is not None:
                seen.append(nothing if before is None else (before.row, before.recent))
                facts.append((int(moment.message.satisfaction), dialogue, False))
            before = moment
        if record.conversation.satisfaction is not None and before is not None:
            seen.append((before.row, before.recent))
            facts.append((int(record.conversation.satisfaction), dialogue, True))
    rating, of, overall = np.array(facts, dtype=np.int64).T
    X = without_ratings(np.array([row for row, _ in seen]))
    shares = np.array([_shares(given) for given in read_ratings(path)])
    assert len(shares) == len(rating), f"{path}: {len(shares)} rows are rated, {len(rating)} samples were read"
    return Turns(X, tuple(recent for _, recent in seen), rating, shares, of, overall.astype(bool))


def _shares(given: tuple[int, ...]) -> tuple[float, float]:
    """How many of the raters gave less than 3, and more."""
    return sum(each < MIDDLE for each in given) / len(given), sum(each > MIDDLE for each in given) / len(given)


def without_ratings(X: Floats) -> Floats:
    """The rows with every rating missing: what users rated before all but tells what they rate next."""
    hidden = X.copy()
    hidden[:, FEATURE_NAMES.index("rating")] = np.nan
    return hidden


def contiguous(count: int) -> Integers:
    """Ten folds in file order: array of shape (count,)."""
    return np.arange(count) * FOLDS // count


def by_dialogue(turns: Turns, seed: int, folds: int = FOLDS) -> Integers:
    """Folds of whole dialogues, dealt at random: array of shape (n_turns,)."""
    dealt = np.random.default_rng(seed).permutation(int(turns.dialogue.max()) + 1) % folds
    return dealt[turns.dialogue].astype(np.int64)


def torn(turns: Turns, fold: Integers) -> list[int]:
    """The dialogues that are in more than one fold: their turns are all but duplicates of each other."""
    return [d for d in np.unique(turns.dialogue).tolist() if len(np.unique(fold[turns.dialogue == d])) > 1]
