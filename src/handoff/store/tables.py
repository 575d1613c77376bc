"""The tables. `migrations/` makes them; a test holds the two together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    DateTime,
    Dialect,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.sql.dml import Insert


class UtcTime(TypeDecorator[datetime]):
    """A time in UTC to the microsecond. SQLite knows no time zones: there it is stored without one, and read as UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# SQLite counts up by itself only in a column that is INTEGER and nothing else.
Counter = BigInteger().with_variant(Integer(), "sqlite")

metadata = MetaData()

# One row a conversation. `messages` and `revision` (of what is known beside the messages) are what two workers
# agree by: whoever writes says what it had read. `sealed_name` is the customer's name, which later messages must
# be searched for; encrypted, see seal.py.
conversations = Table(
    "conversations",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("created_at", UtcTime, nullable=False),
    Column("messages", Integer, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("newest_at", UtcTime),
    Column("channel", Text),
    Column("locale", Text),
    Column("customer", Text),
    Column("environment", Text),
    Column("sealed_name", LargeBinary),
)

# `number` counts arrivals, from which places.py works out the order with `sent_at`; `placed_at` is that, or else the
# newest of the conversation at arrival, for whoever sorts in SQL. `raw_text` is there only where an administrator asks.
messages = Table(
    "messages",
    metadata,
    Column("conversation_id", String(200), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("message_id", String(200), nullable=False),
    Column("idempotency_key", String(200)),
    Column("received_at", UtcTime, nullable=False),
    Column("sent_at", UtcTime),
    Column("placed_at", UtcTime),
    Column("role", String(20), nullable=False),
    Column("text", Text, nullable=False),
    Column("raw_text", Text),
    Column("rest", Text, nullable=False),
    Column("decision_id", String(40)),
    UniqueConstraint("conversation_id", "message_id", name="messages_message_id"),
    UniqueConstraint("conversation_id", "idempotency_key", name="messages_idempotency_key"),
)

# Append-only, but for forget.py. `features` is the feature row as little-endian float64, NaN for missing, in the order
# that `feature_names` holds for `features_version`; `rules` and `timings` are JSON; `answer` is what was answered.
decisions = Table(
    "decisions",
    metadata,
    Column("number", Counter, primary_key=True, autoincrement=True),
    Column("id", String(40), nullable=False),
    Column("conversation_id", String(200), nullable=False),
    Column("message_id", String(200)),
    Column("request_id", String(200)),
    Column("at", UtcTime, nullable=False),
    Column("mode", String(20), nullable=False),
    Column("model_version", Text),
    Column("routing_version", Text),
    Column("features_version", Text, nullable=False),
    Column("rules_version", Text, nullable=False),
    Column("policy_version", Text, nullable=False),
    Column("features", LargeBinary, nullable=False),
    Column("rules", Text, nullable=False),
    Column("probability", Float),
    Column("action", String(30), nullable=False),
    Column("reason", String(100)),
    Column("urgency", String(20)),
    Column("decided_by", String(20), nullable=False),
    Column("timings", Text, nullable=False),
    Column("answer", Text, nullable=False),
    UniqueConstraint("id", name="decisions_id"),
    Index("decisions_conversation", "conversation_id"),
    Index("decisions_at", "at"),
)

feature_names = Table(
    "feature_names",
    metadata,
    Column("version", String(40), primary_key=True),
    Column("names", Text, nullable=False),
)

# `decision` is the id of a decision or the request id of its answer. No foreign keys: an outcome may come for a
# conversation that was only ever predicted, or before its decision is written.
outcomes = Table(
    "outcomes",
    metadata,
    Column("number", Counter, primary_key=True, autoincrement=True),
    Column("conversation_id", String(200), nullable=False),
    Column("idempotency_key", String(200), nullable=False),
    Column("decision", Text),
    Column("at", UtcTime, nullable=False),
    Column("agree", Boolean),
    Column("outcome", Text),
    UniqueConstraint("conversation_id", "idempotency_key", name="outcomes_idempotency_key"),
)

# One row, made with the store: see seal.py.
seals = Table(
    "seals",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("material", LargeBinary, nullable=False),
    Column("proof", LargeBinary, nullable=False),
)

# To be said within a transaction of PostgreSQL whose commit is to wait for the disk (database.py says why).
WAIT_FOR_DISK = text("SET LOCAL synchronous_commit = on")


def insert_or_ignore(connection: Connection, table: Table) -> Insert:
    """An INSERT that passes over rows which are there already."""
    return _insert_or_ignore(connection.dialect.name, table)


def insert_or_ignore_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows of the same columns as `insert_or_ignore` does; SQLAlchemy would put together the parameters of each,
    which takes as long as writing them."""
    insert = _prepared(connection.dialect, table, tuple(rows[0]))
    plain = [dict(row) | {name: process(row[name]) for name, process in insert.processors} for row in rows]
    in_order = insert.in_order
    given = plain if in_order is None else [tuple([row[name] for name in in_order]) for row in plain]
    connection.exec_driver_sql(insert.statement, given)


class _Prepared(NamedTuple):
    """A statement as the driver takes it: what makes values of some columns fit for it, and the columns in the order of
    its parameters where these have no names."""

    statement: str
    processors: tuple[tuple[str, Callable[[Any], Any]], ...]
    in_order: tuple[str, ...] | None


@cache
def _prepared(dialect: Dialect, table: Table, columns: tuple[str, ...]) -> _Prepared:
    compiled: Any = _insert_or_ignore(dialect.name, table).compile(dialect=dialect, column_keys=list(columns))
    made = [(name, table.c[name].type.dialect_impl(dialect).bind_processor(dialect)) for name in columns]
    processors = tuple((name, process) for name, process in made if process is not None)
    return _Prepared(str(compiled), processors, tuple(compiled.positiontup) if compiled.positional else None)


@cache  # SQLAlchemy compiles a statement once, and recognises it best when it is the same object
def _insert_or_ignore(dialect: str, table: Table) -> Insert:
    # Only the dialect that is used: PostgreSQL's takes 20 ms to import.
    if dialect == "sqlite":
        from sqlalchemy.dialects import sqlite

        return sqlite.insert(table).on_conflict_do_nothing()
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(table).on_conflict_do_nothing()
