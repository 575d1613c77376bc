"""As many conversations as wanted, fast: simulated ones over and over, a few words of each message new each time."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from itertools import count
from random import Random

import msgspec
import numpy as np

from handoff.simulate import simulate
from handoff.transcript import Conversation, Message

SIMULATED = 400
# So many words of a message are put in the place of its own, or behind a message that is too short for that.
NEW_WORDS = 3


class Many:
    """Conversations of whole simulated chats, their events, times and outcomes among it. `messages`, `characters` and
    `distinct` tell what was made. The same seed makes the same ones. Holds 8 bytes a message."""

    def __init__(self, seed: int = 7) -> None:
        self._rng = Random(seed)
        self._chats = list(simulate(SIMULATED, seed))
        texts = [message.text for chat in self._chats for message in chat.messages]
        self._words = sorted({word for text in texts for word in text.split() if word.isalpha()})
        self._hashes, self.characters = array("q"), 0

    def __iter__(self) -> Iterator[Conversation]:
        for number in count():
            chat = self._chats[number % len(self._chats)]
            messages = tuple(map(self._anew, chat.messages))
            yield msgspec.structs.replace(chat, conversation_id=f"b-{number}", messages=messages)

    @property
    def messages(self) -> int:
        return len(self._hashes)

    @property
    def distinct(self) -> float:
        """The share of the texts that are distinct."""
        return len(np.unique(np.frombuffer(self._hashes, dtype=np.int64))) / len(self._hashes)

    def _anew(self, message: Message) -> Message:
        words, rng = message.text.split(" "), self._rng
        new = rng.choices(self._words, k=NEW_WORDS)
        if len(words) <= 2 * NEW_WORDS:
            words += new
        else:
            first = int(rng.random() * (len(words) - NEW_WORDS))
            words[first : first + NEW_WORDS] = new
        text = " ".join(words)
        self._hashes.append(hash(text))
        self.characters += len(text)
        return msgspec.structs.replace(message, text=text)
