"""Messages that were answered while the store was away, in memory until it takes them: masked, and not without end."""

from __future__ import annotations

import threading

import msgspec

from handoff.store.conversations import Header
from handoff.store.incoming import Incoming

MOST_MESSAGES, MOST_CHARACTERS = 10_000, 16_000_000


class Missed:
    """Messages by conversation, in the order in which they came. For any number of threads."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[Incoming]] = {}
        self._messages = self._characters = 0
        self._access = threading.Lock()

    def __len__(self) -> int:
        return self._messages

    def conversations(self) -> list[str]:
        """The ids of all that have some."""
        with self._access:
            return list(self._waiting)

    def of(self, conversation_id: str) -> tuple[Incoming, ...]:
        """Those of one conversation."""
        return tuple(self._waiting.get(conversation_id, ()))

    def add(self, incoming: Incoming, header: Header) -> None:
        """Remember the message, masked by the names that are known, if there is room; one of the same key once."""
        masked = msgspec.structs.replace(incoming, message=incoming.masked(header))
        characters = len(masked.message.text)
        with self._access:
            if masked.key is not None and any(each.key == masked.key for each in self.of(masked.conversation_id)):
                return
            if self._messages < MOST_MESSAGES and self._characters + characters <= MOST_CHARACTERS:
                self._waiting.setdefault(masked.conversation_id, []).append(masked)
                self._messages += 1
                self._characters += characters

    def remove(self, incoming: Incoming) -> None:
        """It is stored, or never will be."""
        with self._access:
            left = self._waiting[incoming.conversation_id]
            left.remove(incoming)
            if not left:
                del self._waiting[incoming.conversation_id]
            self._messages -= 1
            self._characters -= len(incoming.message.text)
