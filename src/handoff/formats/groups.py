"""Native JSON Lines and Parquet in groups of records that several processes can work on, not parsed yet."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from handoff.errors import Problem
from handoff.formats.convert import rejected_too_long
from handoff.formats.native import native_record
from handoff.formats.parquet import read_batches, records_of
from handoff.formats.record import Record, Reject, rejected
from handoff.formats.source import DamagedFile, Line, lines

# Some 10,000 messages: a fraction of a second of work, and some 10 MB as columns.
LEAST_BYTES, MOST_BYTES = 3 * 2**19, 2**23
# Beyond the least, one record in so many ends a group. Which one depends on the record alone, so that after a record
# was added or removed the groups that follow are soon the same as before, and what was kept of them is found.
RECORDS_TO_AN_END = 64


class Group(NamedTuple):
    """Consecutive records of a file, each as JSON; `numbers` are their lines, counted from 1."""

    file: Path
    numbers: Sequence[int]
    raw: Sequence[bytes]


class Rows(NamedTuple):
    """Consecutive rows of a Parquet file as an Arrow stream: the only item of `raw`. They are numbered from 1."""

    file: Path
    numbers: range
    raw: Sequence[bytes]


def read_groups(path: Path) -> Iterator[Group | Rows]:
    """The records of a native file, JSON Lines (plain or gzip; blank lines left out) or Parquet.

    Raises `BadRecord`, after the records before it, where a line is too long or the file breaks off.
    """
    return _read_rows(path) if path.suffix == ".parquet" else _read_lines(path)


def _read_rows(path: Path) -> Iterator[Rows]:
    some, first, size = list[Any](), 1, 0
    for batch in read_batches(path):
        if isinstance(batch, Reject):
            if some:
                yield _rows(path, first, some)
            raise batch.error()
        some.append(batch)
        size += batch.nbytes
        if size >= LEAST_BYTES:
            yield (rows := _rows(path, first, some))
            some, first, size = [], rows.numbers.stop, 0
    if some:
        yield _rows(path, first, some)


def _rows(path: Path, first: int, batches: Sequence[Any]) -> Rows:
    import pyarrow as pa

    # Not as pyarrow pickles them: a slice would come with all of what it is a slice of.
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batches[0].schema) as stream:
        for batch in batches:
            stream.write_batch(batch)
    numbers = range(first, first + sum(batch.num_rows for batch in batches))
    return Rows(path, numbers, [sink.getvalue().to_pybytes()])


def _read_lines(path: Path) -> Iterator[Group]:
    numbers, raw, size = list[int](), list[bytes](), 0
    problem = None
    try:
        for line in lines(path):
            if line.too_long:
                problem = rejected_too_long(path, line)
                break
            if not line.raw.strip():
                continue
            numbers.append(line.number)
            raw.append(line.raw)
            size += len(line.raw)
            if size >= MOST_BYTES or (size >= LEAST_BYTES and zlib.crc32(line.raw) % RECORDS_TO_AN_END == 0):
                yield Group(path, numbers, raw)
                numbers, raw, size = [], [], 0
    except DamagedFile as error:
        problem = rejected(path, numbers[-1] if numbers else None, Problem("", str(error), "a complete file"))
    if raw:
        yield Group(path, numbers, raw)
    if problem is not None:
        raise problem.error()


def parsed(group: Group | Rows) -> Iterator[Record]:
    """Each record of the group as a conversation, or its reject."""
    if isinstance(group, Rows):
        yield from _parsed_rows(group)
        return
    for number, raw in zip(group.numbers, group.raw, strict=True):
        yield native_record(group.file, Line(number, raw, len(raw), too_long=False))


def _parsed_rows(rows: Rows) -> Iterator[Record]:
    import pyarrow as pa

    # In one piece: each column of each batch costs some microseconds, however few rows it has.
    with pa.ipc.open_stream(rows.raw[0]) as stream:
        batches = stream.read_all().combine_chunks().to_batches()
    first = rows.numbers.start
    for batch in batches:
        yield from records_of(rows.file, first, batch)
        first += batch.num_rows
