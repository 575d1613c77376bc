"""Made-up training rows: a real chat so far, and then the customer plainly asks for a human.

In recorded chats who asks for a human is mostly upset as well, and hand-offs are laid to the upset words: a calm
request in a troubled chat then lowers the probability, because its tone is better than what was said before. A
request is answered with a hand-off here, whatever else was said (rule `asks_for_human`), so that these rows are 1.
They are for fitting alone: nothing is scored, calibrated or stopped on them.
"""

from __future__ import annotations

from datetime import timedelta
from random import Random

import msgspec

from handoff.features.follower import Moment, follow
from handoff.transcript import Conversation, Message
from handoff.transcript.episodes import prefix

# Plain: no reason, no haste, no anger. The behaviour tests ask in other words.
PHRASES = (
    "I would prefer to talk to someone from your team.",
    "I'd like to speak with an agent.",
    "Please connect me to a representative.",
    "Can a person help me with this?",
    "Let me talk to someone human.",
    "Is there an agent I can chat with?",
    "Transfer me to a human agent, please.",
    "I would rather speak to a person.",
    "Quiero hablar con un agente.",
    "Je voudrais parler à un conseiller.",
    "Ich möchte mit einem Mitarbeiter sprechen.",
    "Quero falar com um atendente.",
)
SECONDS = 30.0


def asked_after(conversation: Conversation, index: int, rng: Random) -> Moment:
    """The moment after a request that follows the conversation's message `index`; `rng` chooses its words."""
    known = prefix(conversation, index + 1)
    at = next((m.sent_at for m in reversed(known.messages) if m.sent_at is not None), None)
    request = Message(
        role="customer", text=rng.choice(PHRASES), sent_at=None if at is None else at + timedelta(seconds=SECONDS)
    )
    asked = msgspec.structs.replace(known, messages=(*known.messages, request), as_of=None)
    return list(follow(asked))[-1]
