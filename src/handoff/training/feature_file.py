"""Features and labels as a Parquet file, for exploring. Written group by group: memory does not grow with the data.

Conversations are independent, so that groups of them are worked on by several processes; the file is the same.
"""

from __future__ import annotations

import os
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import chain, islice
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from handoff.features import FEATURE_NAMES, FEATURES_VERSION
from handoff.features.follower import Moment, follow
from handoff.training.labels import TARGETS, EscalationTarget, labelled
from handoff.transcript import Conversation, to_json
from handoff.transcript.outcomes import before_the_end

if TYPE_CHECKING:
    import pandas as pd

# A group keeps a process busy for about a second, and takes some 20 MB as columns.
MESSAGES_IN_GROUP = 10_000
# Groups under way for each process; more would only wait in memory.
GROUPS_AHEAD = 2
KEYS = ("conversation_id", "message_id", "customer_id", "index", "role", "sent_at", "episode")


class Written(msgspec.Struct, frozen=True):
    """What was written."""

    conversations: int
    rows: int
    features: int
    features_version: str


def write_features(conversations: Iterable[Conversation], out: Path, processes: int | None = None) -> Written:
    """Write a row for every message that is read; `y_<target>` is null where it makes no row under a target.

    `processes` work on it, by default as many as there are cores for this one; one is enough for a single group.
    """
    import pyarrow.parquet as parquet

    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = out.with_name(f".{out.name}.{os.getpid()}")
    counts = [0, 0]
    try:
        with parquet.ParquetWriter(temporary, _schema()) as writer:
            for table in _tables(_groups(conversations, counts), processes or len(os.sched_getaffinity(0))):
                counts[1] += table.num_rows
                writer.write_table(table)
        temporary.replace(out)
    finally:
        temporary.unlink(missing_ok=True)
    return Written(counts[0], counts[1], len(FEATURE_NAMES), FEATURES_VERSION)


def feature_frame(conversations: Iterable[Conversation]) -> pd.DataFrame:
    """The same rows as a pandas DataFrame, for notebooks."""
    frame: pd.DataFrame = feature_table(conversations).to_pandas()
    return frame


def feature_table(conversations: Iterable[Conversation]) -> Any:
    """The same rows as an Arrow table."""
    import pyarrow as pa

    values, keys = array("d"), [list[Any]() for _ in KEYS]
    labels: dict[EscalationTarget, list[int | None]] = {target: [] for target in TARGETS}
    for conversation in conversations:
        moments = list(follow(before_the_end(conversation)))
        rows = [moment for moment in moments if moment.read]
        for moment in rows:
            values.extend(moment.row)
            for column, key in zip(keys, _keys(conversation, moment), strict=True):
                column.append(key)
        for target, marks in labels.items():
            known = {row.moment.index: row.y for row in labelled(conversation, moments, target)}
            marks.extend(known.get(moment.index) for moment in rows)
    schema = _schema()
    matrix = np.frombuffer(values, dtype=np.float64).reshape(-1, len(FEATURE_NAMES))
    plain = [*keys, *labels.values()]
    columns = [pa.array(column, field.type) for column, field in zip(plain, schema, strict=False)]
    features = [pa.array(column, mask=np.isnan(column)) for column in np.ascontiguousarray(matrix.T)]
    return pa.Table.from_arrays([*columns, *features], schema=schema)


def _tables(groups: Iterator[list[Conversation]], processes: int) -> Iterator[Any]:
    """A table a group, in their order."""
    first = list(islice(groups, 2))
    if len(first) < 2 or processes == 1:
        yield from map(feature_table, chain(first, groups))
        return
    # Started afresh: a fork would copy whatever threads this process has, half-way through what they do.
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        yield from _in_order(pool.submit, chain(first, groups), processes * GROUPS_AHEAD)


def _in_order(
    submit: Callable[..., Future[Any]], groups: Iterable[list[Conversation]], most_ahead: int
) -> Iterator[Any]:
    waiting: deque[Future[Any]] = deque()
    for group in groups:
        # As JSON they cross over to the other process several times faster than as objects.
        waiting.append(submit(_table_of_json, [to_json(conversation) for conversation in group]))
        if len(waiting) > most_ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _table_of_json(group: list[bytes]) -> Any:
    decode = msgspec.json.Decoder(Conversation).decode  # checked already where it was read
    return feature_table(map(decode, group))


def _groups(conversations: Iterable[Conversation], counts: list[int]) -> Iterator[list[Conversation]]:
    group: list[Conversation] = []
    messages = 0
    for conversation in conversations:
        counts[0] += 1
        group.append(conversation)
        messages += len(conversation.messages)
        if messages >= MESSAGES_IN_GROUP:
            yield group
            group, messages = [], 0
    if group:
        yield group


def _keys(conversation: Conversation, moment: Moment) -> tuple[Any, ...]:
    message = moment.message
    return (
        conversation.conversation_id,
        message.message_id,
        conversation.facts.customer_id,
        moment.index,
        message.role,
        message.sent_at,
        moment.episode,
    )


def _schema() -> Any:
    import pyarrow as pa

    kinds = {"index": pa.int32(), "episode": pa.int32(), "sent_at": pa.timestamp("us", tz="UTC")}
    fields = [pa.field(key, kinds.get(key, pa.string())) for key in KEYS]
    fields += [pa.field(f"y_{target}", pa.int8()) for target in TARGETS]
    return pa.schema([*fields, *(pa.field(name, pa.float64()) for name in FEATURE_NAMES)])
