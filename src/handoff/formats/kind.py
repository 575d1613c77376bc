"""What a file that cannot be read seems to be, for the message that says so."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

from handoff.formats.source import DamagedFile, opened

_BEGINNING_BYTES = 4096
_BOM = b"\xef\xbb\xbf"
_MAGIC = {
    b"PAR1": "Parquet",
    b"PK\x03\x04": "a zip archive or an Excel file",
    b"SQLite format 3": "an SQLite database",
    b"%PDF": "a PDF",
    b"\xff\xfe": "text in UTF-16",
    b"\xfe\xff": "text in UTF-16",
}


def seems(beginning: bytes) -> str | None:
    """What a file that begins like this seems to be; None where it may well be JSON Lines."""
    for magic, name in _MAGIC.items():
        if beginning.startswith(magic):
            return name
    if b"\0" in beginning:
        return "a binary file"
    text = beginning.removeprefix(_BOM).strip()
    line = text.partition(b"\n")[0].strip()
    if line.startswith(b"["):
        return "a JSON list"
    if line.startswith(b"{"):
        return "one JSON document over several lines" if line == b"{" else None
    if line.startswith(b"<"):
        return "HTML or XML"
    return "CSV" if any(mark in line for mark in (b",", b";", b"\t")) else "plain text"


def no_record(files: Sequence[Path], expected: str) -> str:
    """The message for files in which there is not one record: the first of them, what it is, what was expected."""
    first, others = files[0], len(files) - 1
    beginning = _beginning(first).strip()
    found = f"holds no conversation; it seems to be {seems(beginning) or 'JSON'}" if beginning else "empty"
    place = f"{first} and {others:,} more" if others else str(first)
    return f"{place}: {found}; expected {expected}"


def _beginning(path: Path) -> bytes:
    try:
        with opened(path) as stream:
            return stream.read(_BEGINNING_BYTES)
    except (DamagedFile, EOFError, zlib.error):
        return b""
