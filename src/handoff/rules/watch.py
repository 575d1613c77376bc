"""Which rules hold after each message, and since which message.

A rule is a condition over the episode's features, nothing more. Text features count messages and `confidence_min`
only falls, so a rule on them holds to the end of the episode by itself; a rule on a state (the fall, the account,
the minutes, the rating) holds while it is true. After a declined hand-off everything counts afresh, and rules on
the account's facts, which can bring no new evidence, stay silent for the rest of the episode.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

import msgspec
import numpy as np
from numpy.typing import NDArray

from handoff.features import Moment
from handoff.features.together import Followed
from handoff.rules.book import Rule, RuleBook
from handoff.rules.confidence import UsedConfidence
from handoff.transcript import Conversation

Flags = NDArray[np.bool_]
Integers = NDArray[np.int64]


class Fired(msgspec.Struct, frozen=True):
    """A rule that holds, and the message with which it began to."""

    rule: Rule
    message_id: str
    says: str


class Watch:
    """The rules of one conversation, fed one `Moment` after another.

    A rule is asked again only where a number that it reads has changed.
    """

    __slots__ = ("_conditions", "_declined", "_episode", "_holding", "_names", "_raw", "_row", "_used")

    def __init__(self, book: RuleBook, names: dict[str, str | None]) -> None:
        self._conditions, self._names = book.conditions, names
        self._used = None if book.confidence is None else UsedConfidence(book.confidence)
        self._episode = 0
        self._start_anew()

    def _start_anew(self) -> None:
        self._holding: dict[int, Fired] = {}
        self._row: tuple[float, ...] | None = None
        self._raw: tuple[float, ...] = ()
        self._declined = False

    def step(self, moment: Moment) -> tuple[Fired, ...]:
        """The rules that hold right after the moment's message, in the order of the file."""
        raw = moment.row_since_decline
        row = raw if self._used is None else self._used.row(moment)
        if moment.episode != self._episode or moment.owner == "human" or moment.message.event == "declined":
            self._start_anew()
            self._episode = moment.episode
        if moment.owner == "human" or moment.message.event in ("declined", "resolved"):
            return ()
        for place in self._concerned(row, raw, moment.declined):
            self._ask(place, row, moment)
        self._row, self._raw, self._declined = row, raw, moment.declined
        return tuple(self._holding[place] for place in sorted(self._holding))

    def _concerned(self, row: tuple[float, ...], raw: tuple[float, ...], declined: bool) -> Iterable[int]:
        """The rules that may hold or say something else than before. An unchanged number is the same object."""
        before, readers = self._row, self._conditions.readers
        if before is None or declined != self._declined:
            return range(len(self._conditions.all))
        changed = [readers[i] for i in _changed(before, row)]
        if row is not raw:  # the sentence shows what was reported, too
            changed += [readers[i] for i in _changed(self._raw, raw)]
        return set().union(*changed)

    def _ask(self, place: int, row: tuple[float, ...], moment: Moment) -> None:
        condition = self._conditions.all[place]
        if (moment.declined and condition.is_about_facts) or not condition.holds(row, self._names):
            self._holding.pop(place, None)
            return
        before, says = self._holding.get(place), condition.sentence(row, moment.row_since_decline)
        if before is None or before.says != says:
            since = (moment.message.message_id or "") if before is None else before.message_id
            self._holding[place] = Fired(condition.rule, since, says)


def fired_at_the_end(
    book: RuleBook, followed: Followed, rows: Sequence[tuple[float, ...]], names: Sequence[dict[str, str | None]]
) -> list[tuple[Fired, ...]]:
    """The rules that hold right after the newest message of each conversation, as `Watch` would say step by step.

    `rows` are the feature rows there. For a book without calibrated confidence: it has other rows.
    """
    held = _held(book, followed, names)
    last = followed.ends - 1
    since = _since(held, followed.starts)[:, last]
    fired: list[list[Fired]] = [[] for _ in rows]
    for which, place in zip(*(found.tolist() for found in np.nonzero(held[:, last].T)), strict=True):
        row, condition = rows[which], book.conditions.all[place]
        began = followed.moments[which][int(since[place, which] - followed.ends[which])]
        fired[which].append(Fired(condition.rule, began.message.message_id or "", condition.sentence(row, row)))
    return list(map(tuple, fired))


def _held(book: RuleBook, followed: Followed, names: Sequence[dict[str, str | None]]) -> Flags:
    """Which rules hold after which message: array of shape (n_rules, n_messages)."""
    whose = np.repeat(np.arange(len(names)), np.diff(followed.ends, prepend=0))
    held: Flags = np.array([condition.held(followed.features, names, whose) for condition in book.conditions.all])
    every = chain.from_iterable(followed.moments)
    watched = np.array([moment.owner == "assistant" and moment.message.event != "resolved" for moment in every])
    held &= watched
    return held


def _since(held: Flags, starts: Flags) -> Integers:
    """The message with which each began to hold, where it does; in an episode without declined hand-offs."""
    begins = held.copy()
    begins[:, 1:] &= starts[1:] | ~held[:, :-1]
    return np.maximum.accumulate(np.where(begins, np.arange(held.shape[1]), 0), axis=1)


def _changed(before: tuple[float, ...], row: tuple[float, ...]) -> Iterable[int]:
    return [i for i, (old, new) in enumerate(zip(before, row, strict=True)) if old is not new]


def name_facts(conversation: Conversation) -> dict[str, str | None]:
    """The facts of a conversation that are names: region, plan, channel, locale."""
    facts = conversation.facts
    return {"region": facts.region, "plan": facts.plan, "channel": conversation.channel, "locale": conversation.locale}
