"""Bounded memories: of what was worked out before, for look-ups in tight loops, and of states that are gone on with."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from threading import Lock
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")

# Of longer texts no cache remembers more than a digest.
LONGEST_TEXT = 1_000
# Of four bytes each at most.
MOST_CHARACTERS = 16_000_000


def digest_of(text: str) -> bytes:
    """What stands for a text as a key, where it is long or not to be kept."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


class Kept(Generic[Key, Value]):
    """Remembers at least the last `half` answers, and at most twice as many: when the newer half is full, the older
    one is forgotten as a whole. Chosen over evicting one by one, which costs more than most of the answers.

    Threads may share it: at worst an answer is worked out twice.
    """

    def __init__(self, half: int) -> None:
        self._half = half
        self.newer: dict[Key, Value] = {}
        self.older: dict[Key, Value] = {}

    def get(self, key: Key) -> Value | None:
        """What was kept for the key; None where nothing is."""
        value = self.newer.get(key)
        if value is None:
            value = self.older.get(key)
            if value is not None:
                self.put(key, value)
        return value

    def put(self, key: Key, value: Value) -> Value:
        """Keep it; the value again."""
        if len(self.newer) >= self._half:
            self.older, self.newer = self.newer, {}
        self.newer[key] = value
        return value

    def clear(self) -> None:
        """Forget everything."""
        self.newer, self.older = {}, {}

    def __len__(self) -> int:
        return len(self.newer.keys() | self.older.keys())


class Shelf(Generic[Key, Value]):
    """Remembers the states that were put here last: so many, and with so many characters of text in all.

    For any number of threads. A state is taken out by whoever works on it: who fails with it half-way leaves nothing
    wrong behind.
    """

    def __init__(self, most: int, most_characters: int = MOST_CHARACTERS) -> None:
        self._most, self._most_characters = most, most_characters
        self._states: dict[Key, tuple[Value, int]] = {}
        self._characters = 0
        self._access = Lock()

    def take(self, keys: Iterable[Key]) -> tuple[Value, int] | None:
        """The state of the first of these keys that has one, and which of them that is; it is not here any more."""
        with self._access:
            for place, key in enumerate(keys):
                if (found := self._states.pop(key, None)) is not None:
                    self._characters -= found[1]
                    return found[0], place
            return None

    def put(self, key: Key, state: Value, characters: int) -> None:
        """Keep the state, which holds so many characters of text; the oldest give way."""
        with self._access:
            if (before := self._states.pop(key, None)) is not None:
                self._characters -= before[1]
            self._states[key] = state, characters
            self._characters += characters
            while len(self._states) > self._most or self._characters > self._most_characters:
                _, oldest = self._states.pop(next(iter(self._states)))
                self._characters -= oldest

    def __len__(self) -> int:
        return len(self._states)
