"""Conversations in the tables: what is read of them, and the one statement by which they grow.

Workers agree without waiting for each other: whoever appends says how many messages it knew of and at which revision
the facts were, and the append happens only if that still holds. Who was too late reads on and tries again.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, and_, bindparam, insert, or_, select, update
from sqlalchemy.sql import Select

from handoff.store.decisions import DecisionRecord, insert_decisions
from handoff.store.facts import UNKNOWN, Facts, masked
from handoff.store.outcomes import mask_outcomes
from handoff.store.places import Place, place
from handoff.store.seal import Seal
from handoff.store.tables import WAIT_FOR_DISK, conversations, decisions, insert_or_ignore, messages
from handoff.transcript import Conversation, Customer, Environment, Message

# Fields of a message that have no column of their own.
_REST = tuple(
    field for field in Message.__struct_fields__ if field not in ("role", "text", "message_id", "sent_at", "label")
)


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation without its messages. `name` is the customer's, in clear; `facts` are masked.

    `messages` is how many there are and `revision` counts changes of the facts; both are 0, and `exists` False,
    for one that nobody has written to. By `begun_at` whoever remembers one that was forgotten cannot append to the
    one of the same id that came after it.
    """

    conversation_id: str
    facts: Facts = UNKNOWN
    name: str | None = None
    messages: int = 0
    revision: int = 0
    newest_at: datetime | None = None
    begun_at: datetime | None = None
    exists: bool = False

    def as_conversation(self, known: Iterable[Kept]) -> Conversation:
        """The conversation with these messages, in their places."""
        return Conversation(
            conversation_id=self.conversation_id,
            messages=tuple(kept.message for _, kept in sorted(placed(known))),
            channel=self.facts.channel,
            locale=self.facts.locale,
            customer=self.facts.customer,
            environment=self.facts.environment,
        )


class Begun(msgspec.Struct, frozen=True):
    """When the first message of a conversation came."""

    at: datetime
    conversation_id: str


class Kept(msgspec.Struct, frozen=True):
    """A stored message: the how manieth that arrived, its idempotency key and itself, redacted."""

    number: int
    key: str | None
    message: Message


class Known(msgspec.Struct, frozen=True):
    """A message that came before, and the JSON of what was answered then, if anything was."""

    kept: Kept
    answer: str | None


class Glance(msgspec.Struct, frozen=True):
    """How far a conversation is: how many messages, which revision, and whether a given message is among them."""

    messages: int
    revision: int
    is_known: bool


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be appended: a message that carries its id and is redacted, and all that changes with it.

    `facts` and `name` are the conversation's from now on; `decision` is what was decided with the message.
    """

    kept: Kept
    received_at: datetime
    facts: Facts
    name: str | None
    raw_text: str | None = None
    decision: DecisionRecord | None = None

    @property
    def is_durable(self) -> bool:
        """Whether it must be on disk before anybody hears of it."""
        return self.decision is not None and self.decision.escalates


def after(header: Header, entry: Entry) -> Header:
    """The header once the entry is appended."""
    learnt = entry.facts != header.facts or entry.name != header.name
    return Header(
        conversation_id=header.conversation_id,
        facts=entry.facts,
        name=entry.name,
        messages=entry.kept.number,
        revision=header.revision + (header.exists and learnt),
        newest_at=_newest(header, entry),
        begun_at=header.begun_at if header.exists else entry.received_at,
        exists=True,
    )


def placed(known: Iterable[Kept], newest: Place | None = None) -> list[tuple[Place, Kept]]:
    """Each message with its place, in the order of arrival; `newest` is the last place of those that came before."""
    found = []
    for each in known:
        its_place = place(each.message, each.number, newest)
        newest = its_place if newest is None else max(newest, its_place)
        found.append((its_place, each))
    return found


def _same(name: str) -> Any:
    return messages.c.conversation_id == bindparam(name)


_SAME_MESSAGE = or_(messages.c.message_id == bindparam("message_id"), messages.c.idempotency_key == bindparam("key"))
_HEADER = select(conversations).where(conversations.c.id == bindparam("id"))
_GLANCE: Select[Any] = select(
    conversations.c.messages,
    conversations.c.revision,
    select(messages.c.number).where(_same("id"), _SAME_MESSAGE).limit(1).scalar_subquery().label("known"),
).where(conversations.c.id == bindparam("id"))
_BETWEEN = (
    select(messages)
    .where(_same("id"), messages.c.number > bindparam("after"), messages.c.number <= bindparam("up_to"))
    .order_by(messages.c.number)
)
_KNOWN: Select[Any] = (
    select(messages, decisions.c.answer)
    .select_from(messages.outerjoin(decisions, messages.c.decision_id == decisions.c.id))
    .where(_same("id"), _SAME_MESSAGE)
    .order_by(messages.c.number)
)
_GROW = (
    update(conversations)
    .where(
        conversations.c.id == bindparam("old_id"),
        conversations.c.messages == bindparam("old_messages"),
        conversations.c.revision == bindparam("old_revision"),
        conversations.c.created_at == bindparam("old_begun_at"),
    )
    .values(messages=bindparam("new_messages"), newest_at=bindparam("new_newest_at"))
)
_GROW_AND_LEARN = _GROW.values(
    revision=bindparam("new_revision"),
    channel=bindparam("new_channel"),
    locale=bindparam("new_locale"),
    customer=bindparam("new_customer"),
    environment=bindparam("new_environment"),
    sealed_name=bindparam("new_sealed_name"),
)
_MASK = (
    update(messages)
    .where(_same("old_id"), messages.c.number == bindparam("old_number"))
    .values(text=bindparam("new_text"))
)


def begun_after(
    connection: Connection, last: Begun | None, since: datetime | None, until: datetime | None, most: int
) -> list[Begun]:
    """The next so many conversations behind `last`, oldest first, of those begun from `since` on and before `until`."""
    at, id_ = conversations.c.created_at, conversations.c.id
    wanted = select(at, id_).order_by(at, id_).limit(most)
    if last is not None:
        wanted = wanted.where(or_(at > last.at, and_(at == last.at, id_ > last.conversation_id)))
    if since is not None:
        wanted = wanted.where(at >= since)
    if until is not None:
        wanted = wanted.where(at < until)
    return [Begun(*row) for row in connection.execute(wanted)]


def read_header(connection: Connection, seal: Seal, conversation_id: str) -> Header:
    """The conversation's header."""
    return _header(connection, seal, _HEADER, conversation_id)


