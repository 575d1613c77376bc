"""Messages, conversations and a judge with a model, for the tests of the store."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import msgspec
import numpy as np

from handoff.decision import Judge
from handoff.features import FEATURE_NAMES, Moment
from handoff.models.escalation import Contribution
from handoff.simulate import simulate
from handoff.store import Facts
from handoff.transcript import Conversation, Message

START = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
RULES_ONLY = Judge.by_rules()

ANGER = FEATURE_NAMES.index("anger_count")
TURNS = FEATURE_NAMES.index("customer_messages")


class PretendedModel:
    """An escalation model that believes in anger and in length, so that trend and indicators have something to say."""

    label = "escalation/pretended"
    base = -3.0

    def probabilities(self, moments: Sequence[Moment]) -> np.ndarray[Any, Any]:
        return np.array(
            [1 / (1 + math.exp(-self.base - sum(c.weight for c in self.contributions(m)))) for m in moments]
        )

    def contributions(self, moment: Moment) -> tuple[Contribution, ...]:
        picked = [(ANGER, 1.5), (TURNS, 0.6)]
        return tuple(Contribution(FEATURE_NAMES[i], moment.row[i], weight * moment.row[i]) for i, weight in picked)


JUDGE = Judge(RULES_ONLY.rules, RULES_ONLY.policy, cast("Any", PretendedModel()))


def said(text: str, number: int, role: str = "customer", seconds: float | None = None, **fields: Any) -> Message:
    """The `number`th message, ten seconds after the one before."""
    at = START + timedelta(seconds=10 * number if seconds is None else seconds)
    return Message(role=role, text=text, **{"message_id": f"m{number}", "sent_at": at, **fields})  # type: ignore[arg-type]


def talks(conversations: int, seed: int) -> list[Conversation]:
    """Simulated conversations, without what only a whole conversation can carry: its rating and its outcome."""
    return [
        msgspec.structs.replace(c, satisfaction=None, satisfaction_at=None, outcome=None)
        for c in simulate(conversations, seed)
    ]


def facts_of(conversation: Conversation) -> Facts:
    """What the first call carries."""
    return Facts(
        customer=conversation.customer,
        environment=conversation.environment,
        channel=conversation.channel,
        locale=conversation.locale,
    )


def up_to(conversation: Conversation, messages: int) -> Conversation:
    """The conversation's first messages."""
    return msgspec.structs.replace(conversation, messages=conversation.messages[:messages])
