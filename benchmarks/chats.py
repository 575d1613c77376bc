"""What the benchmarks send: conversations of a given length whose newest text nobody has seen before."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from random import Random

import msgspec

from handoff.decision import Judge
from handoff.simulate import simulate
from handoff.transcript import Conversation, Message, to_json

BEGIN = datetime(2026, 3, 2, 9, tzinfo=UTC)
# A message is as long as the simulated ones are on average (95 characters), whoever writes it.
WORDS_APPENDED = 6
# Replies of many chats in one: less sure ones among them would make confidence fall in nearly every chat.
SURE = 0.8


class Chats:
    """Makes conversations out of simulated ones. The same seed makes the same ones."""

    def __init__(self, seed: int = 7, simulated: int = 300) -> None:
        self._rng, self._made = Random(seed), 0
        self._judge = Judge.by_rules()
        calm = [c for c in simulate(simulated, seed) if self._is_calm(c)]
        sources = [_Source(conversation) for conversation in calm]
        self._bare = cycle([source.bare for source in sources])
        self._said = {
            "customer": [message for source in sources for message in source.customer],
            "assistant": [message for source in sources for message in source.assistant],
        }
        texts = [m.text for source in sources for m in source.customer]
        self._words = sorted({word for text in texts for word in text.split() if word.isalpha()})

    def conversations(self, messages: int, *, all_new: bool = False) -> Iterator[Conversation]:
        """Conversations of so many messages, without end, the customer's last; `all_new`: no text was seen before."""
        while True:
            yield self._conversation(messages, all_new)

    def calm(self, messages: int) -> Iterator[Conversation]:
        """Those on which no rule fires, as on most of a real desk's: an answer that escalates also waits for the disk.
        Of more than a dozen messages few are."""
        return filter(self._is_calm, self.conversations(messages))

    def _is_calm(self, conversation: Conversation) -> bool:
        return self._judge.answer(conversation).recommendation.action == "none"

    def bodies(self, count: int, messages: int, *, all_new: bool = False) -> list[bytes]:
        """The same as bodies of /predict."""
        return [to_json(made) for made in islice(self.conversations(messages, all_new=all_new), count)]

    def _conversation(self, length: int, all_new: bool) -> Conversation:
        self._made += 1
        # Nobody says the same twice, unless the conversation is longer than all that there is to say.
        said = {role: cycle(self._rng.sample(pool, len(pool))) for role, pool in self._said.items()}
        messages = []
        for index in range(length):
            role = "customer" if (length - index) % 2 == 1 else "assistant"
            is_new = all_new or index == length - 1
            messages.append(self._message(next(said[role]), index, is_new))
        return msgspec.structs.replace(next(self._bare), conversation_id=f"b-{self._made}", messages=tuple(messages))

    def _message(self, message: Message, index: int, is_new: bool) -> Message:
        text = f"{message.text} {self._new_words()}" if is_new else message.text
        return msgspec.structs.replace(
            message, text=text, message_id=f"m{index + 1}", sent_at=BEGIN + timedelta(seconds=20 * index)
        )

    def _new_words(self) -> str:
        return " ".join(self._rng.choices(self._words, k=WORDS_APPENDED))


class _Source:
    """A simulated conversation taken apart: what the customer and the assistant said before anybody took over."""

    def __init__(self, conversation: Conversation) -> None:
        self.bare = msgspec.structs.replace(
            conversation, messages=(), outcome=None, satisfaction=None, satisfaction_at=None, as_of=None
        )
        said = [m for m in conversation.messages if m.event is None and m.text]
        plain = [msgspec.structs.replace(m, satisfaction=None, label=None) for m in said]
        self.customer = [m for m in plain if m.role == "customer"]
        self.assistant = [m for m in plain if m.role == "assistant" and (m.confidence or 1.0) >= SURE]
