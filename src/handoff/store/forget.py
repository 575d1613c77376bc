"""Deleting from the store, for good: some conversations, or all that is older than a time.

In batches, each a short transaction with a pause behind it as long as itself, so that running workers get their turn.
A conversation goes in one transaction with all its messages: whoever writes to it at that moment finds it gone and
begins a new one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, Table, and_, delete, exists, func, not_, or_, select, tuple_
from sqlalchemy.sql import Select

from handoff.store.database import Database
from handoff.store.decisions import DecisionRecord
from handoff.store.spill import forget_spilled
from handoff.store.tables import conversations, decisions, messages, outcomes
from handoff.transcript import Customer

T = TypeVar("T")
Pause = Callable[[float], None]

ROWS_A_BATCH = 1_000
# SQLite's writers look for the lock at least so often.
SHORTEST_PAUSE_SECONDS = 0.1
# A file of SQLite that is rewritten in about a second, which is half of what a worker waits.
MOST_REWRITTEN_BYTES = 100 * 2**20

_OWNERS = {
    conversations: conversations.c.id,
    messages: messages.c.conversation_id,
    decisions: decisions.c.conversation_id,
    outcomes: outcomes.c.conversation_id,
}


class Rows(msgspec.Struct, frozen=True):
    """How many rows of each table are meant, or are deleted."""

    conversations: int = 0
    messages: int = 0
    decisions: int = 0
    outcomes: int = 0

    def __add__(self, other: Rows) -> Rows:
        mine, others = msgspec.structs.astuple(self), msgspec.structs.astuple(other)
        return Rows(*(a + b for a, b in zip(mine, others, strict=True)))


class Wanted(msgspec.Struct, frozen=True):
    """What to forget: conversations and customers by their ids as they are stored, or what is older than a time."""

    conversations: tuple[str, ...] = ()
    customers: tuple[str, ...] = ()
    before: datetime | None = None


class Forgotten(msgspec.Struct, frozen=True):
    """What was deleted or would be: rows, and decisions on this machine's disk, `in_use` of which stay there since a
    running worker will bring them into the store. `unknown` are wanted ids of which nothing was found, `damaged` files
    on this disk in which nothing could be looked up."""

    rows: Rows
    spilled: int
    in_use: int
    unknown: tuple[str, ...] = ()
    damaged: int = 0


class _Found(msgspec.Struct, frozen=True):
    """A conversation on the way through all of them."""

    conversation_id: str
    messages: int
    newest_at: datetime
    customer: str | None

    @property
    def customer_id(self) -> str | None:
        """The customer's id as it is stored; None where it is not known."""
        return None if self.customer is None else msgspec.json.decode(self.customer, type=Customer).customer_id


# By when messages were taken in, for `sent_at` is what callers say.
_FOUND = select(
    conversations.c.id,
    conversations.c.messages,
    func.coalesce(messages.c.received_at, conversations.c.created_at, type_=conversations.c.created_at.type),
    conversations.c.customer,
).select_from(
    conversations.outerjoin(
        messages, and_(messages.c.conversation_id == conversations.c.id, messages.c.number == conversations.c.messages)
    )
)


def forget(database: Database, spill: Path, wanted: Wanted, *, really: bool, pause: Pause = time.sleep) -> Forgotten:
    """Delete what is wanted from the database and from the folder of the spill; only count it unless `really`.

    Raises OSError for a spill that cannot be read.
    """
    deletion = Deletion(database, really=really, pause=pause)
    of_customers = _of_customers(deletion, wanted.customers)
    every = dict.fromkeys((*wanted.conversations, *(each for ids in of_customers.values() for each in ids)))
    seen: set[str] = set()

    def is_meant(record: DecisionRecord) -> bool:
        conversation_id = record.answer.conversation_id
        seen.add(conversation_id)
        if wanted.before is None or record.at >= wanted.before:
            return conversation_id in every
        return not deletion.lives(conversation_id, wanted.before)

    # First, for what a starting worker takes from there meanwhile is in the database then.
    left = forget_spilled(spill, is_meant, really=really)
    rows = Rows()
    for each in every:
        removed = deletion.conversations([each])
        if removed != Rows():
            seen.add(each)
        rows += removed
    if wanted.before is not None:
        rows += deletion.older(wanted.before)
    named = [*((each, [each]) for each in wanted.conversations), *of_customers.items()]
    unknown = dict.fromkeys(name for name, ids in named if seen.isdisjoint(ids))
    return Forgotten(rows, left.free, left.in_use, tuple(unknown), left.damaged)


def _of_customers(deletion: Deletion, customers: tuple[str, ...]) -> dict[str, list[str]]:
    """The conversations of each customer."""
    ids: dict[str, list[str]] = {each: [] for each in customers}
    for found in deletion.everything() if customers else ():
        if (customer := found.customer_id) in ids:
            ids[customer].append(found.conversation_id)
    return ids


