"""Readers and writers of transcripts, one file a format.

Every reader is a generator that yields, record by record, what it `Found` or a `Reject`; none holds a file.
A new format is one entry in `FORMATS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from handoff.errors import BadInput, nearest
from handoff.formats.betold import read_betold
from handoff.formats.chatwoot import read_chatwoot
from handoff.formats.column_map import ColumnMap, load_column_map
from handoff.formats.convert import until_damaged
from handoff.formats.dbdc3 import read_dbdc3
from handoff.formats.delimited import read_delimited
from handoff.formats.intercom import read_intercom
from handoff.formats.kind import no_record
from handoff.formats.native import ENDINGS, NativeWriter, read_native
from handoff.formats.parquet import ParquetWriter, read_parquet
from handoff.formats.queries import read_banking77, read_clinc150, read_hint3
from handoff.formats.record import Found, Record, Reject, rejected_duplicate
from handoff.formats.seen import SeenIds
from handoff.formats.uss import read_uss
from handoff.formats.zendesk import read_zendesk
from handoff.transcript import Conversation

__all__ = [
    "ENDINGS",
    "FORMATS",
    "REJECTS_FILE",
    "ColumnMap",
    "Format",
    "Found",
    "NativeWriter",
    "ParquetWriter",
    "Record",
    "Reject",
    "files_of",
    "load_column_map",
    "no_record",
    "read_conversations",
    "read_records",
    "usable",
]

Reader = Callable[[Path], Iterator[Record]]

# Written by `handoff ingest` beside the conversations; never read as conversations.
REJECTS_FILE = "rejects.jsonl"


@dataclass(frozen=True, slots=True)
class Format:
    """A form in which transcripts come: its name, what it is, and which files of a folder are of it."""

    name: str
    says: str
    endings: tuple[str, ...]
    read: Reader


def _read_native(path: Path) -> Iterator[Record]:
    return read_parquet(path) if path.suffix == ".parquet" else read_native(path)


def _read_without_map(path: Path) -> Iterator[Record]:
    raise BadInput(f"{path}: CSV needs a column map that says which column holds which field")


_JSON = (".json", ".json.gz", ".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz")

FORMATS = {
    each.name: each
    for each in (
        Format("native", "the wire format: JSON Lines or Parquet", (".jsonl", ".jsonl.gz", ".parquet"), _read_native),
        Format("parquet", "the wire format as Parquet", (".parquet",), read_parquet),
        Format("csv", "one row a message, with a column map", (".csv", ".csv.gz"), _read_without_map),
        Format("uss", "USS dialogues with satisfaction ratings", (".txt", ".txt.gz"), read_uss),
        Format("dbdc3", "DBDC3 chats with breakdown judgements", (".jsonl", ".jsonl.gz"), read_dbdc3),
        Format("hint3", "HINT3 queries", ("_train.csv", "_test.csv"), read_hint3),
        Format("chatwoot", "Chatwoot conversations with messages", _JSON, read_chatwoot),
        Format("intercom", "Intercom conversations with parts", _JSON, read_intercom),
        Format("zendesk", "Zendesk tickets with comments", _JSON, read_zendesk),
        Format("betold", "BETOLD calls as intents and entities", (".json", ".json.gz"), read_betold),
        Format("banking77", "BANKING77 queries", (".csv",), read_banking77),
        Format("clinc150", "CLINC150 queries", ("data_full.json", "data_full.json.gz"), read_clinc150),
    )
}


def format_named(name: str) -> Format:
    """The format of that name. Raises `BadInput` with the nearest name there is."""
    if name not in FORMATS:
        raise BadInput(f"unknown format '{name}'{nearest(name, FORMATS)}")
    return FORMATS[name]


def files_of(source: Path, form: Format) -> list[Path]:
    """The files to read: the source itself, or what lies in it (at any depth) with one of the format's endings.

    Hidden files and rejects are left out. Raises `BadInput` where there is nothing.
    """
    if not source.exists():
        raise BadInput(f"{source}: no such file or folder")
    if not source.is_dir():
        return [source]
    found = sorted(
        path
        for path in source.rglob("*")
        if path.is_file()
        and path.name.endswith(form.endings)
        and path.name != REJECTS_FILE
        and not any(part.startswith(".") for part in path.relative_to(source).parts)
    )
    if not found:
        problem = f"no file ending in {' or '.join(form.endings)} (format {form.name})"
        raise BadInput(f"{source}: {problem}; {_holds(source)}")
    return found


def _holds(folder: Path) -> str:
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    return f"it holds {', '.join(names[:3])}{', …' if len(names) > 3 else ''}" if names else "it holds no file"


def read_records(files: Iterable[Path], form: Format, column_map: ColumnMap | None = None) -> Iterator[Record]:
    """Every record of the files, in order. The second of two conversations with the same id becomes a reject."""
    read = form.read if form.name != "csv" or column_map is None else partial(read_delimited, column_map=column_map)
    seen = SeenIds()
    for path in files:
        for record in until_damaged(path, read(path)):
            if isinstance(record, Found) and seen.comes_again(record.conversation.conversation_id):
                yield rejected_duplicate(path, record)
            else:
                yield record


def read_conversations(source: Path | str) -> Iterator[Conversation]:
    """The conversations of a native file, or of a folder of them (.jsonl, .jsonl.gz, .parquet).

    Raises `BadRecord` with file and line at the first record that cannot be used: such data is to be ingested first.
    Raises `BadInput` where there is none.
    """
    form = FORMATS["native"]
    files, empty = files_of(Path(source), form), True
    for conversation in usable(files):
        empty = False
        yield conversation
    if empty:
        raise BadInput(no_record(files, form.says))


def usable(files: Iterable[Path]) -> Iterator[Conversation]:
    """The conversations of native files, of which there may be none. Raises `BadRecord` at the first reject."""
    for record in read_records(files, FORMATS["native"]):
        if isinstance(record, Reject):
            raise record.error()
        yield record.conversation
