"""From conversations to tables: one row a message, in arrays, with all that splitting and slicing need.

Rows come from `handoff.features.follow`, the same code that serves. The conversations are read one after the other
and not kept, but for what was said in them and a few that may become the model's exam.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Iterable, Sequence
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
from handoff.training.requests import asked_after
from handoff.transcript import Conversation, to_json
from handoff.transcript.outcomes import before_the_end
from handoff.transcript.redact import redact

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# Candidates for the exam: enough to choose from, few enough to keep; long ones would make loading slow.
CANDIDATES, CANDIDATE_MESSAGES = 120, 30

TeamOf = Callable[[Moment], str | None]
# Of the conversations, so many get a made-up request for a human, which weighs so much beside a conversation's 1.
REQUEST_SHARE, REQUEST_WEIGHT = 0.25, 0.05


class Source(msgspec.Struct, frozen=True):
    """One conversation of a table: what it is grouped, ordered and sliced by. Missing is None. `team` is the one that a
    routing model names, since only conversations that were handed off have one that took them."""

    conversation_id: str
    customer_id: str | None
    started: float | None
    plan: str | None
    region: str | None
    locale: str | None
    channel: str | None
    team: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """Training rows. Arrays have one entry a row; `of` is the row's conversation, a position in `sources`.

    X: array of shape (n_rows, n_features), FEATURE_NAMES in order, NaN for missing; `weight` makes the rows of one
    conversation weigh one together; `role` is that of the row's newest message; `recent` are its newest messages that
    say something, redacted (see `Moment`). `requests` are made-up rows of the same conversations, for fitting alone.
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
    requests: Table | None = None

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
            requests=None if self.requests is None else self.requests.take(conversations),
        )

    def with_requests(self) -> tuple[Table, NDArray[np.bool_]]:
        """The made-up rows behind the real ones, and which are real: array of shape (n_rows,)."""
        made = self.requests
        if made is None or not len(made):
            return self, np.ones(len(self), dtype=bool)
        joined = replace(
            self,
            X=np.concatenate([self.X, made.X]),
            y=np.concatenate([self.y, made.y]),
            weight=np.concatenate([self.weight, made.weight]),
            of=np.concatenate([self.of, made.of]),
            index=np.concatenate([self.index, made.index]),
            role=np.concatenate([self.role, made.role]),
            recent=[*self.recent, *made.recent],
            requests=None,
        )
        return joined, np.arange(len(joined)) < len(self)

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


def table(
    conversations: Iterable[Conversation],
    target: EscalationTarget,
    within: int | None = None,
    *,
    requests: bool = False,
    team_of: TeamOf | None = None,
) -> Table:
    """The table of every conversation that has a row under `target`. Memory: 8 bytes a number, and the texts.

    With `requests` one of a few conversations gets a made-up row (`Table.requests`), for training. `team_of` names the
    team at a conversation's last row, to slice by.
    """
    found, made, reading = _Rows(), _Rows(), _Reading()
    for conversation in conversations:
        rows = labelled(conversation, reading.moments(conversation), target, within)
        if not rows:
            continue
        team = None if team_of is None else team_of(rows[-1].moment)
        reading.keep(conversation, wanted=any(row.y for row in rows), team=team)
        of = len(reading.sources) - 1
        for row in rows:
            found.add(row.moment, row.y, 1 / len(rows), of)
        rng = Random(f"request/{conversation.conversation_id}")
        if requests and rng.random() < REQUEST_SHARE:
            at = rng.choice(rows).moment.index
            made.add(asked_after(before_the_end(conversation), at, rng), 1, REQUEST_WEIGHT, of)
    return found.table(reading, made.table(reading) if requests else None)


@dataclass(slots=True)
class _Rows:
    """Rows as they come in, in arrays that grow."""

    values: array[float] = field(default_factory=lambda: array("d"))
    y: array[int] = field(default_factory=lambda: array("q"))
    weight: array[float] = field(default_factory=lambda: array("d"))
    of: array[int] = field(default_factory=lambda: array("q"))
    index: array[int] = field(default_factory=lambda: array("q"))
    roles: list[str] = field(default_factory=list)
    recent: list[Recent] = field(default_factory=list)

    def add(self, moment: Moment, y: int, weight: float, of: int) -> None:
        self.values.extend(moment.row)
        self.y.append(y)
        self.weight.append(weight)
        self.of.append(of)
        self.index.append(moment.index)
        self.roles.append(moment.message.role)
        self.recent.append(moment.recent)

    def table(self, reading: _Reading, requests: Table | None = None) -> Table:
        return Table(
            X=np.array(self.values, dtype=np.float64).reshape(-1, len(FEATURE_NAMES)),
            y=np.array(self.y, dtype=np.int64),
            weight=np.array(self.weight, dtype=np.float64),
            of=np.array(self.of, dtype=np.int64),
            index=np.array(self.index, dtype=np.int64),
            role=np.array(self.roles, dtype=np.str_),
            recent=self.recent,
            sources=tuple(reading.sources),
            fingerprint=reading.fingerprint(),
            read=reading.count,
            candidates=reading.candidates(),
            requests=requests,
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


def source_of(conversation: Conversation, team: str | None = None) -> Source:
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
        team=team,
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

    def keep(self, conversation: Conversation, *, wanted: bool, team: str | None = None) -> None:
        self.sources.append(source_of(conversation, team))
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