def lock_header(connection: Connection, seal: Seal, conversation_id: str, now: datetime) -> Header:
    """The same, and nobody else appends until the transaction ends. Makes the conversation if there is none."""
    empty = {"id": conversation_id, "created_at": now, "messages": 0, "revision": 0}
    while True:
        connection.execute(insert_or_ignore(connection, conversations), empty)
        header = _header(connection, seal, _HEADER.with_for_update(), conversation_id)
        if header.exists:  # else it was there, and forgotten before it was locked
            return header


def _header(connection: Connection, seal: Seal, statement: Select[Any], conversation_id: str) -> Header:
    row = connection.execute(statement, {"id": conversation_id}).one_or_none()
    if row is None:
        return Header(conversation_id=conversation_id)
    customer = None if row.customer is None else msgspec.json.decode(row.customer, type=Customer)
    environment = None if row.environment is None else msgspec.json.decode(row.environment, type=Environment)
    return Header(
        conversation_id=conversation_id,
        facts=Facts(customer=customer, environment=environment, channel=row.channel, locale=row.locale),
        name=seal.open(conversation_id, row.sealed_name),
        messages=row.messages,
        revision=row.revision,
        newest_at=row.newest_at,
        begun_at=row.created_at,
        exists=True,
    )


def glance(connection: Connection, conversation_id: str, message_id: str | None, key: str | None) -> Glance:
    """How far the conversation is, by one look into two indexes."""
    row = connection.execute(_GLANCE, {"id": conversation_id, "message_id": message_id, "key": key}).one_or_none()
    return Glance(0, 0, False) if row is None else Glance(row.messages, row.revision, row.known is not None)


def messages_between(connection: Connection, conversation_id: str, after: int, up_to: int) -> list[Kept]:
    """The messages that arrived after the `after`th, up to the `up_to`th, in the order of their arrival."""
    rows = connection.execute(_BETWEEN, {"id": conversation_id, "after": after, "up_to": up_to})
    return [_kept(row) for row in rows]


def find_known(connection: Connection, conversation_id: str, message_id: str | None, key: str | None) -> list[Known]:
    """The messages that have this id or this idempotency key: at most one each."""
    rows = connection.execute(_KNOWN, {"id": conversation_id, "message_id": message_id, "key": key})
    return [Known(_kept(row), row.answer) for row in rows]


