"""Native JSON Lines in groups of records that several processes can work on, not parsed yet."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from handoff.errors import Problem
from handoff.formats.convert import rejected_too_long
from handoff.formats.native import native_record
from handoff.formats.record import Record, rejected
from handoff.formats.source import DamagedFile, Line, lines

# Some 10,000 messages: a fraction of a second of work, and some 10 MB as columns.
LEAST_BYTES, MOST_BYTES = 3 * 2**19, 2**23
# Beyond the least, one record in so many ends a group. Which one depends on the record alone, so that after a record
# was added or removed the groups that follow are soon the same as before, and what was kept of them is found.
RECORDS_TO_AN_END = 64


class Group(NamedTuple):
    """Consecutive records of a file; `numbers` are their lines, counted from 1."""

    file: Path
    numbers: Sequence[int]
    raw: Sequence[bytes]


def read_groups(path: Path) -> Iterator[Group]:
    """The records of a file of JSON Lines (plain or gzip), blank lines left out.

    Raises `BadRecord`, after the records before it, where a line is too long or the file breaks off.
    """
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


def parsed(group: Group) -> Iterator[Record]:
    """Each record of the group as a conversation, or its reject."""
    for number, raw in zip(group.numbers, group.raw, strict=True):
        yield native_record(group.file, Line(number, raw, len(raw), too_long=False))
