"""Groups of records hold all of a file in order, and what follows a change is soon grouped as before."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from handoff.errors import BadRecord
from handoff.formats import groups
from handoff.formats.groups import parsed, read_groups
from handoff.formats.record import Found, Reject
from handoff.simulate import simulate
from handoff.transcript import to_json

LINES = [to_json(chat) for chat in simulate(200, 3)]


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