def append(connection: Connection, seal: Seal, header: Header, entry: Entry) -> bool:
    """Append to the conversation as it was when `header` was read; False, and nothing done, when it has changed.

    The caller flushes what `is_durable` once it is committed. Raises `sqlalchemy.exc.IntegrityError` when the
    message's id or key is there already.
    """
    learnt = entry.facts != header.facts or entry.name != header.name
    if not (
        _grow(connection, seal, header, entry, learnt) if header.exists else _begin(connection, seal, header, entry)
    ):
        return False
    if entry.is_durable and connection.dialect.name == "postgresql":
        connection.execute(WAIT_FOR_DISK)
    if entry.name != header.name:
        _mask_what_is_there(connection, header, entry.name)
    connection.execute(insert(messages), _message_row(header, entry))
    if entry.decision is not None:
        insert_decisions(connection, [entry.decision])
    return True


def note_decision(connection: Connection, number: int, decision: DecisionRecord) -> None:
    """Note what was decided with a message that was appended without, unless somebody else has."""
    about = messages.c.conversation_id == decision.answer.conversation_id, messages.c.number == number
    without = update(messages).where(*about, messages.c.decision_id.is_(None))
    if not connection.execute(without.values(decision_id=decision.id)).rowcount:
        return
    if decision.escalates and connection.dialect.name == "postgresql":
        connection.execute(WAIT_FOR_DISK)
    insert_decisions(connection, [decision])


def _begin(connection: Connection, seal: Seal, header: Header, entry: Entry) -> bool:
    row = _new_row(seal, header, entry)
    made = connection.execute(insert_or_ignore(connection, conversations).returning(conversations.c.id), row)
    return made.first() is not None


def _grow(connection: Connection, seal: Seal, header: Header, entry: Entry, learnt: bool) -> bool:
    change = _change(seal, header, entry, learnt)
    grown: int = connection.execute(_GROW_AND_LEARN if learnt else _GROW, change).rowcount
    return grown == 1


def _mask_what_is_there(connection: Connection, header: Header, name: str | None) -> None:
    """A name that is learnt late is masked in what was said and reported before, too."""
    mask_outcomes(connection, header.conversation_id, name)
    before = messages_between(connection, header.conversation_id, 0, header.messages) if header.messages else ()
    for known in before:
        again = masked(known.message, name)
        if again is not known.message:
            values = {"old_id": header.conversation_id, "old_number": known.number, "new_text": again.text}
            connection.execute(_MASK, values)


def _newest(header: Header, entry: Entry) -> datetime | None:
    times = [at for at in (header.newest_at, entry.kept.message.sent_at) if at is not None]
    return max(times, default=None)


def _fact_columns(seal: Seal, conversation_id: str, entry: Entry) -> dict[str, Any]:
    facts = entry.facts
    return {
        "channel": facts.channel,
        "locale": facts.locale,
        "customer": None if facts.customer is None else msgspec.json.encode(facts.customer).decode(),
        "environment": None if facts.environment is None else msgspec.json.encode(facts.environment).decode(),
        "sealed_name": seal.close(conversation_id, entry.name),
    }


def _new_row(seal: Seal, header: Header, entry: Entry) -> dict[str, Any]:
    return {
        "id": header.conversation_id,
        "created_at": entry.received_at,
        "messages": entry.kept.number,
        "revision": 0,
        "newest_at": _newest(header, entry),
        **_fact_columns(seal, header.conversation_id, entry),
    }


def _change(seal: Seal, header: Header, entry: Entry, learnt: bool) -> dict[str, Any]:
    change = {
        "old_id": header.conversation_id,
        "old_messages": header.messages,
        "old_revision": header.revision,
        "old_begun_at": header.begun_at,
        "new_messages": entry.kept.number,
        "new_newest_at": _newest(header, entry),
    }
    if learnt:
        columns = _fact_columns(seal, header.conversation_id, entry)
        change |= {f"new_{name}": value for name, value in columns.items()}
        change["new_revision"] = header.revision + 1
    return change


def _message_row(header: Header, entry: Entry) -> dict[str, Any]:
    message = entry.kept.message
    rest = {field: value for field in _REST if (value := getattr(message, field)) is not None}
    return {
        "conversation_id": header.conversation_id,
        "number": entry.kept.number,
        "message_id": message.message_id,
        "idempotency_key": entry.kept.key,
        "received_at": entry.received_at,
        "sent_at": message.sent_at,
        "placed_at": header.newest_at if message.sent_at is None else message.sent_at,
        "role": message.role,
        "text": message.text,
        "raw_text": entry.raw_text,
        "rest": msgspec.json.encode(rest).decode(),
        "decision_id": None if entry.decision is None else entry.decision.id,
    }


def _kept(row: Row[Any]) -> Kept:
    rest = msgspec.json.decode(row.rest)
    message = Message(role=row.role, text=row.text, message_id=row.message_id, sent_at=row.sent_at, **rest)
    return Kept(row.number, row.idempotency_key, message)
