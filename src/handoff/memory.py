"""A conversation that comes again with one message more is followed from where it stood, not from its beginning.

A chat backend sends the whole conversation with every message. What a worker knows of it is found by a keyed digest of
all that was said before and known beside it, so that anything that is different in it is another conversation; the
digest says nothing to whoever reads the memory of the process, and only masked texts are kept.
"""

from __future__ import annotations

import os
from hashlib import blake2b

import msgspec

from handoff.features import Follower
from handoff.kept import Shelf
from handoff.rules import RuleBook
from handoff.standing import Progress, Standing
from handoff.transcript import Conversation, Message
from handoff.transcript.redact import names_of, redact, redact_message

# Of ten messages each they take 24 KB.
MOST_REMEMBERED = 1_000
# So many messages may be new since it was last here: backends may skip replies, or answer several messages at once.
MOST_NEW = 4
DIGEST_BYTES = 16


class Followed:
    """A conversation that was followed to some message, and can be followed on."""

    __slots__ = ("_follower", "_names", "_progress", "standing")

    def __init__(self, rules: RuleBook, conversation: Conversation) -> None:
        """Of `conversation` only what is known beside its messages is read."""
        bare = redact(msgspec.structs.replace(conversation, messages=()))
        self._names = names_of(conversation)
        self._follower, self._progress = Follower(bare.facts, bare.locale), Progress(rules, bare)
        self.standing: Standing | None = None

    def take_in(self, message: Message) -> None:
        """Follow the next message, which is masked first."""
        self.standing = self._progress.step(self._follower.add(redact_message(message, self._names)))


class Memory:
    """What one worker remembers of the conversations that it was asked about last. For any number of threads."""

    def __init__(self, rules: RuleBook, most_remembered: int = MOST_REMEMBERED) -> None:
        self._rules, self._key = rules, os.urandom(32)
        self._kept: Shelf[bytes, Followed] = Shelf(most_remembered)
        self.hits = self.misses = 0

    def standing(self, conversation: Conversation) -> Standing | None:
        """Where the conversation stands, as `Judge.standing` would find it; None for one that cannot be followed on.

        One with an `as_of` or a rating beside its messages cannot: its newest message will be another the next time.
        """
        if conversation.as_of is not None or conversation.satisfaction is not None or not conversation.messages:
            return None
        messages, digests = conversation.messages, self._digests(conversation)
        followed, new = self._found(digests) or (Followed(self._rules, conversation), len(messages))
        for message in messages[len(messages) - new :]:
            followed.take_in(message)
        standing = followed.standing
        assert standing is not None
        self._kept.put(digests[-1], followed, standing.characters)
        return standing

    def _digests(self, conversation: Conversation) -> list[bytes]:
        """Of the conversation up to each of its newest messages, the whole of it last."""
        encode, beside = msgspec.json.encode, conversation
        known = encode((beside.conversation_id, beside.channel, beside.locale, beside.customer))
        hashed, first = blake2b(known, digest_size=DIGEST_BYTES, key=self._key), len(beside.messages) - 1 - MOST_NEW
        found = []
        for index, message in enumerate(beside.messages):
            hashed.update(encode(message))
            if index >= first:
                found.append(hashed.copy().digest())
        return found

    def _found(self, digests: list[bytes]) -> tuple[Followed, int] | None:
        """The conversation where it is known, and how many messages are new."""
        found = self._kept.take(reversed(digests))
        if found is None:
            self.misses += 1
        else:
            self.hits += 1
        return found
