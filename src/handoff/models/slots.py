"""Where a text stands in the conversation so far, and what its place is called among a model's features.

A text says another thing as the customer's newest message than as one of an hour ago, and another as the assistant's.
So the escalation model gives every text one score a slot. The earlier messages share a slot a side, each counting half
of the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from handoff.features.table import Feature, Said
from handoff.models.wording import Wording
from handoff.transcript import Message

Floats = NDArray[np.float64]

# Half of the newest message's, which makes the penalty on their coefficients four times as strong.
EARLIER_WEIGHS, DECAY = 0.5, 0.5

WORDING_FEATURES: tuple[Feature, ...] = (
    Feature(
        "wording_customer_newest", "text", Said(),
        "What the wording of the customer's newest message says of the risk.",
        "The wording of the customer's latest message", 1,
    ),
    Feature(
        "wording_reply_newest", "text", Said(),
        "What the wording of the AI's reply to the customer's newest message says of the risk; 0 until it replies.",
        "The wording of the AI's latest reply", 1,
    ),
    Feature(
        "wording_customer_earlier", "text", Said(),
        "What the wording of the customer's earlier messages says of the risk, each half as much as the next.",
        "The wording of the customer's earlier messages", 1,
    ),
    Feature(
        "wording_replies_earlier", "text", Said(),
        "What the wording of the AI's replies before that says of the risk, each half as much as the next.",
        "The wording of the AI's earlier replies", 1,
    ),
    Feature(
        "wording_together", "text", Said(), "What all that was said lately says of the risk by its wording.",
        "The wording of the conversation so far", 1,
    ),
)  # fmt: skip
WORDING_NAMES: tuple[str, ...] = tuple(feature.name for feature in WORDING_FEATURES)
SLOTS = len(WORDING_NAMES) - 1  # the last is their sum


def slotted(recent: Sequence[Message]) -> Iterator[tuple[int, str, float]]:
    """Slot, text and weight of each recent message (oldest first); the slots are numbered as `WORDING_NAMES`.

    While the customer waits for a reply, what the assistant said before is earlier: it answers another message.
    """
    waits = bool(recent) and recent[-1].role == "customer"
    seen = {"customer": 0, "assistant": int(waits)}
    for message in reversed(recent):
        side = 0 if message.role == "customer" else 1
        age = seen[message.role]
        seen[message.role] = age + 1
        yield (side, message.text, 1.0) if not age else (side + 2, message.text, EARLIER_WEIGHS * DECAY ** (age - 1))


def wording_row(wording: Wording, recent: Sequence[Message]) -> tuple[float, ...]:
    """The columns of `WORDING_NAMES` in log-odds, 0 where nothing was said."""
    parts = [0.0] * SLOTS
    for slot, text, weight in slotted(recent):
        parts[slot] += weight * wording.score(text)[slot]
    return (*parts, sum(parts))


def wording_columns(wording: Wording, recent: Sequence[Sequence[Message]]) -> Floats:
    """The same for many: array of shape (n_rows, n_slots + 1)."""
    wording.learn(message.text for messages in recent for message in messages)
    rows = [wording_row(wording, messages) for messages in recent]
    return np.array(rows, dtype=np.float64).reshape(len(rows), SLOTS + 1)
