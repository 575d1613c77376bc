"""The store: conversations by message, the decision log, and outcomes, in SQLite or PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
from sqlalchemy import Connection, false, update

from handoff.errors import BadRecord, Problem, StoreUnavailable
from handoff.store import conversations as rows
from handoff.store.conversations import Entry, Header
from handoff.store.database import Database
from handoff.store.decisions import DecisionRecord, read_decisions, without_personal_ids
from handoff.store.export import export_decisions
from handoff.store.facts import UNKNOWN, Facts
from handoff.store.forget import Forgotten, Wanted, Wiped, forget, wipe
from handoff.store.incoming import Incoming
from handoff.store.log import MOST_QUEUED, DecisionLog, Stored
from handoff.store.outcomes import Feedback, Recorded, Reported, read_outcomes, record, together
from handoff.store.spill import Spill
from handoff.store.tables import conversations, decisions, messages, outcomes
from handoff.store.transcripts import Transcripts, export_conversations
from handoff.transcript import Conversation, Message
from handoff.transcript.redact import masked_id
from handoff.transcript.types import MAX_MESSAGES

# How long a transaction may take before the store counts as unavailable.
SECONDS = 2.0
# Looked up together, then read one by one.
IDS_A_PAGE = 10_000


class Appended(msgspec.Struct, frozen=True):
    """A message as it is stored. `is_new` is False when it was there already; `answer` is then the JSON of what was
    answered with it, None where nothing was."""

    conversation_id: str
    message: Message
    is_new: bool
    answer: str | None = None


def _now() -> datetime:
    return datetime.now(UTC)


def open_store(
    url: str,
    *,
    secret: str | None = None,
    keep_raw_text: bool = False,
    seconds: float = SECONDS,
    must_exist: bool = False,
) -> Store:
    """The store at `url`, migrated and ready. Raises `StoreUnavailable` when it does not answer, `BadInput` when the
    URL, the secret or the database's version cannot be used.

    `sqlite:////var/lib/handoff/handoff.sqlite`, or `postgresql://user@host/database`. `secret` protects the customers'
    names (seal.py); `keep_raw_text` stores texts as they came, too; `must_exist` makes no new file of SQLite.
    """
    store = Store(url, secret=secret, keep_raw_text=keep_raw_text, seconds=seconds, must_exist=must_exist)
    try:
        store.database.prepare()
    except BaseException:
        store.close()
        raise
    return store


class Store:
    """One store, for any number of threads. Connects when first needed, so that it may be made while the database is
    down; every method raises `StoreUnavailable` within a bounded time while it is."""

    def __init__(
        self,
        url: str,
        *,
        secret: str | None = None,
        keep_raw_text: bool = False,
        seconds: float = SECONDS,
        must_exist: bool = False,
        most_messages: int = MAX_MESSAGES,
        most_queued: int = MOST_QUEUED,
        spill: Path | None = None,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        """`most_messages` is how long a conversation may become. `spill` is a folder on this machine for decisions
        that escalate while the store is away."""
        self.database = Database(url, secret=secret, seconds=seconds, must_exist=must_exist)
        self.clock, self._keep_raw_text, self._most_messages = clock, keep_raw_text, most_messages
        self._seconds, self._secret = seconds, secret
        self._log = DecisionLog(self.database, most_queued=most_queued, spill=None if spill is None else Spill(spill))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> int:
        """Store the decisions in line and let go of the database; the number of decisions that are lost."""
        lost = self._log.close()
        self.database.close()
        return lost

    def hide(self, identifier: str) -> str:
        """An identifier as it is stored: itself, unless it holds personal data."""
        return masked_id(identifier, self._secret)

    def hidden(self, message: Message, facts: Facts) -> tuple[Message, Facts]:
        """Both with the ids in them as they are stored."""
        if message.message_id is not None:
            message = msgspec.structs.replace(message, message_id=self.hide(message.message_id))
        if facts.customer is not None and facts.customer.customer_id is not None:
            customer = msgspec.structs.replace(facts.customer, customer_id=self.hide(facts.customer.customer_id))
            facts = msgspec.structs.replace(facts, customer=customer)
        return message, facts

    def append_message(
        self, conversation_id: str, message: Message, facts: Facts = UNKNOWN, *, key: str | None = None
    ) -> Appended:
        """Append a message; the same one twice (by id, or by idempotency key) changes nothing.

        `facts` fill in what is not known yet. Without an id the message gets the next free "m1", "m2" …. Raises
        `BadRecord` for what cannot be stored, `Conflict` when its id or key stands for another message.
        """
        message, facts = self.hidden(message, facts)
        return self.append(
            Incoming.of(self.hide(conversation_id), message, facts, None if key is None else self.hide(key))
        )

    def append(self, incoming: Incoming) -> Appended:
        """The same with a message whose ids are hidden already."""
        return self.database.write(lambda connection: self._append(connection, incoming))

    def entry(self, incoming: Incoming, header: Header, message_id: str) -> Entry:
        """What to append for the message under this id. Raises `BadRecord` when the conversation is full."""
        if header.messages >= self._most_messages:
            raise BadRecord(Problem("message", f"the conversation has {header.messages:,} already", "a new one"))
        return incoming.entry(header, message_id, self.clock(), keep_raw_text=self._keep_raw_text)

    def check(self) -> None:
        """Raise `StoreUnavailable` unless every table is there and may be written just now. Changes nothing."""

        def touch(connection: Connection) -> None:
            for table in (conversations, messages, decisions, outcomes):
                key = table.primary_key.columns[0]
                connection.execute(update(table).where(false()).values({key: key}))

        self.database.write(touch)

    def conversation(self, conversation_id: str) -> Conversation | None:
        """The conversation so far, personal data masked; None when nothing is known of it."""
        conversation_id = self.hide(conversation_id)

        def read(connection: Connection) -> Conversation | None:
            header = rows.read_header(connection, self.database.seal, conversation_id)
            if not header.messages:
                return None
            return header.as_conversation(rows.messages_between(connection, conversation_id, 0, header.messages))

        return self.database.read(read)

    def conversations(self, since: datetime | None = None, until: datetime | None = None) -> Iterator[Conversation]:
        """Every conversation begun from `since` on and before `until`, oldest first, masked, with what was reported of
        its end; read one after the other, in transactions of their own."""
        last: rows.Begun | None = None
        while begun := self.database.read(lambda c, last=last: rows.begun_after(c, last, since, until, IDS_A_PAGE)):  # type: ignore[misc]
            for last in begun:
                found = self.with_outcome(last.conversation_id)
                if found is not None:
                    yield found

    def with_outcome(self, conversation_id: str) -> Conversation | None:
        """The conversation as `conversations` has it; None when nothing is known of it."""
        found = self.conversation(conversation_id)
        if found is None:
            return None
        return msgspec.structs.replace(found, outcome=together(self.outcomes(conversation_id)))

    def log(self, decisions: Sequence[DecisionRecord]) -> None:
        """Log decisions. Returns once those that escalate are on disk; the others follow in the next commit.

        Raises `Overloaded`, with nothing taken on, when too many wait already, and `StoreUnavailable` when those that
        escalate could not be stored now: they stay in line and are tried again.
        """
        if not any(record.escalates for record in decisions):
            self.put(decisions)
            return
        try:
            self.submit(decisions).result(timeout=2 * self._seconds + 1)
        except TimeoutError:
            raise StoreUnavailable("the decision log does not keep up; the decisions stay in line") from None

    def submit(self, decisions: Sequence[DecisionRecord]) -> Stored:
        """Log decisions without waiting: the future is done once they are stored, on disk where they escalate.

        For asyncio: `await asyncio.wrap_future(store.submit(…))`. Fails and raises as `log` does.
        """
        return self._log.submit([without_personal_ids(record, self.hide) for record in decisions])

    def put(self, decisions: Sequence[DecisionRecord]) -> None:
        """Log decisions that nobody waits for. Raises `Overloaded`."""
        self._log.put([without_personal_ids(record, self.hide) for record in decisions])

    def keep(self, decisions: Sequence[DecisionRecord]) -> None:
        """Those that escalate are on this machine's disk when this returns, where there is a spill and it works."""
        self._log.keep([without_personal_ids(record, self.hide) for record in decisions])

    def take_over(self) -> int:
        """Store also what killed processes have left on this machine's disk; how many decisions that were."""
        return self._log.take_over()

    def has_room(self, count: int) -> bool:
        """Whether so many more decisions would be taken on."""
        return self._log.has_room(count)

    @property
    def queued(self) -> int:
        """How many logged decisions are not stored yet."""
        return self._log.queued

    @property
    def spilled(self) -> int:
        """How many of them are on this machine's disk meanwhile."""
        return self._log.spilled

    @property
    def outage(self) -> StoreUnavailable | None:
        """Why the logged decisions could not be stored when it was last tried; None when they could."""
        return self._log.outage

    @property
    def unkept(self) -> str | None:
        """Why decisions that escalate are in memory only while the store is away; None when they are not."""
        return self._log.unkept

    def decisions(self, conversation_id: str) -> list[DecisionRecord]:
        """All stored decisions on a conversation, in the order in which they were stored."""
        return self.database.read(lambda connection: read_decisions(connection, self.hide(conversation_id)))

    def export_decisions(
        self,
        path: Path,
        since: datetime | None = None,
        until: datetime | None = None,
        step: Callable[[], None] = lambda: None,
    ) -> int:
        """Write the decisions from `since` on and before `until` to a Parquet file; how many there were."""
        return export_decisions(self.database, path, since, until, step)

    def export_conversations(
        self,
        path: Path,
        since: datetime | None = None,
        until: datetime | None = None,
        *,
        unfinished: bool = False,
        step: Callable[[], None] = lambda: None,
    ) -> Transcripts:
        """Write `conversations` as native JSON Lines or Parquet; without `unfinished` only those whose end is known."""
        return export_conversations(self.conversations(since, until), path, unfinished=unfinished, step=step)

    def record_outcome(self, feedback: Feedback) -> Recorded:
        """Store what happened, or agree/disagree, once. Raises `Conflict` when its key came with something else."""
        hidden = msgspec.structs.replace(
            feedback,
            conversation_id=self.hide(feedback.conversation_id),
            key=None if feedback.key is None else self.hide(feedback.key),
            decision=None if feedback.decision is None else self.hide(feedback.decision),
        )

        def write(connection: Connection) -> Recorded:
            header = rows.read_header(connection, self.database.seal, hidden.conversation_id)
            return record(connection, hidden, self.clock(), header.name)

        return self.database.write(write)

    def outcomes(self, conversation_id: str) -> list[Reported]:
        """All that was reported on a conversation, in the order in which it came."""
        return self.database.read(lambda connection: read_outcomes(connection, self.hide(conversation_id)))

    def forget(self, wanted: Wanted, spill: Path, *, really: bool) -> Forgotten:
        """Delete what is wanted, ids as they came or as they are stored; only count it unless `really`. `spill` is the
        folder where this machine's workers keep what the store does not take."""
        hide = self.hide
        conversations, customers = (tuple(map(hide, ids)) for ids in (wanted.conversations, wanted.customers))
        hidden = msgspec.structs.replace(wanted, conversations=conversations, customers=customers)
        return forget(self.database, spill, hidden, really=really)

    def wipe(self, *, rewrite: bool | None = None) -> Wiped:
        """Take what was deleted out of the files of SQLite, too; None rewrites a file of up to 100 MiB."""
        return wipe(self.database, rewrite=rewrite)

    def _append(self, connection: Connection, incoming: Incoming) -> Appended:
        seal, now, identity = self.database.seal, self.clock(), incoming.conversation_id
        header = rows.lock_header(connection, seal, identity, now)
        found = rows.find_known(connection, identity, incoming.message.message_id, incoming.key)
        known = incoming.recognised(header, found)
        if known is not None:
            return Appended(identity, known.kept.message, False, known.answer)
        message_id = incoming.message.message_id or free_id(connection, header)
        entry = self.entry(incoming, header, message_id)
        rows.append(connection, seal, header, entry)
        return Appended(identity, entry.kept.message, True)


def free_id(connection: Connection, header: Header) -> str:
    """The id of the next message where it brings none: "m3" for the third, as in a whole conversation."""
    wanted = f"m{header.messages + 1}"
    candidates = (wanted if n == 0 else f"{wanted}-{n}" for n in count())
    return next(c for c in candidates if not rows.find_known(connection, header.conversation_id, c, None))
