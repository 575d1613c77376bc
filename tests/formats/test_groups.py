"""Groups of records hold all of a file in order, and what follows a change is soon grouped as before."""

from __future__ import annotations

import gzip
from datetime import datetime
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from handoff.errors import BadRecord
from handoff.formats import groups, parquet
from handoff.formats.groups import parsed, read_groups
from handoff.formats.parquet import schema
from handoff.formats.record import Found, Reject
from handoff.simulate import simulate
from handoff.transcript import to_json

CHATS = list(simulate(200, 3))
LINES = [to_json(chat) for chat in CHATS]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "LEAST_BYTES", 4_000)
    monkeypatch.setattr(groups, "MOST_BYTES", 40_000)
    monkeypatch.setattr(groups, "RECORDS_TO_AN_END", 4)


def test_every_record_is_in_one_group_in_order(tmp_path: Path) -> None:
    path = tmp_path / "chats.jsonl"
    path.write_bytes(b"\n\n".join(LINES))
    found = list(read_groups(path))
    assert len(found) > 5
    assert [raw for group in found for raw in group.raw] == LINES
    assert [number for group in found for number in group.numbers] == list(range(1, 2 * len(LINES), 2))
    assert all(isinstance(record, Found) for group in found for record in parsed(group))


def test_groups_after_a_removed_record_are_soon_as_before(tmp_path: Path) -> None:
    path = tmp_path / "chats.jsonl"
    path.write_bytes(b"\n".join(LINES))
    whole = {tuple(group.raw) for group in read_groups(path)}
    path.write_bytes(b"\n".join(LINES[1:]))
    assert len(whole - {tuple(group.raw) for group in read_groups(path)}) <= len(whole) / 2


def test_a_record_that_cannot_be_used_says_where(tmp_path: Path) -> None:
    path = tmp_path / "chats.jsonl"
    path.write_bytes(LINES[0] + b"\n{}\n")
    (group,) = read_groups(path)
    reject = list(parsed(group))[1]
    assert isinstance(reject, Reject)
    assert (reject.file, reject.line) == (str(path), 2)


def test_a_file_that_breaks_off_is_refused_after_what_was_read(tmp_path: Path) -> None:
    path = tmp_path / "chats.jsonl.gz"
    path.write_bytes(gzip.compress(b"\n".join(LINES), mtime=0)[:-40])
    found = read_groups(path)
    assert next(found).raw
    with pytest.raises(BadRecord, match="damaged gzip"):
        list(found)


def test_a_line_that_is_too_long_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handoff.formats.source.lines.__defaults__", (5_000,))
    path = tmp_path / "chats.jsonl"
    path.write_bytes(b'{"conversation_id": "' + b"a" * 9_000 + b'"}\n')
    with pytest.raises(BadRecord, match="a record of"):
        list(read_groups(path))


def rows_written(path: Path, rows_a_group: int) -> Path:
    table = pa.Table.from_pylist([msgspec.to_builtins(chat, builtin_types=(datetime,)) for chat in CHATS], schema())
    pq.write_table(table, path, row_group_size=rows_a_group)
    return path


@pytest.mark.parametrize("rows_a_group", [1, 7, 200], ids=["each a group", "across groups", "one group of all"])
def test_every_row_is_in_one_group_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows_a_group: int) -> None:
    monkeypatch.setattr(parquet, "_BATCH_BYTES", 6_000)
    found = list(read_groups(rows_written(tmp_path / "chats.parquet", rows_a_group)))
    assert len(found) > 5
    assert [number for group in found for number in group.numbers] == list(range(1, len(CHATS) + 1))
    assert [record for group in found for record in parsed(group)] == [Found(c, at) for at, c in enumerate(CHATS, 1)]


def test_a_group_of_rows_larger_than_a_slice_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = list(read_groups(rows_written(tmp_path / "chats.parquet", len(CHATS))))
    monkeypatch.setattr(parquet, "_BATCH_BYTES", 6_000)
    cut = list(read_groups(tmp_path / "chats.parquet"))
    assert (len(whole), max(map(len, whole[0].raw)) > 50_000) == (1, True)
    assert max(len(raw) for group in cut for raw in group.raw) < 30_000


def test_a_row_larger_than_a_slice_is_a_group_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "_BATCH_BYTES", 10)
    monkeypatch.setattr(groups, "LEAST_BYTES", 10)
    found = list(read_groups(rows_written(tmp_path / "chats.parquet", 50)))
    assert [list(group.numbers) for group in found] == [[number] for number in range(1, len(CHATS) + 1)]


def test_a_row_that_cannot_be_used_says_where(tmp_path: Path) -> None:
    good = {"messages": [{"role": "customer", "text": "a"}]}
    bad = {"messages": [{"role": "customer", "text": "a\x00"}]}
    rows = [{"conversation_id": f"c-{number}", **(bad if number == 700 else good)} for number in range(1, 1001)]
    pq.write_table(pa.Table.from_pylist(rows, schema()), tmp_path / "chats.parquet", row_group_size=300)
    records = [record for group in read_groups(tmp_path / "chats.parquet") for record in parsed(group)]
    (reject,) = [record for record in records if isinstance(record, Reject)]
    assert (reject.line, reject.path, len(records)) == (700, "messages[0].text", 1000)


def test_rows_that_break_off_are_refused_after_what_was_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "_BATCH_ROWS", 20)
    path = rows_written(tmp_path / "chats.parquet", 20)
    metadata = pq.ParquetFile(path).metadata
    place = metadata.row_group(5).column(0).dictionary_page_offset or metadata.row_group(5).column(0).data_page_offset
    with path.open("r+b") as file:
        file.seek(place)
        file.write(b"\xff" * 40)
    numbers = list[int]()
    with pytest.raises(BadRecord, match=r"chats\.parquet:101: damaged"):
        for group in read_groups(path):
            numbers.extend(group.numbers)
    assert numbers == list(range(1, 101))
