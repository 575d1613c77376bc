"""Native JSON Lines: one conversation of the wire format a line, plain or gzip."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Self, cast

import msgspec

from handoff.formats.convert import converted
from handoff.formats.kind import seems
from handoff.formats.record import Record, Reject
from handoff.formats.source import Line, lines
from handoff.transcript import parse

# Of the files that are written, JSON Lines by this writer or Parquet by the other.
ENDINGS = (".jsonl", ".jsonl.gz", ".parquet")


def read_native(path: Path) -> Iterator[Record]:
    """Conversations as in the README, one JSON object a line; blank lines are passed over."""
    for line in lines(path):
        if line.raw.strip():
            yield native_record(path, line)


def native_record(path: Path, line: Line) -> Record:
    """The conversation of one line, or its reject; of a file's first line, with what the file seems to be instead."""
    record = converted(path, line, parse)
    found = seems(line.raw) if isinstance(record, Reject) and line.number == 1 else None
    if not isinstance(record, Reject) or found is None:
        return record
    expected = "JSON Lines, one conversation a line (other formats: 'handoff ingest --format')"
    return msgspec.structs.replace(record, problem=f"{record.problem}; the file seems to be {found}", expected=expected)


class NativeWriter:
    """Writes records one a line; gzip when the name ends in `.gz`. A context manager."""

    def __init__(self, path: Path, *, zipped: bool | None = None) -> None:
        zipped = path.suffix == ".gz" if zipped is None else zipped
        # No time of writing in the header: the same conversations give the same bytes.
        self._stream = cast(BinaryIO, gzip.GzipFile(path, "wb", mtime=0)) if zipped else path.open("wb")

    def write(self, record: msgspec.Struct) -> None:
        self._stream.write(msgspec.json.encode(record) + b"\n")

    def close(self) -> None:
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
