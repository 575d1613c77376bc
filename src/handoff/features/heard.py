"""What a message says in its place: its reading, and what only the recent past can tell.

The past is kept short (the last 8 messages a side, the last 12 words of a split sentence), so that the cost of
a message does not depend on the length of the conversation.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from handoff.signals import Reading, denied, similarity, spanning
from handoff.transcript import Message

LOOK_BACK = 8  # messages of the same side that a repetition is looked for in (issue: "the last 8 customer messages")
TAIL_WORDS = 12  # words kept of a customer's unfinished run of messages


class Heard(msgspec.Struct, frozen=True):
    """One message in its place. Missing is None.

    `hits` are the lexicon entries that the message matches, alone or joined to the same customer's messages
    just before it; `repetition` is the likeness (0 to 1) to the most alike of the side's last 8 messages;
    `gap_seconds` the time since the message before, whoever wrote it; `run` the number of messages in a row
    by this side, this one included.
    """

    message: Message
    reading: Reading
    hits: frozenset[str]
    repetition: float | None
    gap_seconds: float | None
    run: int


class Past(msgspec.Struct):
    """The short memory of one episode. `hear` moves it on by one message."""

    customer: list[frozenset[str]] = msgspec.field(default_factory=list)
    assistant: list[frozenset[str]] = msgspec.field(default_factory=list)
    tail: tuple[str, ...] = ()
    newest: datetime | None = None
    role: str = ""
    run: int = 0

    def hear(self, message: Message, reading: Reading) -> Heard:
        """Place one customer or assistant message after those heard before."""
        self.run = self.run + 1 if message.role == self.role else 1
        hits = frozenset(reading.hits)
        if message.role == "customer":
            if self.run > 1 and self.tail:
                if hits:
                    hits -= denied(self.tail, reading.words, hits, "customer")
                hits |= spanning(self.tail, reading.words, "customer").keys()
                self.tail = (*self.tail, *reading.words)[-TAIL_WORDS:]
            else:
                self.tail = reading.words[-TAIL_WORDS:]
        heard = Heard(message, reading, hits, self._repetition(message.role, reading), self._gap(message), self.run)
        self.role = message.role
        return heard

    def _repetition(self, role: str, reading: Reading) -> float | None:
        before = self.customer if role == "customer" else self.assistant
        content = reading.content
        if not content:
            return None
        # Those that share nothing are not alike at all.
        alike = [similarity(content, other) for other in before if not content.isdisjoint(other)]
        likeness = max(alike, default=0.0) if before else None
        before.append(content)
        del before[:-LOOK_BACK]
        return likeness

    def _gap(self, message: Message) -> float | None:
        """Seconds since the newest message; a small step back in time counts as none."""
        before, now = self.newest, message.sent_at
        if now is None:
            return None
        self.newest = now if before is None else max(before, now)
        return None if before is None else max(0.0, (now - before).total_seconds())
