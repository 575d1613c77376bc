"""Where a conversation went to a human: the one definition that training and the analyses share.

That is at `outcome.escalated_at`, or else where a human first owns the episode. A conversation that was abandoned
before anybody took over is censored: it is not a 0, nobody knows what would have come.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from handoff.transcript.episodes import Ownership, step
from handoff.transcript.types import Conversation, Message


class HandOff(msgspec.Struct, frozen=True):
    """The first message that is no longer the assistant's to answer (as many came before as `index` says), the
    episode that it ended, and when; `at` is None when no time is known."""

    index: int
    episode: int
    at: datetime | None

    def minutes_after(self, message: Message) -> float | None:
        """Minutes from the message to the hand-off; None where one of them has no time."""
        if self.at is None or message.sent_at is None:
            return None
        return (self.at - message.sent_at).total_seconds() / 60


def hand_offs(conversation: Conversation) -> dict[int, int]:
    """Episode to the index of its hand-off: the first message that is no longer the assistant's to answer.

    That is the first at or after `escalated_at`, or else the first under a human's ownership. An outcome that says
    "escalated" with neither counts as handed off after the last message.
    """
    owned = _ownership(conversation)
    found: dict[int, int] = {}
    for index, now in enumerate(owned):
        if now.owner == "human":
            found.setdefault(now.episode, index)
    recorded = _recorded(conversation, owned, found)
    if recorded is not None:
        episode, index = recorded
        found[episode] = min(index, found.get(episode, index))
    return found


def handed_off(conversation: Conversation) -> HandOff | None:
    """The hand-off that the outcome tells of: the one it gives the time of, or else the first. None without any."""
    points = hand_offs(conversation)
    if not points:
        return None
    recorded = _recorded(conversation, _ownership(conversation), points)
    episode = min(points) if recorded is None else recorded[0]
    index, messages = points[episode], conversation.messages
    at = conversation.outcome.escalated_at if conversation.outcome is not None else None
    if at is None and index < len(messages):
        at = messages[index].sent_at
    return HandOff(index, episode, at)


def is_censored(conversation: Conversation) -> bool:
    """The customer gave up before anybody took over, and nobody knows whether a human would have."""
    outcome = conversation.outcome
    return outcome is not None and outcome.abandoned is True and not hand_offs(conversation)


def is_recorded(conversation: Conversation) -> bool:
    """Whether anything tells how it ended: an outcome, or a human who took over. Without both it may still go on."""
    return conversation.outcome is not None or bool(hand_offs(conversation))


def before_the_end(conversation: Conversation) -> Conversation:
    """The conversation without a rating that was given after its last message, or at a time nobody wrote down.

    Such a rating is given when all is over. At the last message it would tell how the conversation ended.
    """
    if conversation.satisfaction is None:
        return conversation
    at = conversation.satisfaction_at
    newest = max((m.sent_at for m in conversation.messages if m.sent_at is not None), default=None)
    if at is not None and newest is not None and at <= newest:
        return conversation
    return msgspec.structs.replace(conversation, satisfaction=None, satisfaction_at=None)


def _ownership(conversation: Conversation) -> list[Ownership]:
    """Who owns the conversation after each message."""
    owned, now = [], Ownership()
    for message in conversation.messages:
        now = step(now, message).ownership
        owned.append(now)
    return owned


def _recorded(conversation: Conversation, owned: list[Ownership], by_owner: dict[int, int]) -> tuple[int, int] | None:
    """Episode and index of the hand-off as the outcome has it; None when the outcome does not help."""
    outcome = conversation.outcome
    if outcome is None or not owned or outcome.escalated is False:
        return None
    at, messages = outcome.escalated_at, conversation.messages
    if at is not None and any(message.sent_at is not None for message in messages):
        for index, message in enumerate(messages):
            if message.sent_at is not None and message.sent_at >= at:
                return owned[index].episode, index
        return owned[-1].episode, len(messages)
    if outcome.escalated and not by_owner:
        return owned[-1].episode, len(messages)
    return None
