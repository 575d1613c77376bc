"""Where a message has its place among the others of its conversation, whatever the order they arrived in.

By (`sent_at`, `message_id`), numbers within an id by their value, so that of two messages in the same second "m9"
comes before "m10". A message without a time keeps its place right behind whatever was newest when it arrived.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import NamedTuple

from handoff.transcript import Message

_NUMBER = re.compile(r"([0-9]+)")


class Place(NamedTuple):
    """What messages are sorted by; `number` counts arrivals. One without a time has the place of the one it is behind,
    but for its number."""

    when: datetime
    id_order: tuple[str | int, ...]
    message_id: str
    number: int


_FIRST = Place(datetime.min.replace(tzinfo=UTC), (), "", 0)


def place(message: Message, number: int, newest: Place | None) -> Place:
    """The place of a message that arrives as the `number`th, when `newest` was the last place of all."""
    if message.sent_at is None:
        return (newest or _FIRST)._replace(number=number)
    message_id = message.message_id or ""
    return Place(message.sent_at, _in_order(message_id), message_id, number)


def _in_order(message_id: str) -> tuple[str | int, ...]:
    """The id with its runs of digits as numbers; text and numbers alternate, so that two ids compare."""
    return tuple(int(part) if index % 2 else part for index, part in enumerate(_NUMBER.split(message_id)))
