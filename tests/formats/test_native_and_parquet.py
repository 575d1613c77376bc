"""Native JSON Lines and Parquet: both hold everything, and reading either gives the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handoff.errors import BadInput, BadRecord
from handoff.formats import NativeWriter, ParquetWriter, read_conversations
from handoff.formats.parquet import schema
from handoff.transcript import Conversation, from_object
from tests.formats.reading import read
from tests.strategies import conversations

ENDINGS = [".jsonl", ".jsonl.gz", ".parquet"]
FULL = from_object(
    {
        "conversation_id": "c-1",
        "channel": "web",
        "locale": "en",
        "as_of": "2026-03-02T15:00:00Z",
        "customer": {"customer_id": "u", "vip": True, "previous_escalations": 1, "account_value_usd": 11.5},
        "environment": {"browser": "Firefox 140", "os": "macOS"},
        "satisfaction": 4.5,
        "satisfaction_at": "2026-03-02T14:59:00.123456Z",
        "messages": [
            {"role": "customer", "text": "Olá 😀\n\ttab", "sent_at": "2026-03-02T14:31:05Z", "satisfaction": 2},
            {"role": "assistant", "text": "", "confidence": 0.82, "knowledge_hits": 0, "label": 0, "event": "declined"},
        ],
        "outcome": {"escalated": False, "escalated_at": "2026-03-02T14:50:00Z", "tier": 2, "wait_seconds": 0.5},
    }
)


def write(path: Path, values: Sequence[Conversation]) -> Path:
    with ParquetWriter(path) if path.suffix == ".parquet" else NativeWriter(path) as writer:
        for value in values:
            writer.write(value)
    return path


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_is_written_is_read(tmp_path: Path, ending: str) -> None:
    plain = from_object({"conversation_id": "c-2", "messages": [{"role": "agent", "text": "x"}]})
    path = write(tmp_path / f"a{ending}", [FULL, plain])
    assert list(read_conversations(path)) == [FULL, plain]


@settings(max_examples=25, deadline=None)
@given(st.lists(conversations(), min_size=1, max_size=4))
def test_parquet_and_lines_read_the_same(values: list[Conversation]) -> None:
    named = [msgspec.structs.replace(value, conversation_id=f"c-{index}") for index, value in enumerate(values)]
    with TemporaryDirectory() as folder:
        for ending in ENDINGS:
            assert list(read_conversations(write(Path(folder) / f"a{ending}", named))) == named


def test_the_parquet_columns_are_the_fields_of_the_wire_format() -> None:
    assert schema().names == [field.name for field in msgspec.structs.fields(Conversation)]
    message = schema().field("messages").type.value_type
    assert message.field("sent_at").type == pa.timestamp("us", "UTC")
    assert (message.field("confidence").type, message.field("label").type) == (pa.float64(), pa.int64())
    assert (message.field("role").type, message.field("knowledge_hits").type) == (pa.string(), pa.int64())


def test_the_same_conversations_give_the_same_gzip_bytes(tmp_path: Path) -> None:
    first, second = (write(tmp_path / folder / "a.jsonl.gz", [FULL]) for folder in _folders(tmp_path, "x", "y"))
    assert first.read_bytes() == second.read_bytes()


def _folders(root: Path, *names: str) -> list[str]:
    for name in names:
        (root / name).mkdir()
    return list(names)


def bad_parquet(path: Path, rows: list[dict[str, Any]]) -> Path:
    pq.write_table(pa.Table.from_pylist(rows, schema=schema()), path)
    return path


def test_a_bad_row_of_parquet_is_named_and_costs_no_other(tmp_path: Path) -> None:
    good = {"messages": [{"role": "customer", "text": "a"}]}
    rows = [
        {"conversation_id": "c-1", **good},
        {"conversation_id": "c-2", "messages": [{"role": "bot", "text": "a"}]},
        {"conversation_id": "c-3", "messages": [{"role": "customer", "text": "a", "confidence": float("nan")}]},
        {"conversation_id": "c-4", "messages": [{"role": "customer", "text": None}]},
        {"conversation_id": "c-1", **good},
        {"conversation_id": "c-6", **good},
    ]
    found, rejects = read(bad_parquet(tmp_path / "a.parquet", rows), "parquet")
    assert [value.conversation_id for value in found] == ["c-1", "c-6"]
    assert [(reject.line, reject.path) for reject in rejects] == [
        (2, "messages[0].role"),
        (3, "messages[0].confidence"),
        (4, "messages[0].text"),
        (5, "conversation_id"),
    ]


@pytest.mark.parametrize(
    "content, problem", [(b"PAR1 but no more", "not a Parquet file"), (b"", "not a Parquet file")], ids=["cut", "empty"]
)
def test_a_file_that_is_no_parquet_is_one_reject(tmp_path: Path, content: bytes, problem: str) -> None:
    (tmp_path / "a.parquet").write_bytes(content)
    found, rejects = read(tmp_path / "a.parquet", "native")
    assert (found, len(rejects)) == ([], 1)
    assert problem in rejects[0].problem


def test_parquet_without_our_columns_names_the_nearest(tmp_path: Path) -> None:
    pq.write_table(pa.table({"conversation": ["c"], "messages": [1]}), tmp_path / "a.parquet")
    _, rejects = read(tmp_path / "a.parquet", "parquet")
    assert "did you mean 'conversation'?" in str(rejects[0])


def test_a_folder_is_read_in_order_without_rejects_and_hidden_files(tmp_path: Path) -> None:
    write(tmp_path / "b.jsonl", [FULL])
    write(tmp_path / "a.jsonl.gz", [msgspec.structs.replace(FULL, conversation_id="c-0")])
    (tmp_path / "rejects.jsonl").write_text("{}\n")
    (tmp_path / ".b.jsonl.1.partial.jsonl").write_text("{")
    (tmp_path / "notes.txt").write_text("no")
    assert [value.conversation_id for value in read_conversations(tmp_path)] == ["c-0", "c-1"]


def test_reading_data_stops_at_the_first_bad_record_and_names_it(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [FULL])
    path.write_bytes(path.read_bytes() + b"\n{}\n")
    with pytest.raises(BadRecord, match=r"a\.jsonl:3: conversation_id: missing"):
        list(read_conversations(path))


def test_one_conversation_in_two_files_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [FULL])
    write(tmp_path / "b.parquet", [FULL])
    with pytest.raises(BadRecord, match=r"b\.parquet:1: conversation_id: 'c-1' is also"):
        list(read_conversations(tmp_path))


def test_nothing_to_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no file ending in"):
        list(read_conversations(tmp_path))
    with pytest.raises(BadInput, match="no such file"):
        list(read_conversations(tmp_path / "gone"))


def test_damaged_gzip_keeps_what_came_before(tmp_path: Path) -> None:
    values = [msgspec.structs.replace(FULL, conversation_id=f"c-{number}") for number in range(2000)]
    path = write(tmp_path / "a.jsonl.gz", values)
    path.write_bytes(path.read_bytes()[:-100])
    found, rejects = read(path, "native")
    assert 0 < len(found) <= 2000
    assert "damaged gzip" in rejects[-1].problem
