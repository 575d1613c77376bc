"""What the messages of some conversations say, as an Arrow table: the costly part of making features.

One row a message that is read: keys, labels, and what it says in numbers (`handoff.features.recorder`). Such tables
may be kept in a folder, so that a second run, with a feature more, reads no text again. They hold no text.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from operator import ne
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handoff.features import FEATURE_NAMES
from handoff.features.columns import features
from handoff.features.follower import Noted
from handoff.features.recorder import COLUMNS, record
from handoff.files import whole
from handoff.signals import lexicon_version
from handoff.training.labels import TARGETS, EscalationTarget, every_label
from handoff.transcript import Conversation
from handoff.transcript.outcomes import before_the_end

KEYS = ("conversation_id", "message_id", "customer_id", "index", "role", "sent_at", "episode")
LABELS = tuple(f"y_{target}" for target in TARGETS)
FLAGS = ("starts", "by_customer")  # whether the row is the first of its episode, and whether the customer wrote it

_EPOCH, _MICROSECOND = datetime.fromtimestamp(0, UTC), timedelta(microseconds=1)

# So many messages at least are read together.
MESSAGES_TOGETHER = 2_000

# The sources of this package on which a signal table depends. Those of the features over it are not among them.
_SOURCES = ("kept.py", "transcript", "signals", "training/labels.py", "training/signal_table.py")
_SOURCES_OF_ROWS = ("formats/columns.py", "formats/parquet.py")
_SOURCES_OF_FEATURES = ("features/follower.py", "features/heard.py", "features/recorder.py", "features/signals.py")


def signal_table(conversations: Iterable[Conversation]) -> Any:
    """The signals of the conversations' messages that are read."""
    import pyarrow as pa

    values, keys = array("d"), [list[Any]() for _ in KEYS]
    starts, by_customer = list[bool](), list[bool]()
    marks: dict[EscalationTarget, list[int | None]] = {target: [] for target in TARGETS}
    for some in _some_together(conversations):
        recorded = record(list(map(before_the_end, some)))
        for conversation, moments in zip(some, recorded, strict=True):
            rows = [moment for moment in moments if moment.read]
            for moment in rows:
                values.extend(moment.row)
            episodes = [moment.episode for moment in rows]
            starts.extend(map(ne, episodes, [-1, *episodes]))
            by_customer.extend(moment.message.role == "customer" for moment in rows)
            for key, column in zip(_keys(conversation, rows), keys, strict=True):
                column.extend(key)
            for target, label in every_label(conversation, moments).items():
                marks[target].extend(label.get(moment.index) for moment in rows)
    matrix = np.ascontiguousarray(np.frombuffer(values, dtype=np.float64).reshape(-1, len(COLUMNS)).T)
    fields = [*_key_fields(), *(pa.field(name, pa.bool_()) for name in FLAGS)]
    plain = [*keys, *marks.values(), starts, by_customer]
    columns = [_column(values, field.type) for values, field in zip(plain, fields, strict=True)]
    schema = pa.schema([*fields, *(pa.field(name, pa.float64()) for name in COLUMNS)])
    return pa.Table.from_arrays([*columns, *map(_all_valid, matrix)], schema=schema)


def _some_together(conversations: Iterable[Conversation]) -> Iterator[list[Conversation]]:
    some, messages = list[Conversation](), 0
    for conversation in conversations:
        some.append(conversation)
        messages += len(conversation.messages)
        if messages >= MESSAGES_TOGETHER:
            yield some
            some, messages = [], 0
    yield some


def feature_table_of(signals: Any) -> Any:
    """Keys, labels and features of the rows of a signal table."""
    import pyarrow as pa

    found = features(
        np.stack([_numbers(signals.column(name)) for name in COLUMNS]),
        *(_numbers(signals.column(name).cast(pa.uint8())) == 1 for name in ("by_customer", "starts")),
    )
    kept = [signals.column(name) for name in (*KEYS, *LABELS)]
    return pa.Table.from_arrays([*kept, *map(_with_nulls, found)], schema=feature_schema())


# To and from numpy without `to_numpy` and `pa.array`: they import pandas first, 0.2 s for each process.


