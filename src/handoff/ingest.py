"""Transcripts of any format into one native file, with the records that cannot be used set apart.

Everything streams: one conversation is in memory at a time. Results appear under their names only once they are
complete, so that a run that fails or is stopped changes nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal

import msgspec

from handoff.errors import BadInput, HandoffError
from handoff.formats import (
    REJECTS_FILE,
    ColumnMap,
    Found,
    NativeWriter,
    ParquetWriter,
    Record,
    Reject,
    files_of,
    format_named,
    no_record,
    read_records,
)

Storage = Literal["jsonl", "parquet"]

CONVERSATIONS_FILES: dict[Storage, str] = {"jsonl": "conversations.jsonl", "parquet": "conversations.parquet"}
EXAMPLES_A_FIELD = 5

_INDEX = re.compile(r"\[\d*\]")


class FieldRejects(msgspec.Struct, frozen=True):
    """How many records were rejected for a field, and the first few of them as `file:line: path: problem; expected`."""

    field: str
    count: int
    examples: tuple[str, ...]


class Summary(msgspec.Struct, frozen=True):
    """What was read: conversations and messages that are usable, and rejects by field, most frequent first."""

    files: int
    conversations: int
    messages: int
    rejects: int
    rejects_by_field: tuple[FieldRejects, ...]
    conversations_file: str | None = None
    rejects_file: str | None = None


class NothingUsable(HandoffError):
    """No record of the sources can be used; carries the summary with the reasons."""

    def __init__(self, summary: Summary, source: Source) -> None:
        self.summary = summary
        if summary.rejects:
            example = summary.rejects_by_field[0].examples[0]
            super().__init__(f"nothing usable among {summary.rejects:,} records; first: {example}")
        else:
            form = format_named(source.format_name)
            super().__init__(no_record(source.files(), f"{form.says} (--format {form.name})"))


class Source(msgspec.Struct, frozen=True):
    """What to read: files or folders, their format, and for CSV the column map."""

    paths: tuple[Path, ...]
    format_name: str = "native"
    column_map: ColumnMap | None = None
    strict: bool = False

    def records(self, on_record: Callable[[], object] | None = None) -> Iterator[Record]:
        """The records one by one. Raises `BadRecord` at the first reject when strict."""
        form = format_named(self.format_name)
        for record in read_records(self.files(), form, self.column_map):
            if self.strict and isinstance(record, Reject):
                raise record.error()
            yield record
            if on_record is not None:
                on_record()

    def files(self) -> list[Path]:
        """The files to read, each once, in the order given and within a folder by name."""
        form = format_named(self.format_name)
        return list(dict.fromkeys(file for path in self.paths for file in files_of(path, form)))


def validate(source: Source, on_record: Callable[[], object] | None = None) -> Summary:
    """What `ingest` would find, without writing. Raises `BadRecord` at the first reject when the source is strict."""
    tally = _Tally(len(source.files()))
    for record in source.records(on_record):
        tally.add(record)
    return tally.summary()


def ingest(
    source: Source, out: Path, storage: Storage = "jsonl", on_record: Callable[[], object] | None = None
) -> Summary:
    """Write the usable conversations to `out`, and the rejects, if there are some, to rejects.jsonl beside them.

    What an earlier run left in `out` is replaced. Raises `NothingUsable` when no record can be used; an earlier
    run's conversations then stay as they are, and where there are none the rejects are still written.
    """
    tally = _Tally(len(source.files()))
    conversations, rejects = out / CONVERSATIONS_FILES[storage], out / REJECTS_FILE
    with _folder(out), _partial(conversations) as new_conversations, _partial(rejects) as new_rejects:
        _write(source.records(on_record), tally, new_conversations, new_rejects, storage)
        others = [out / name for name in CONVERSATIONS_FILES.values() if out / name != conversations]
        if not tally.conversations:
            kept = any(path.exists() for path in (conversations, *others))
            if not kept and tally.rejects:
                new_rejects.replace(rejects)
            raise NothingUsable(tally.summary(), source)
        # First away with what must never stand beside the new conversations, then the new ones in one step.
        for stale in (rejects, *others):
            stale.unlink(missing_ok=True)
        new_conversations.replace(conversations)
        if tally.rejects:
            new_rejects.replace(rejects)
    return tally.summary(str(conversations), str(rejects) if tally.rejects else None)


def _write(records: Iterator[Record], tally: _Tally, conversations: Path, rejects: Path, storage: Storage) -> None:
    with ExitStack() as stack:
        writer: NativeWriter | ParquetWriter
        writer = ParquetWriter(conversations) if storage == "parquet" else NativeWriter(conversations, zipped=False)
        stack.enter_context(writer)
        rejected = stack.enter_context(rejects.open("wb"))
        for record in records:
            tally.add(record)
            if isinstance(record, Found):
                writer.write(record.conversation)
            else:
                rejected.write(msgspec.json.encode(record) + b"\n")


@contextmanager
def _folder(out: Path) -> Iterator[None]:
    """The folder to write to; one that was made for nothing is removed again."""
    if out.exists() and not out.is_dir():
        raise BadInput(f"{out}: a file; expected a folder to write to")
    made = not out.exists()
    out.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        if made and not any(out.iterdir()):
            out.rmdir()


@contextmanager
def _partial(path: Path) -> Iterator[Path]:
    """A hidden name beside `path` to write to; whatever still has it at the end is removed."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
    finally:
        partial.unlink(missing_ok=True)


class _Tally:
    """Counts records as they pass, with a few examples for each field."""

    def __init__(self, files: int) -> None:
        self.files = files
        self.conversations = self.messages = self.rejects = 0
        self._counts: dict[str, int] = {}
        self._examples: dict[str, list[str]] = {}

    def add(self, record: Record) -> None:
        if isinstance(record, Found):
            self.conversations += 1
            self.messages += len(record.conversation.messages)
            return
        self.rejects += 1
        field = _INDEX.sub("[]", record.path) or "(record)"
        self._counts[field] = self._counts.get(field, 0) + 1
        examples = self._examples.setdefault(field, [])
        if len(examples) < EXAMPLES_A_FIELD:
            examples.append(str(record))

    def summary(self, conversations_file: str | None = None, rejects_file: str | None = None) -> Summary:
        by_field = sorted(self._counts.items(), key=lambda item: (-item[1], item[0]))
        return Summary(
            files=self.files,
            conversations=self.conversations,
            messages=self.messages,
            rejects=self.rejects,
            rejects_by_field=tuple(FieldRejects(name, count, tuple(self._examples[name])) for name, count in by_field),
            conversations_file=conversations_file,
            rejects_file=rejects_file,
        )


__all__: Sequence[str] = ["FieldRejects", "NothingUsable", "Source", "Storage", "Summary", "ingest", "validate"]