class Deletion:
    """Deletes; or, unless `really`, counts what it would delete."""

    def __init__(self, database: Database, *, really: bool, pause: Pause = time.sleep) -> None:
        self._database, self._really, self._pause = database, really, pause

    def conversations(self, ids: Sequence[str], before: datetime | None = None) -> Rows:
        """All of these conversations; with `before`, of those whose newest message was taken in before it."""
        thinned = Rows()
        for table in (decisions, outcomes) if self._really else ():
            thinned += self._thinned(table, ids, before)
        return thinned + self._do(lambda connection: self._whole(connection, ids, before))

    def older(self, before: datetime) -> Rows:
        """Conversations whose newest message was taken in before that time, whole; older decisions and outcomes of
        conversations that are not stored. An outcome goes after the decisions that it is about."""
        found = Rows()
        for batch in batches(each for each in self.everything() if each.newest_at < before):
            found += self.conversations(batch, before)
        begun = exists().where(conversations.c.id == decisions.c.conversation_id)
        found += Rows(decisions=self._single(decisions, and_(decisions.c.at < before, not_(begun)), decisions.c.at))
        about = outcomes.c.conversation_id
        stays = or_(
            exists().where(conversations.c.id == about),
            exists().where(decisions.c.conversation_id == about, decisions.c.at >= before),
        )
        return found + Rows(outcomes=self._single(outcomes, and_(outcomes.c.at < before, not_(stays))))

    def everything(self) -> Iterator[_Found]:
        """Every conversation, page by page behind the last one seen, so that no transaction stays open."""
        last = ""
        while True:
            page = _FOUND.where(conversations.c.id > last).order_by(conversations.c.id).limit(ROWS_A_BATCH)
            rows = self._rows(page)
            if not rows:
                return
            yield from map(_found, rows)
            last = rows[-1].id

    def lives(self, conversation_id: str, before: datetime) -> bool:
        """Whether a message of the conversation was taken in since: it stays whole."""
        found = map(_found, self._rows(_FOUND.where(conversations.c.id == conversation_id)))
        return any(each.newest_at >= before for each in found)

    def _whole(self, connection: Connection, ids: Sequence[str], before: datetime | None) -> Rows:
        if self._really:  # whoever writes to one of them waits, or is waited for
            wanted = select(conversations.c.id).where(conversations.c.id.in_(ids)).order_by(conversations.c.id)
            connection.execute(wanted.with_for_update()).all()
        if before is not None:
            again = map(_found, connection.execute(_FOUND.where(conversations.c.id.in_(ids))))
            ids = [found.conversation_id for found in again if found.newest_at < before]
        return Rows(*(self._removed(connection, table, owner.in_(ids)) for table, owner in _OWNERS.items()))

    def _thinned(self, table: Table, ids: Sequence[str], before: datetime | None) -> Rows:
        """Rows of conversations removed beforehand, until few enough for one transaction are left."""
        wanted = select(table.c.number).where(table.c.conversation_id.in_(ids)).limit(ROWS_A_BATCH)
        if before is not None:
            wanted = wanted.where(table.c.at < before)
        removed = 0
        while len(rows := self._rows(wanted)) == ROWS_A_BATCH:
            removed += self._numbered(table, rows)
        return Rows(**{table.name: removed})

    def _single(self, table: Table, meant: ColumnElement[bool], order: ColumnElement[Any] | None = None) -> int:
        """Rows by themselves, looked up beforehand in pages, by an index where there is one: no lock is held for it."""
        if not self._really:
            return self._database.read(lambda connection: self._removed(connection, table, meant))
        place = (table.c.number,) if order is None else (order, table.c.number)
        page, removed = select(*place).where(meant).order_by(*place).limit(ROWS_A_BATCH), 0
        rows = self._rows(page)
        while rows:
            removed += self._numbered(table, rows)
            rows = self._rows(page.where(tuple_(*place) > tuple_(*rows[-1], types=[column.type for column in place])))
        return removed

    def _numbered(self, table: Table, rows: Sequence[Row[Any]]) -> int:
        meant = table.c.number.in_([row.number for row in rows])
        return self._do(lambda connection: self._removed(connection, table, meant))

    def _removed(self, connection: Connection, table: Table, meant: ColumnElement[bool]) -> int:
        if self._really:
            return connection.execute(delete(table).where(meant)).rowcount
        return connection.execute(select(func.count()).select_from(table).where(meant)).scalar() or 0

    def _do(self, work: Callable[[Connection], T]) -> T:
        """In a transaction that ends on disk, and a pause; only looked up unless `really`."""
        if not self._really:
            return self._database.read(work)
        started = time.monotonic()
        done = self._database.write(work, durable=True)
        self._pause(max(SHORTEST_PAUSE_SECONDS, time.monotonic() - started))
        return done

    def _rows(self, wanted: Select[Any]) -> Sequence[Row[Any]]:
        return self._database.read(lambda connection: connection.execute(wanted).all())


def _found(row: Any) -> _Found:
    conversation_id, many, newest_at, customer = row
    return _Found(conversation_id, many, newest_at, customer)


def batches(found: Iterator[_Found]) -> Iterator[list[str]]:
    """Ids of conversations that together have few messages, or of a single one."""
    batch: list[str] = []
    many = 0
    for each in found:
        if batch and many + each.messages > ROWS_A_BATCH:
            yield batch
            batch, many = [], 0
        batch.append(each.conversation_id)
        many += each.messages
    if batch:
        yield batch


class Wiped(msgspec.Struct, frozen=True):
    """Whether the file was rewritten, and whether the journal is empty."""

    rewritten: bool
    emptied: bool


def wipe(database: Database, *, rewrite: bool | None = None) -> Wiped:
    """Take what was deleted out of the files of SQLite, too; None rewrites a file that takes about a second.

    `secure_delete` overwrites rows where they were, but where pages were split before, copies of rows stay in their
    unused parts: only rewriting the file removes those, and nobody else writes meanwhile.
    """
    if not database.is_sqlite:
        return Wiped(rewritten=False, emptied=True)
    if rewrite is None:
        rewrite = Path(database.url.database or "").stat().st_size <= MOST_REWRITTEN_BYTES

    def run(connection: Connection) -> bool:
        if rewrite:
            connection.exec_driver_sql("VACUUM")
        busy: int = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()[0]
        return not busy

    return Wiped(rewritten=rewrite, emptied=database.read(run))
