"""Who owns the conversation after each message, and where one episode ends and the next begins.

An episode runs from the start, or from the last `resolved` or `handed_back`, to now. What lies before it
fires nothing: that is what keeps a reopened chat from handing off again and again (docs/decisions.md).
"""

from __future__ import annotations

from typing import Literal

import msgspec

from handoff.transcript.types import Conversation, Message

Owner = Literal["assistant", "human"]


class Ownership(msgspec.Struct, frozen=True):
    """Who owns the conversation, and in which episode (counted from 0).

    `by_event` says that the human took over with an `accepted` event; then only an event hands back, and an
    assistant that talks over the human changes nothing.
    """

    owner: Owner = "assistant"
    by_event: bool = False
    episode: int = 0


class Step(msgspec.Struct, frozen=True):
    """What one message does to ownership.

    `fresh` says that the episode began with or right after this message; `declined` that a hand-off was
    turned down, which clears the rules that had fired; `read` that the message's text may be looked at.
    """

    ownership: Ownership
    fresh: bool
    declined: bool
    read: bool


def step(before: Ownership, message: Message, *, announcement: bool = False) -> Step:
    """Ownership after `message`. `announcement` marks a text that announces a transfer to the customer.

    Without events an agent's message takes ownership and the next assistant message hands back.
    """
    speaks = message.role in ("customer", "assistant")
    if speaks and message.event is None and before.owner == "assistant":  # as with most messages
        return Step(before, False, False, not _announces(message, announcement))
    after = _after(before, message)
    return Step(
        ownership=after,
        fresh=after.episode != before.episode,
        declined=message.event == "declined",
        read=(
            speaks
            and after.owner == "assistant"
            and message.event != "resolved"
            and not _announces(message, announcement)
        ),
    )


def _after(before: Ownership, message: Message) -> Ownership:
    if message.event in ("resolved", "handed_back"):
        return Ownership("assistant", False, before.episode + 1)
    if message.event == "declined":
        return Ownership("assistant", False, before.episode)
    if message.event == "accepted":
        return Ownership("human", True, before.episode)
    if message.role == "agent":
        return Ownership("human", before.by_event, before.episode)
    if message.role == "assistant" and before.owner == "human" and not before.by_event:
        return Ownership("assistant", False, before.episode + 1)
    return before


def _announces(message: Message, announcement: bool) -> bool:
    """The announcement of a transfer would tell the model its own label."""
    return message.role == "assistant" and (announcement or message.event == "handoff_requested")


def prefix(conversation: Conversation, messages: int) -> Conversation:
    """The conversation as it stood after its first `messages` messages: no outcome, no later rating.

    Raises ValueError when `messages` is not between 1 and the number of messages.
    """
    if not 1 <= messages <= len(conversation.messages):
        raise ValueError(f"messages is {messages}; expected 1 to {len(conversation.messages)}")
    if messages == len(conversation.messages):
        return msgspec.structs.replace(conversation, outcome=None)
    kept = conversation.messages[:messages]
    at = conversation.satisfaction_at
    rated = at is not None and any(m.sent_at is not None and m.sent_at >= at for m in kept)
    return msgspec.structs.replace(
        conversation,
        messages=kept,
        as_of=None,
        outcome=None,
        satisfaction=conversation.satisfaction if rated else None,
        satisfaction_at=at if rated else None,
    )
