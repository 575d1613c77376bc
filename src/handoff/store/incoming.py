"""A message on its way into a conversation: checked, masked, given its id and place, or recognised."""

from __future__ import annotations

import os
import uuid
from collections.abc import Sequence
from datetime import datetime
from hashlib import blake2b

import msgspec

from handoff.errors import BadRecord, Conflict, Problem
from handoff.store.conversations import Entry, Header, Kept, Known
from handoff.store.facts import UNKNOWN, Facts, fit, masked, merged, name_in, without_personal_data
from handoff.transcript import Message

MOST_KEY_CHARACTERS = 200
# Before a key that is made up here.
MADE = "made:"
# Of this process: nobody can try out what was said.
_DIGEST_KEY = os.urandom(32)


def made_key() -> str:
    """A key for a message whose caller has given it neither an id nor a key."""
    return f"{MADE}{uuid.uuid4().hex}"


class Mark(msgspec.Struct, frozen=True):
    """What a message is known by when it comes again: its id, its caller's key, a digest; its text is not kept."""

    message_id: str | None
    key: str | None
    content: bytes

    @property
    def is_unnamed(self) -> bool:
        """Whether its caller has given it neither an id nor a key."""
        return self.message_id is None and self.key is None

    def names(self, other: Mark) -> bool:
        """Whether both have the same id or key. Ids stand above keys."""
        if self.message_id is not None or other.message_id is not None:
            return self.message_id == other.message_id
        return self.key is not None and self.key == other.key


class Incoming(msgspec.Struct, frozen=True):
    """A message that may be stored, not yet masked; it may lack an id, then `key` is one made up here.

    `facts` are those that came with it.
    """

    conversation_id: str
    message: Message
    facts: Facts
    key: str | None

    @classmethod
    def of(cls, conversation_id: str, message: Message, facts: Facts = UNKNOWN, key: str | None = None) -> Incoming:
        """Raises `BadRecord` for what cannot be stored."""
        fitted, facts = fit(conversation_id, message, facts)
        if key is not None and not (0 < len(key) <= MOST_KEY_CHARACTERS and key.isprintable()):
            raise BadRecord(Problem("key", "not usable", f"1 to {MOST_KEY_CHARACTERS} printable characters"))
        if key is None and fitted.message_id is None:
            key = made_key()  # a second try after a lost connection must find the first
        return cls(conversation_id, fitted, facts, key)

    @property
    def mark(self) -> Mark:
        """What it is known by when it comes again."""
        content = blake2b(msgspec.json.encode(self.message), digest_size=16, key=_DIGEST_KEY).digest()
        made_up = self.key is not None and self.key.startswith(MADE)
        return Mark(self.message.message_id, None if made_up else self.key, content)

    def masked(self, header: Header) -> Message:
        """The message with personal data masked, by the name known from before and by the one it brings."""
        return masked(self.message, header.name, name_in(self.facts))

    def entry(self, header: Header, message_id: str, now: datetime, *, keep_raw_text: bool) -> Entry:
        """What to append to the conversation with this header."""
        facts, name = header.facts, header.name
        if self.facts != UNKNOWN:
            name = name or name_in(self.facts)
            facts = without_personal_data(merged(facts, self.facts), name)
        message = msgspec.structs.replace(self.masked(header), message_id=message_id)
        return Entry(
            kept=Kept(header.messages + 1, self.key, message),
            received_at=now,
            facts=facts,
            name=name,
            raw_text=self.message.text if keep_raw_text else None,
        )

    def recognised(self, header: Header, found: Sequence[Known]) -> Known | None:
        """The stored message that this one is. Raises `Conflict` when its id or key stands for another."""
        if not found:
            return None
        first = found[0].kept
        if len(found) > 1:
            problem = f"'{self.key}' came with another message than '{self.message.message_id}'"
            raise Conflict(Problem("key", problem, "a key of its own for each message"))
        mine = msgspec.structs.replace(
            self.masked(header), message_id=self.message.message_id or first.message.message_id
        )
        if mine == first.message:
            return found[0]
        if first.message.message_id == self.message.message_id:
            problem = f"'{self.message.message_id}' of conversation '{self.conversation_id}' is another message already"
            raise Conflict(Problem("message_id", problem, "an id of its own for each message"))
        problem = f"'{self.key}' came with another message of conversation '{self.conversation_id}'"
        raise Conflict(Problem("key", problem, "a key of its own for each message"))
