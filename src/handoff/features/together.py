"""Many conversations followed together: what their messages say is heard one by one, and all features are worked out at
once (`columns.py`), equal to the follower's to the last digit."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from operator import attrgetter, ne
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from handoff.features.columns import features
from handoff.features.follower import Follower, Moment, walk
from handoff.features.recorder import COLUMNS, Readings, Recorder, mask_all, next_reading, read_masked
from handoff.signals import Reading
from handoff.transcript import Conversation, Message

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]


class Followed(NamedTuple):
    """Conversations one after the other, all their messages in one row of numbers.

    `moments` are by conversation, each with what its message says (COLUMNS) as its `row`; `ends` (n_conversations,) are
    the places behind their last ones. In the order of the messages stand `features` (n_features, n_messages), and
    `starts` (n_messages,), whether an episode begins there.
    """

    moments: list[list[Moment]]
    ends: Integers
    features: Floats
    starts: Flags

    def rows(self, places: Sequence[int]) -> list[tuple[float, ...]]:
        """The feature rows right after the messages at these places."""
        return list(map(tuple, self.features[:, places].T.tolist()))


class _Following(Follower):
    """A conversation being followed whose messages have been read."""

    __slots__ = ("_readings",)

    def __init__(self, conversation: Conversation, readings: Readings) -> None:
        """`readings` are by role what its messages say, those of other conversations after it."""
        super().__init__(conversation.facts, conversation.locale, Recorder)
        self._readings = readings

    def _reading(self, message: Message) -> Reading | None:
        return next_reading(self._readings, message)


def may_be_followed(conversation: Conversation) -> bool:
    """Whether `follow_together` can follow it. A declined hand-off begins a second row of features, which it lacks."""
    return all(message.event != "declined" for message in conversation.messages)


def follow_together(conversations: Sequence[Conversation]) -> Followed:
    """Follow conversations that `may_be_followed`, which are not to be empty."""
    masked = mask_all(conversations)
    readings = read_masked(conversations, masked, keep=True)
    moments = [
        list(walk(conversation, messages, _Following(conversation, readings).add))
        for conversation, messages in zip(conversations, masked, strict=True)
    ]
    every = list(chain.from_iterable(moments))
    ends = np.cumsum([len(each) for each in moments])
    episodes = list(map(attrgetter("episode"), every))
    starts = np.array([True, *map(ne, episodes, episodes[1:])])
    starts[ends[:-1]] = True
    signals = np.fromiter(chain.from_iterable(map(attrgetter("row"), every)), np.float64, len(every) * len(COLUMNS))
    found = features(
        np.ascontiguousarray(signals.reshape(-1, len(COLUMNS)).T),
        np.array([moment.message.role == "customer" for moment in every]),
        starts,
        np.array(list(map(attrgetter("read"), every))),
    )
    return Followed(moments, ends, found, starts)
