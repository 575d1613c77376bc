"""What a file seems to be that is not what was expected."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from handoff.errors import BadInput, BadRecord
from handoff.formats import FORMATS, no_record, read_conversations
from handoff.formats.kind import seems
from handoff.training.feature_file import write_features
from tests.commands.running import run

BEGINNINGS = {
    b'{"conversation_id": "c-1"': None,
    b"{\n": "one JSON document over several lines",
    b"\xef\xbb\xbf[\n  {": "a JSON list",
    b"id,text\n1,hello\n": "CSV",
    b"id;text\n": "CSV",
    b"<html>": "HTML or XML",
    b"Hello there": "plain text",
    b"PAR1\x15\x04": "Parquet",
    b"PK\x03\x04\x14": "a zip archive or an Excel file",
    b"\x7fELF\x02\x01\x00": "a binary file",
    "id,text".encode("utf-16"): "text in UTF-16",
}


@pytest.mark.parametrize(
    ("beginning", "expected"), BEGINNINGS.items(), ids=[str(found) for found in BEGINNINGS.values()]
)
def test_by_its_beginning(beginning: bytes, expected: str | None) -> None:
    assert seems(beginning) == expected


@pytest.mark.parametrize(
    ("name", "holds", "says"),
    [
        ("a.jsonl", b"", "a.jsonl: empty; expected the wire format"),
        ("a.jsonl", b"\n \n", "a.jsonl: empty; expected the wire format"),
        ("a.jsonl.gz", gzip.compress(b"", mtime=0), "a.jsonl.gz: empty; expected the wire format"),
        (
            "a.jsonl",
            b"id,text\n1,hello\n",
            "a.jsonl:1: .*; the file seems to be CSV; expected JSON Lines, one conversation a",
        ),
        (
            "a.parquet",
            b"id,text\n1,hello\n",
            "a.parquet: not a Parquet file .*; it seems to be CSV; expected a complete",
        ),
        ("a.parquet", b"", "a.parquet: not a Parquet file .*0 bytes.*; expected a complete"),
    ],
)
def test_every_reader_names_the_file_what_it_is_and_what_was_expected(
    tmp_path: Path, name: str, holds: bytes, says: str
) -> None:
    file = tmp_path / name
    file.write_bytes(holds)
    for read in (lambda: list(read_conversations(file)), lambda: write_features(file, tmp_path / "f.parquet", 1)):
        with pytest.raises((BadInput, BadRecord), match=says):
            read()
    assert not (tmp_path / "f.parquet").exists()
    ingested = run("ingest", file, "--out", tmp_path / "out")
    assert ingested.exit_code == 1
    assert f"{file}" in ingested.stderr and "expected" in ingested.stderr


def test_a_folder_says_what_it_holds_instead(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no file ending in .* \(format native\); it holds no file"):
        list(read_conversations(tmp_path))
    (tmp_path / "a.csv").write_text("id,text\n")
    with pytest.raises(BadInput, match=r"no file ending in .*; it holds a\.csv"):
        list(read_conversations(tmp_path))


def test_a_line_that_is_broken_costs_no_other_and_is_no_file_of_another_format(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(b'{"conversation_id": "c\n' + b'{"conversation_id": "c-2", "messages": []}\n')
    first, _ = FORMATS["native"].read(file)
    assert "seems to be" not in str(first)


def test_an_export_without_a_record_names_the_format_that_was_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,text\n1,hello\n")
    done = run("ingest", tmp_path / "a.csv", "--format", "chatwoot", "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert "a.csv: holds no conversation; it seems to be CSV; expected Chatwoot conversations" in done.stderr


def test_of_several_files_the_first_is_named(tmp_path: Path) -> None:
    files = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    for file in files:
        file.write_text("")
    assert no_record(files, "JSON Lines") == f"{files[0]} and 1 more: empty; expected JSON Lines"
