"""When a row of scores raises an alarm: how many in a row it takes, what is enough at once, and when it falls back.

A single score over the cut is often noise. So a trigger may ask for several in a row, let one very high score do
at once, and keep an alarm up until the score is clearly below the cut. It looks back over `WINDOW` scores and no
further, so that whoever knows those needs no state: a service, a replay and an evaluation come to the same alarm.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

# As rules do: 0.80 - 0.10 is the 0.70 that it looks like.
DECIMALS = 6

# Scores that an alarm can rest on; one that went up with older ones comes down.
WINDOW = 16


class Trigger(msgspec.Struct, frozen=True, kw_only=True):
    """An alarm goes up with `in_a_row` scores of at least `cut`, or with one of at least `at_once` (None: never),
    and comes down with a score more than `fall_back` below the cut. Raises ValueError for settings without sense."""

    cut: float
    in_a_row: int = 1
    at_once: float | None = None
    fall_back: float = 0.0

    def __post_init__(self) -> None:
        if not 1 <= self.in_a_row <= WINDOW:
            raise ValueError(f"in_a_row is {self.in_a_row}; expected 1 to {WINDOW}")
        if self.fall_back < 0:
            raise ValueError(f"fall_back is {self.fall_back}; expected 0 or more")

    @property
    def floor(self) -> float:
        """The lowest score at which an alarm stays up."""
        return round(self.cut - self.fall_back, DECIMALS)


# One score of at least the cut, and down with the first below it.
PLAIN = Trigger(cut=0.5)


def strength(scores: Sequence[float | None], trigger: Trigger) -> list[float]:
    """The highest cut at which an alarm would go up with each message; minus infinity where no cut would do.

    That is the lowest of the last `in_a_row` scores, and infinity at `at_once`. Messages without a score are passed
    over: they neither help nor break a row. The cut itself plays no part, so that all cuts can be tried at once.
    """
    found: list[float] = []
    recent: list[float] = []
    for score in scores:
        if score is None:
            found.append(-math.inf)
            continue
        recent = [*recent, round(score, DECIMALS)][-trigger.in_a_row :]
        enough_at_once = trigger.at_once is not None and recent[-1] >= trigger.at_once
        row = min(recent) if len(recent) == trigger.in_a_row else -math.inf
        found.append(math.inf if enough_at_once else row)
    return found


def raised(scores: Sequence[float | None], trigger: Trigger) -> tuple[bool, ...]:
    """Whether the alarm is up after each message. A message without a score leaves it as it was."""
    states: list[bool] = []
    rests_on, number, up = -WINDOW, -1, False
    for score, reached in zip(scores, strength(scores, trigger), strict=True):
        if score is not None:
            number += 1
            if reached >= trigger.cut:
                row = 1 if math.isinf(reached) else trigger.in_a_row
                rests_on = max(rests_on, number - row + 1)
            elif round(score, DECIMALS) < trigger.floor:
                rests_on = -WINDOW
            up = rests_on >= 0 and number - rests_on < WINDOW
        states.append(up)
    return tuple(states)


def is_up(scores: Sequence[float], trigger: Trigger) -> bool:
    """Whether the alarm is up after the last of the scores."""
    return bool(scores) and may_be_up(scores[-1], trigger) and raised(scores[-WINDOW:], trigger)[-1]


def may_be_up(score: float, trigger: Trigger) -> bool:
    """Whether the alarm can be up after this score, whatever came before it. Most conversations are calm: their newest
    score settles them."""
    at_once = math.inf if trigger.at_once is None else trigger.at_once
    return round(score, DECIMALS) >= min(trigger.floor, at_once)
