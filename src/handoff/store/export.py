"""The decision log as a Parquet file, in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import Connection, Row, func, select

from handoff.files import whole
from handoff.store.database import Database
from handoff.store.decisions import feature_row
from handoff.store.tables import decisions, feature_names

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_A_PAGE = 1_000
# What customers wrote, and what was decided about them: for who exports it, as the store's own files.
MODE = 0o600

_TEXTS = (
    "id", "conversation_id", "message_id", "request_id", "mode", "model_version", "routing_version",
    "features_version", "rules_version", "policy_version", "action", "reason", "urgency", "decided_by",
)  # fmt: skip


def export_decisions(
    database: Database,
    path: Path,
    since: datetime | None = None,
    until: datetime | None = None,
    step: Callable[[], None] = lambda: None,
) -> int:
    """Write the decisions made from `since` on and before `until`, in the order in which they were stored;
    how many there were. `step` is called once a decision.

    The file appears whole or not at all. Columns are those of the table, but `rules` is a list, `features` and
    `timings` are maps from names to numbers, and `answer` is JSON. A missing feature is null.
    """
    import pyarrow.parquet as pq

    names = database.read(_feature_names)
    written = 0
    with whole(path, MODE) as partial, pq.ParquetWriter(partial, schema(), compression="zstd") as file:
        for rows in _pages(database, since, until):
            file.write_table(_table(rows, names))
            written += len(rows)
            for _ in rows:
                step()
    return written


def schema() -> pa.Schema:
    """The columns of the file."""
    import pyarrow as pa

    fields = [pa.field(name, pa.string()) for name in _TEXTS]
    at, numbers = pa.field("at", pa.timestamp("us", "UTC")), pa.map_(pa.string(), pa.float64())
    return pa.schema(
        [
            *fields[:4], at, *fields[4:],
            pa.field("probability", pa.float64()),
            pa.field("rules", pa.list_(pa.string())),
            pa.field("features", numbers),
            pa.field("timings", numbers),
            pa.field("answer", pa.string()),
        ]
    )  # fmt: skip


def _pages(database: Database, since: datetime | None, until: datetime | None) -> Iterator[Sequence[Row[Any]]]:
    """Page by page behind the last row seen, so that no transaction stays open; what comes later is left out."""
    last, end = 0, database.read(lambda c: c.execute(select(func.max(decisions.c.number))).scalar() or 0)
    statement = select(decisions).where(decisions.c.number <= end).order_by(decisions.c.number).limit(ROWS_A_PAGE)
    if since is not None:
        statement = statement.where(decisions.c.at >= since)
    if until is not None:
        statement = statement.where(decisions.c.at < until)
    while True:
        page = statement.where(decisions.c.number > last)
        rows = database.read(lambda c, page=page: c.execute(page).all())  # type: ignore[misc]
        if not rows:
            return
        yield rows
        last = rows[-1].number


def _feature_names(connection: Connection) -> dict[str, list[str]]:
    rows = connection.execute(select(feature_names))
    return {row.version: msgspec.json.decode(row.names, type=list[str]) for row in rows}


def _table(rows: Sequence[Row[Any]], names: dict[str, list[str]]) -> pa.Table:
    import pyarrow as pa

    return pa.Table.from_pylist([_values(row, names) for row in rows], schema=schema())


def _values(row: Row[Any], names: dict[str, list[str]]) -> dict[str, Any]:
    features = zip(names[row.features_version], feature_row(row.features), strict=True)
    return {
        **{name: getattr(row, name) for name in (*_TEXTS, "at", "probability", "answer")},
        "rules": msgspec.json.decode(row.rules),
        "features": [(name, None if math.isnan(value) else value) for name, value in features],
        "timings": list(msgspec.json.decode(row.timings).items()),
    }
