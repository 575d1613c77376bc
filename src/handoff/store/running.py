"""The running state of one conversation: taken up from the store, brought up to date, moved on by a message."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

import msgspec
from sqlalchemy import Connection

from handoff.features import Follower
from handoff.rules import RuleBook
from handoff.standing import Progress, Standing
from handoff.store import conversations as rows
from handoff.store.conversations import Entry, Glance, Header, Kept
from handoff.store.facts import masked
from handoff.store.incoming import Mark
from handoff.store.places import Place
from handoff.store.seal import Seal

T = TypeVar("T")


# Of so many messages it is known that they came, where the store cannot be asked.
MOST_CAME = 8


class Run(Protocol):
    """Runs work on a connection: in a transaction of its own, or in one that holds the conversation."""

    def __call__(self, work: Callable[[Connection], T], /) -> T: ...


class Running:
    """The state of one conversation after its newest message: as much as the next answer needs, and no more.

    `header` says how much of the store is in here, `is_adrift` whether something is that is not in the store. `came`
    are the marks of the newest messages that this worker was asked about.
    """

    __slots__ = ("_follower", "_newest", "_progress", "came", "header", "is_adrift", "rules", "standing")

    def __init__(self, header: Header, rules: RuleBook, known: Iterable[Kept] = ()) -> None:
        bare = header.as_conversation(())
        self.header, self.rules = header, rules
        self.standing: Standing | None = None
        self.is_adrift = False
        self.came: deque[Mark] = deque(maxlen=MOST_CAME)
        self._follower, self._progress = Follower(bare.facts, bare.locale), Progress(rules, bare)
        self._newest: Place | None = None
        self.take_in(known)

    def take_in(self, known: Iterable[Kept]) -> None:
        """Follow these messages, in their places, which must be behind all that are in here."""
        for its_place, each in sorted(rows.placed(known, self._newest)):
            self.standing = self._progress.step(self._follower.add(each.message))
            self._newest = its_place

    def has_heard(self, mark: Mark) -> bool:
        """Whether the message is in here, and comes once more: by its id or key, else by being what came last."""
        newest = None if self.standing is None else self.standing.moment.message.message_id
        if mark.message_id is not None and mark.message_id == newest:
            return True
        if mark.is_unnamed:
            return bool(self.came) and self.came[-1].content == mark.content
        return any(map(mark.names, self.came))

    def are_next(self, known: Iterable[Kept]) -> bool:
        """Whether all of these belong behind all that are in here."""
        newest = self._newest
        return newest is None or all(its_place > newest for its_place, _ in rows.placed(known, newest))


def up_to_date(
    running: Running | None, conversation_id: str, seen: Glance, rules: RuleBook, seal: Seal, read: Run
) -> Running:
    """The conversation as it is in the store by now: what is missing in `running` is read, or else all of it."""
    if running is None or not _can_go_on(running, seen, rules):
        return _read_anew(conversation_id, rules, seal, read)
    header = running.header
    if header.messages == seen.messages:
        return running
    missing = read(lambda c: rows.messages_between(c, conversation_id, header.messages, seen.messages))
    if not running.are_next(missing):
        return _read_anew(conversation_id, rules, seal, read)
    running.take_in(missing)
    times = [at for at in (header.newest_at, *(kept.message.sent_at for kept in missing)) if at is not None]
    running.header = msgspec.structs.replace(
        header, messages=seen.messages, newest_at=max(times, default=None), exists=True
    )
    return running


def moved_on(running: Running, entry: Entry, read: Run) -> Running:
    """The state with the entry's message in its place. Its header stays that of the store, which has no entry yet."""
    header = running.header
    learnt = entry.facts != header.facts or entry.name != header.name
    if not learnt and running.are_next([entry.kept]):
        running.take_in([entry.kept])
        return running
    known = read(lambda c: rows.messages_between(c, header.conversation_id, 0, header.messages))
    if entry.name != header.name:
        known = [msgspec.structs.replace(kept, message=masked(kept.message, entry.name)) for kept in known]
    anew = Running(
        msgspec.structs.replace(header, facts=entry.facts, name=entry.name), running.rules, [*known, entry.kept]
    )
    anew.header = header
    anew.came.extend(running.came)
    return anew


def _can_go_on(running: Running, seen: Glance, rules: RuleBook) -> bool:
    header = running.header
    return (
        not running.is_adrift
        and running.rules is rules
        and header.revision == seen.revision
        and header.messages <= seen.messages
    )


def _read_anew(conversation_id: str, rules: RuleBook, seal: Seal, read: Run) -> Running:
    def everything(connection: Connection) -> tuple[Header, list[Kept]]:
        header = rows.read_header(connection, seal, conversation_id)
        return header, rows.messages_between(connection, conversation_id, 0, header.messages)

    header, known = read(everything)
    return Running(header, rules, known)
