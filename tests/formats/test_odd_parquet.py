"""Parquet as others write it: columns of any type give conversations or a reject that says what is wrong, in every
reader of Parquet."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from handoff.errors import BadRecord
from handoff.formats.columns import usual
from handoff.formats.groups import parsed, read_groups
from handoff.formats.parquet import read_parquet
from handoff.formats.record import Found, Record, Reject
from tests.commands.running import run

TIME = datetime(2026, 3, 2, 14, 31, 5, tzinfo=UTC)
SECONDS = int(TIME.timestamp())
PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
ZONES = (None, "UTC", "Europe/Lisbon", "+02:00", "Mars/Olympus")
CALENDAR = "messages: a time beyond the calendar; expected a year from 1990 to 2100"
NO_TIME = "expected time such as 2026-03-02T14:31:05Z or null"


def times(unit: str, zone: str | None, *counts: int | None) -> Any:
    return pa.array(counts, pa.int64()).cast(pa.timestamp(unit, zone))


def message(**fields: Any) -> Any:
    """Three conversations of one message each, whose other fields are these columns."""
    roles, texts = pa.array(["assistant"] * 3), pa.array(["a", "b", "c"])
    columns = {"role": roles, "text": texts, **fields}
    return pa.ListArray.from_arrays([0, 1, 2, 3], pa.StructArray.from_arrays(columns.values(), list(columns)))


def write(path: Path, messages: Any, **columns: Any) -> Path:
    pq.write_table(pa.table({"conversation_id": ["c-1", "c-2", "c-3"], "messages": messages, **columns}), path)
    return path


def records(path: Path) -> list[Record]:
    """What is read of the file, which bulk features read, too."""
    found = list(read_parquet(path))
    in_groups: list[Record] = []
    try:
        for group in read_groups(path):
            in_groups += parsed(group)
    except BadRecord as error:
        assert str(error) == str(found.pop())
    assert in_groups == found
    return found


def rejects(path: Path) -> dict[int | None, str]:
    return {r.line: str(r).split(": ", 1)[1] for r in read_parquet(path) if isinstance(r, Reject)}


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("unit", PER_SECOND)
def test_a_time_of_any_unit_is_read(tmp_path: Path, unit: str, zone: str | None) -> None:
    """One without a zone is in UTC, as in JSON."""
    sent = times(unit, zone, SECONDS * PER_SECOND[unit], None, SECONDS * PER_SECOND[unit])
    found = records(write(tmp_path / "a.parquet", message(sent_at=sent)))
    assert [r.conversation.messages[0].sent_at for r in found if isinstance(r, Found)] == [TIME, None, TIME]


def test_what_is_finer_than_a_microsecond_is_cut_off(tmp_path: Path) -> None:
    sent = times("ns", "UTC", SECONDS * 10**9 + 1_999, None, None)
    first = records(write(tmp_path / "a.parquet", message(sent_at=sent), as_of=sent))[0]
    assert isinstance(first, Found)
    assert first.conversation.as_of == first.conversation.messages[0].sent_at == TIME + timedelta(microseconds=1)


def test_columns_that_are_usual_stay_the_same_object() -> None:
    batch = pa.RecordBatch.from_pylist([{"a": [{"b": "x", "at": TIME}], "c": 1}])
    batch = batch.cast(pa.schema([("a", pa.list_(pa.struct([("b", pa.string()), ("at", pa.timestamp("us", "UTC"))]))),
                                  ("c", pa.int64())]))  # fmt: skip
    ours = [column.buffers() for column in batch.columns]
    same = [column.buffers() for column in usual(batch).columns]
    assert [[b and b.address for b in c] for c in same] == [[b and b.address for b in c] for c in ours]


GOOD = {
    "categories": message(text=pa.array(["a", "b", "a"]).dictionary_encode()),
    "large texts": message(text=pa.array(["a", "b", "a"], pa.large_string())),
    "large lists": message().cast(pa.large_list(message().type.value_type)),
    "lists of a fixed size": pa.FixedSizeListArray.from_arrays(message().values, 1),
    "small numbers": message(knowledge_hits=pa.array([1, 2, None], pa.int8())),
    "small fractions": message(confidence=pa.array([0.5, 0.25, None], pa.float32())),
    "decimals": message(confidence=pa.array([Decimal("0.5"), Decimal("0.25"), None])),
    "nulls": message(sent_at=pa.nulls(3), confidence=pa.nulls(3)),
    "a field that nobody knows": message(colour=pa.array([b"\xff", b"", None])),
}


@pytest.mark.parametrize("messages", GOOD.values(), ids=GOOD)
def test_columns_that_others_write_are_read(tmp_path: Path, messages: Any) -> None:
    found = records(write(tmp_path / "a.parquet", messages, customer=pa.nulls(3)))
    assert [type(record) for record in found] == [Found] * 3


HUGE = 2**62
BAD = {
    "milliseconds beyond": (message(sent_at=times("ms", "UTC", HUGE, 0, None)), {1: CALENDAR, 2: "the year 1970"}),
    "microseconds beyond": (message(sent_at=times("us", None, HUGE, None, -HUGE)), {1: CALENDAR, 3: CALENDAR}),
    "the ends of nanoseconds": (
        message(sent_at=times("ns", None, 1 - 2**63, None, 2**63 - 1)),
        {1: "messages[0].sent_at: the year 1677", 3: "messages[0].sent_at: the year 2262"},
    ),
    "the calendar's ends, elsewhere": (
        message(sent_at=times("us", "Asia/Tokyo", -62135596800 * 10**6, None, 253402300799 * 10**6)),
        {1: "messages[0].sent_at: the year 1;", 3: "messages[0].sent_at: the year 9999;"},
    ),
    "dates": (
        message(sent_at=pa.array([date(1, 1, 1), None, None])),
        {1: f'messages[0].sent_at: "datetime.date(1, 1, 1)"; {NO_TIME}'},
    ),
    "dates beyond": (message(sent_at=pa.array([2**31 - 1, None, None], pa.int32()).cast(pa.date32())), {1: CALENDAR}),
    "durations": (message(sent_at=pa.array([timedelta(1), None, None])), {1: NO_TIME}),
    "seconds since 1970": (message(sent_at=pa.array([SECONDS, None, None])), {1: NO_TIME}),
    "bytes": (message(text=pa.array([b"a", b"\xff", b""])), {n: "messages[0].text" for n in (1, 2, 3)}),
    "no UTF-8": (
        message(text=pa.array([b"a", b"\xff", b""]).view(pa.string())),
        {2: "messages: invalid UTF-8; expected text encoded as UTF-8"},
    ),
    "both": (
        message(text=pa.array([b"a", b"\xff", b""]).view(pa.string()), sent_at=times("us", None, HUGE, None, None)),
        {1: CALENDAR, 2: "messages: invalid UTF-8"},
    ),
    "texts": (pa.array(["a", "b", "c"]), {n: "expected list" for n in (1, 2, 3)}),
    "lists in lists": (pa.array([[[{"role": "agent", "text": "a"}]]] * 3), {n: "expected object" for n in (1, 2, 3)}),
    "a map": (
        pa.array([[("role", "agent")]] * 3, pa.map_(pa.string(), pa.string())),
        {n: "messages[0]: a list of 2 items; expected object" for n in (1, 2, 3)},
    ),
    "nothing": (pa.nulls(3), {n: "messages: null; expected list" for n in (1, 2, 3)}),
}


@pytest.mark.parametrize(("messages", "problems"), BAD.values(), ids=BAD)
def test_what_cannot_be_read_is_named_row_by_row(tmp_path: Path, messages: Any, problems: dict[int, str]) -> None:
    path = write(tmp_path / "a.parquet", messages)
    assert len(records(path)) == 3
    found = rejects(path)
    assert set(found) == set(problems)
    assert all(problems[line] in found[line] for line in problems)


def test_categories_that_pyarrow_cannot_read_are_one_reject(tmp_path: Path) -> None:
    texts = [pa.array([f"{part} {n}" for n in range(200)]).dictionary_encode() for part in range(3)]
    roles = pa.array(["agent"] * 200)
    tables = [
        pa.table(
            {
                "conversation_id": [f"c-{part}-{n}" for n in range(200)],
                "messages": pa.ListArray.from_arrays(
                    range(201), pa.StructArray.from_arrays([roles, text], ["role", "text"])
                ),
            }
        )
        for part, text in enumerate(texts)
    ]
    pq.write_table(pa.concat_tables(tables), tmp_path / "a.parquet", row_group_size=200)
    assert all(isinstance(record, Found) for record in records(tmp_path / "a.parquet"))
    (problem,) = rejects(tmp_path / "a.parquet").values()
    assert "with plain texts instead of categories" in problem


def test_a_damaged_file_raises_nothing(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.parquet", GOOD["categories"]).read_bytes()
    rng, path = Random(5), tmp_path / "a.parquet"
    for _ in range(300):
        raw = bytearray(whole)
        for _ in range(3):
            raw[rng.randrange(4, len(raw) - 8)] = rng.randrange(256)
        path.write_bytes(raw)
        records(path)


def test_commands_name_what_is_wrong(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", message(sent_at=times("us", None, HUGE, None, None)))
    done = run("validate", path, columns=300)
    assert done.exit_code == 1 and CALENDAR in done.stdout
    done = run("ingest", path, "--out", tmp_path / "ingested", columns=300)
    assert done.exit_code == 0 and "a time beyond" in (tmp_path / "ingested" / "rejects.jsonl").read_text("utf-8")
    done = run("features", path, "--out", tmp_path / "features.parquet", columns=300)
    assert done.exit_code == 1 and done.stderr == f"Error: {path}:1: {CALENDAR}\n"
