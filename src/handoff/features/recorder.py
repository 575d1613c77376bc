"""What one message says, in numbers: a column a signal, from which `columns.py` makes the features of many
conversations at once. This is also what is kept on disk between two runs: numbers, no text.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from itertools import compress

from handoff.features.follower import NAN, Tracker
from handoff.features.heard import Heard, Past
from handoff.features.signals import Signal
from handoff.features.table import FEATURES, Fact, Running, State
from handoff.signals import Reading
from handoff.transcript import Message

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


class Recorder(Tracker):
    """Follows an episode as `Tracker` does; its rows are COLUMNS instead of FEATURES."""

    __slots__ = ()

    def __init__(self, facts: tuple[float, ...]) -> None:
        self.past = Past()
        self.started_at: datetime | None = None
        self.rating: float | None = None
        self._values = [0.0, *compress(facts, _IS_KNOWN), *[NAN] * len(SIGNALS)]

    def hear(self, message: Message, reading: Reading) -> None:
        """Take in one customer or assistant message."""
        heard, values = self.past.hear(message, reading), self._values
        values[_FIRST_SIGNAL:] = [NAN] * len(SIGNALS)
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
