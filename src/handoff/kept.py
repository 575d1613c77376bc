"""A bounded memory of what was worked out before, for look-ups in tight loops."""

from __future__ import annotations

from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


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
