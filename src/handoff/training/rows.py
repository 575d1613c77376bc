"""From conversations to tables: one row a message, in arrays, with all that splitting and slicing need.

Rows come from `handoff.features.follow`, the same code that serves. The conversations are read one after the other
and not kept, but for what was said in them and a few that may become the model's exam.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress
from random import Random
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from handoff.features import FEATURE_NAMES
from handoff.features.follower import Moment, follow
from handoff.models.escalation import Recent
from handoff.training.labels import EscalationTarget, labelled, routed
from handoff.transcript import Conversation, to_json
from handoff.transcript.outcomes import before_the_end
from handoff.transcript.redact import redact

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# Candidates for the exam: enough to choose from, few enough to keep; long ones would make loading slow.
CANDIDATES, CANDIDATE_MESSAGES = 120, 30


class Source(msgspec.Struct, frozen=True):
    """One conversation of a table: what it is grouped, ordered and sliced by. Missing is None."""

    conversation_id: str
    customer_id: str | None
    started: float | None
    plan: str | None
    region: str | None
    locale: str | None
    channel: str | None


@dataclass(frozen=True, slots=True)
class Table:
    """Training rows. Arrays have one entry a row; `of` is the row's conversation, a position in `sources`.

    X: array of shape (n_rows, n_features), FEATURE_NAMES in order, NaN for missing; `weight` makes the rows of one
    conversation weigh one together; `role` is that of the row's newest message; `recent` are its newest messages that
    say something, redacted (see `Moment`).
    """

    X: Floats
    y: Integers
    weight: Floats
    of: Integers
    index: Integers
    role: NDArray[np.str_]
    recent: Sequence[Recent]
    sources: tuple[Source, ...]
    fingerprint: str
    read: int
    candidates: tuple[Conversation, ...] = ()

    def __len__(self) -> int:
        return len(self.y)

    def take(self, conversations: NDArray[np.bool_]) -> Table:
        """The rows of the conversations that are True (array of shape (n_sources,)); `sources` stays whole."""
        kept = conversations[self.of]
        return replace(
            self,
            X=self.X[kept],
            y=self.y[kept],
            weight=self.weight[kept],
            of=self.of[kept],
            index=self.index[kept],
            role=self.role[kept],
            recent=list(compress(self.recent, kept)),
        )

    @property
    def positive(self) -> NDArray[np.bool_]:
        """Which conversations hold a row with label 1: array of shape (n_sources,)."""
        found = np.zeros(len(self.sources), dtype=bool)
        found[self.of[self.y == 1]] = True
        return found

    @property
    def conversations(self) -> int:
        """Number of conversations with at least one row."""
        return len(np.unique(self.of))


@dataclass(frozen=True, slots=True)
class RoutingTable:
    """One entry an escalated conversation: the moment at which it was handed off, and the team that took it."""

    moments: tuple[Moment, ...]
    teams: tuple[str, ...]
    sources: tuple[Source, ...]
    fingerprint: str
    read: int
    candidates: tuple[Conversation, ...] = ()


def table(conversations: Iterable[Conversation], target: EscalationTarget, within: int | None = None) -> Table:
    """The table of every conversation that has a row under `target`. Memory: 8 bytes a number, and the texts."""
    values, y, weight, of, index = array("d"), array("q"), array("d"), array("q"), array("q")
    roles: list[str] = []
    recent: list[Recent] = []
    reading = _Reading()
    for conversation in conversations:
        rows = labelled(conversation, reading.moments(conversation), target, within)
        if not rows:
            continue
        reading.keep(conversation, wanted=any(row.y for row in rows))
        for row in rows:
            values.extend(row.moment.row)
            y.append(row.y)
            weight.append(1 / len(rows))
            of.append(len(reading.sources) - 1)
            index.append(row.moment.index)
            roles.append(row.moment.message.role)
            recent.append(row.moment.recent)
    return Table(
        X=np.frombuffer(values, dtype=np.float64).reshape(-1, len(FEATURE_NAMES))
        if values
        else np.empty((0, len(FEATURE_NAMES))),
        y=np.array(y, dtype=np.int64),
        weight=np.array(weight, dtype=np.float64),
        of=np.array(of, dtype=np.int64),
        index=np.array(index, dtype=np.int64),
        role=np.array(roles, dtype=np.str_),
        recent=recent,
        sources=tuple(reading.sources),
        fingerprint=reading.fingerprint(),
        read=reading.count,
        candidates=reading.candidates(),
    )


def routing_table(conversations: Iterable[Conversation]) -> RoutingTable:
    """The table of every conversation that was handed to a known team."""
    reading, moments, teams = _Reading(), [], []
    for conversation in conversations:
        moment = routed(conversation, reading.moments(conversation))
        if moment is None or conversation.outcome is None or conversation.outcome.team is None:
            continue
        reading.keep(conversation, wanted=True)
        moments.append(moment)
        teams.append(conversation.outcome.team)
    return RoutingTable(
        tuple(moments), tuple(teams), tuple(reading.sources), reading.fingerprint(), reading.count, reading.candidates()
    )


def source_of(conversation: Conversation) -> Source:
    """What the conversation is grouped, ordered and sliced by."""
    facts = conversation.facts
    return Source(
        conversation_id=conversation.conversation_id,
        customer_id=facts.customer_id,
        started=next((m.sent_at.timestamp() for m in conversation.messages if m.sent_at is not None), None),
        plan=facts.plan,
        region=facts.region,
        locale=conversation.locale,
        channel=conversation.channel,
    )


@dataclass(slots=True)
class _Reading:
    """What is gathered along the way: sources, the digest of the data, and candidates for the exam."""

    sources: list[Source] = field(default_factory=list)
    count: int = 0
    digest: Any = field(default_factory=hashlib.sha256)
    _wanted: list[Conversation] = field(default_factory=list)
    _others: list[Conversation] = field(default_factory=list)
    _rng: Random = field(default_factory=lambda: Random(0))

    def moments(self, conversation: Conversation) -> list[Moment]:
        self.count += 1
        self.digest.update(to_json(conversation))
        return list(follow(before_the_end(conversation)))

    def keep(self, conversation: Conversation, *, wanted: bool) -> None:
        self.sources.append(source_of(conversation))
        if len(conversation.messages) <= CANDIDATE_MESSAGES:
            self._sample(self._wanted if wanted else self._others, conversation)

    def _sample(self, kept: list[Conversation], conversation: Conversation) -> None:
        """Keep it with a chance that falls as more are read, in the place of one kept before."""
        if len(kept) < CANDIDATES // 2:
            kept.append(conversation)
        elif self._rng.random() < CANDIDATES / 2 / self.count:
            kept[self._rng.randrange(len(kept))] = conversation

    def fingerprint(self) -> str:
        return str(self.digest.hexdigest()[:16])

    def candidates(self) -> tuple[Conversation, ...]:
        return tuple(redact(before_the_end(conversation)) for conversation in (*self._wanted, *self._others))