def _numbers(column: Any) -> NDArray[Any]:
    """A column of numbers without nulls as a numpy array."""
    return np.from_dlpack(column.combine_chunks())


def _column(values: Sequence[Any], kind: Any) -> Any:
    """Texts, times or numbers as a column, None as null."""
    import pyarrow as pa

    if pa.types.is_string(kind):
        builder = pa.lib.StringBuilder()
        builder.append_values(values)
        return builder.finish()
    if pa.types.is_timestamp(kind):
        values = [None if time is None else (time - _EPOCH) // _MICROSECOND for time in values]
        return _with_nulls(np.array(values, dtype=np.float64)).cast(pa.int64()).cast(kind)
    return _with_nulls(np.array(values, dtype=np.float64)).cast(kind)


def _all_valid(values: NDArray[np.float64]) -> Any:
    """A numpy array as a column, NaN as NaN."""
    import pyarrow as pa

    return pa.Array.from_buffers(pa.float64(), len(values), [None, pa.py_buffer(values)])


def _with_nulls(values: NDArray[np.float64]) -> Any:
    """A numpy array as a column, NaN as null."""
    import pyarrow as pa

    known = ~np.isnan(values)
    bits = np.packbits(known, bitorder="little")
    buffers = [pa.py_buffer(bits), pa.py_buffer(np.ascontiguousarray(values))]
    return pa.Array.from_buffers(pa.float64(), len(values), buffers, int(len(values) - known.sum()))


def feature_schema() -> Any:
    """Keys, labels and features, as they stand in a file of features."""
    import pyarrow as pa

    return pa.schema([*_key_fields(), *(pa.field(name, pa.float64()) for name in FEATURE_NAMES)])


def _key_fields() -> list[Any]:
    import pyarrow as pa

    kinds = {"index": pa.int32(), "episode": pa.int32(), "sent_at": pa.timestamp("us", tz="UTC")}
    return [pa.field(k, kinds.get(k, pa.string())) for k in KEYS] + [pa.field(name, pa.int8()) for name in LABELS]


def _keys(conversation: Conversation, rows: Sequence[Noted]) -> tuple[list[Any], ...]:
    messages = [moment.message for moment in rows]
    return (
        [conversation.conversation_id] * len(rows),
        [message.message_id for message in messages],
        [conversation.facts.customer_id] * len(rows),
        [moment.index for moment in rows],
        [message.role for message in messages],
        [message.sent_at for message in messages],
        [moment.episode for moment in rows],
    )


class SignalStore:
    """A folder of signal tables, a file for each group of records, named by a digest of the records and of the code
    that read them. It may be deleted at any time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / signals_version()

    def get(self, records: Sequence[bytes]) -> Any | None:
        """The table of these records; None when they have not been read."""
        import pyarrow.feather as feather

        path = self._path(records)
        return feather.read_table(path) if path.exists() else None

    def put(self, records: Sequence[bytes], table: Any) -> None:
        """Keep the table of these records. Whole or not at all, also when several write it."""
        import pyarrow as pa

        # As `write_feather` does, which imports pandas.
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        with (
            whole(self._path(records)) as partial,
            pa.ipc.new_file(str(partial), table.schema, options=options) as file,
        ):
            file.write_table(table)

    def _path(self, records: Sequence[bytes]) -> Path:
        digest = hashlib.blake2b(digest_size=16)
        for raw in records:
            digest.update(b"%d\n" % len(raw))
            digest.update(raw)
        return self._folder / f"{digest.hexdigest()}.arrow"


@cache
def signals_version() -> str:
    """Digest of what a signal table depends on: the lexicon, its columns, and the code. Twelve hexadecimal digits."""
    digest = hashlib.sha256(repr((lexicon_version(), KEYS, LABELS, COLUMNS)).encode())
    for name in (*_SOURCES, *_SOURCES_OF_ROWS, *_SOURCES_OF_FEATURES):
        for source in _python_files(files("handoff").joinpath(name)):
            digest.update(source.read_bytes())
    return digest.hexdigest()[:12]


def _python_files(place: Traversable) -> Iterator[Traversable]:
    if place.is_dir():
        for inner in sorted(place.iterdir(), key=lambda inner: inner.name):
            yield from _python_files(inner)
    elif place.name.endswith(".py"):
        yield place
