"""What one message says, in numbers: a column a signal, from which `columns.py` makes the features of many
conversations at once. This is also what is kept on disk between two runs: numbers, no text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import compress

from handoff.features.follower import NAN, Course, Noted, Tracker, walk
from handoff.features.heard import Heard, Past
from handoff.features.signals import Signal
from handoff.features.table import FEATURES, Fact, Running, State
from handoff.signals import Reading, read_all
from handoff.transcript import Conversation, Customer, Message
from handoff.transcript.redact import mask_message, names_of

# Signals that are not merely the mention of a lexicon entry, in the order of the features over them.
SIGNALS: tuple[Signal, ...] = tuple(
    dict.fromkeys(f.source.signal for f in FEATURES if isinstance(f.source, Running) and f.source.signal.entry is None)
)
# Mentions: one bit each of one number, which a float holds exactly up to 52 of them.
MENTIONS: tuple[Signal, ...] = tuple(
    dict.fromkeys(f.source.signal for f in FEATURES if isinstance(f.source, Running) and f.source.signal.entry)
)
# Facts and states are features as they are.
KNOWN: tuple[str, ...] = tuple(f.name for f in FEATURES if isinstance(f.source, Fact | State))
COLUMNS: tuple[str, ...] = ("mentioned", *KNOWN, *(signal.name for signal in SIGNALS))

_FIRST_SIGNAL = 1 + len(KNOWN)
_NO_SIGNALS = [NAN] * len(SIGNALS)
_READS: dict[str, tuple[tuple[int, Callable[[Heard], float | None]], ...]] = {
    role: tuple((_FIRST_SIGNAL + k, s.read) for k, s in enumerate(SIGNALS) if s.role in (role, "any"))
    for role in ("customer", "assistant")
}
_BITS: dict[str, dict[str | None, float]] = {
    role: {s.entry: float(1 << k) for k, s in enumerate(MENTIONS) if s.role == role}
    for role in ("customer", "assistant")
}
_IS_KNOWN = [isinstance(f.source, Fact | State) for f in FEATURES]
_STATES = {f.source.attribute: 1 + KNOWN.index(f.name) for f in FEATURES if isinstance(f.source, State)}

# By role, what the messages say, in order.
Readings = Mapping[str, Iterator[Reading]]


class Recorder(Tracker):
    """Follows an episode as `Tracker` does; its rows are COLUMNS instead of FEATURES."""

    __slots__ = ()

    def __init__(self, facts: tuple[float, ...]) -> None:
        self.past = Past()
        self.started_at: datetime | None = None
        self.rating: float | None = None
        self._values = [0.0, *compress(facts, _IS_KNOWN), *_NO_SIGNALS]

    def hear(self, message: Message, reading: Reading) -> None:
        """Take in one customer or assistant message."""
        heard, values = self.past.hear(message, reading), self._values
        values[_FIRST_SIGNAL:] = _NO_SIGNALS
        for place, read in _READS[message.role]:
            value = read(heard)
            if value is not None:
                values[place] = value
        bits = _BITS[message.role]
        values[0] = sum(bits.get(entry, 0.0) for entry in heard.hits) if heard.hits else 0.0

    def row(self, now: datetime | None) -> tuple[float, ...]:
        """COLUMNS in order, NaN for missing: what the newest message that was heard says."""
        minutes = self.minutes_open(now)
        if minutes is not None:
            self._values[_STATES["minutes_open"]] = minutes
        if self.rating is not None:
            self._values[_STATES["rating"]] = self.rating
        return tuple(self._values)


class Recording(Course):
    """A conversation being followed for its columns alone: no texts, and nothing anew since a decline."""

    __slots__ = ("_readings",)

    def __init__(self, customer: Customer, readings: Readings) -> None:
        """`readings` are by role what the conversation's messages say, those of other conversations after it."""
        super().__init__(customer, Recorder)
        self._readings = readings

    def add(self, message: Message, *, rating: float | None = None, as_of: datetime | None = None) -> Noted:
        """Take in the next message, as `Follower.add` does; its row is COLUMNS."""
        is_read = self._advance(message, next_reading(self._readings, message), rating)
        row = self._episode.row(as_of or self._newest)
        return Noted(self._index, message, self._ownership.episode, is_read, row)


def record(conversations: Sequence[Conversation]) -> Iterator[list[Noted]]:
    """One `Noted` a message, conversation by conversation. Personal data is masked before anything reads the texts,
    which are read together."""
    masked = mask_all(conversations)
    readings = read_masked(conversations, masked)
    for conversation, messages in zip(conversations, masked, strict=True):
        yield list(walk(conversation, messages, Recording(conversation.facts, readings).add))


def mask_all(conversations: Sequence[Conversation]) -> list[list[Message]]:
    """The messages of each conversation, masked; nothing is remembered of them."""
    named = ((conversation.messages, names_of(conversation)) for conversation in conversations)
    return [[mask_message(message, names) for message in messages] for messages, names in named]


def read_masked(
    conversations: Sequence[Conversation], masked: Sequence[Sequence[Message]], *, keep: bool = False
) -> Readings:
    """What the messages of all conversations say, kept (`read_all`) for whoever comes with the same ones."""
    asked: dict[str, list[tuple[str, str | None]]] = {role: [] for role in _READS}
    for conversation, messages in zip(conversations, masked, strict=True):
        for message in messages:
            if message.role in asked:
                asked[message.role].append((message.text, conversation.locale))
    return {role: iter(read_all(texts, role, tone=role == "customer", keep=keep)) for role, texts in asked.items()}


def next_reading(readings: Readings, message: Message) -> Reading | None:
    """What the next message says; None where nothing asks for that."""
    of_role = readings.get(message.role)
    return None if of_role is None else next(of_role)
