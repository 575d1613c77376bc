"""Columns as values are what pyarrow makes of them value by value, and whether texts are plain is seen in bulk."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from handoff.formats import ParquetWriter
from handoff.formats.columns import plain, values
from handoff.simulate import simulate

LONG = "a text that is longer than a role or an id"
TIME = datetime(2026, 3, 2, 14, 31, 5, 123456, UTC)
PART = pa.struct([("role", pa.string()), ("text", pa.string()), ("hits", pa.int64())])
ARRAYS = {
    "short texts that come again": pa.array(["m1", "", None, "m1", "ü", "m1"]),
    "long texts": pa.array([LONG, None, "", "Olá 😀 " + LONG, LONG]),
    "long texts in ASCII": pa.array([LONG, None, LONG + "\n\ttab"]),
    "whole numbers": pa.array([1, None, -(2**62), 2**62]),
    "numbers": pa.array([0.5, None, float("inf"), -1e-300]),
    "flags": pa.array([True, None, False, False]),
    "times": pa.array([TIME, None, datetime(1990, 1, 1, tzinfo=UTC)], pa.timestamp("us", "UTC")),
    "times of another zone": pa.array([TIME, None, TIME], pa.timestamp("us", "Europe/Lisbon")),
    "seconds": pa.array([TIME, None], pa.timestamp("s", "UTC")),
    "lists": pa.array([["a", None], [], None, [LONG, "b", "c"], ["d"]]),
    "structs": pa.array(
        [{"role": "agent", "text": LONG, "hits": 1}, None, {"role": None, "text": "", "hits": None}], PART
    ),
    "lists of structs": pa.array(
        [[{"role": "agent"}], None, [], [None, {"text": LONG, "hits": 2}, {"hits": 3}]], pa.list_(PART)
    ),
    "large texts": pa.array(["a", None, LONG], pa.large_string()),
    "short numbers": pa.array([1, None, 3], pa.int32()),
    "categories": pa.array(["a", "b", None, "a"]).dictionary_encode(),
    "a struct with a name that is no attribute's": pa.array([{"a b": 1, "class": "x"}, None]),
    "nothing known": pa.array([None, None], pa.float64()),
    "nothing at all": pa.array([], PART),
}


def as_dicts(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        return {name: as_dicts(getattr(value, name)) for name in value.__struct_fields__}
    return [as_dicts(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS)
def test_values_are_as_pyarrow_makes_them(array: Any) -> None:
    for start in range(len(array) + 1):
        for length in range(len(array) - start + 1):
            part = array.slice(start, length)
            assert [as_dicts(value) for value in values(part)] == part.to_pylist()


def test_times_are_exact_and_in_the_one_utc() -> None:
    rng, first = Random(5), datetime(1990, 1, 1, tzinfo=UTC)
    times = [first + timedelta(microseconds=rng.randrange(111 * 365 * 86_400 * 10**6)) for _ in range(20_000)]
    found = values(pa.array(times, pa.timestamp("us", "UTC")))
    assert found == times
    assert all(time.tzinfo is UTC for time in found)


def test_what_a_null_hides_is_not_looked_at() -> None:
    hidden = pa.array([2**62, 10**15])
    known = pa.array([False, True]).cast(pa.uint8())
    bits = pa.py_buffer(bytes([sum(int(bit) << at for at, bit in enumerate(known.to_pylist()))]))
    times = pa.Array.from_buffers(pa.timestamp("us", "UTC"), 2, [bits, hidden.buffers()[1]])
    assert values(times) == [None, datetime(2001, 9, 9, 1, 46, 40, tzinfo=UTC)]


@pytest.mark.parametrize("text", ["short \xff", LONG + "\xff"], ids=["short", "long"])
def test_bytes_that_are_no_utf8_are_refused(text: str) -> None:
    raw = pa.array([text.encode("latin-1"), b"a"]).view(pa.string())
    with pytest.raises(UnicodeDecodeError):
        values(raw)


@pytest.mark.parametrize("array", [ARRAYS["lists of structs"], ARRAYS["long texts in ASCII"]], ids=["nested", "lines"])
def test_texts_without_control_characters_are_plain(array: Any) -> None:
    assert plain(array)


@pytest.mark.parametrize("odd", ["\x00", "\x0b", "\x1f", "\x7f"])
def test_a_control_character_is_seen_at_any_depth(odd: str) -> None:
    rows = pa.array([[{"role": "agent", "text": "a\n" + odd}, {"text": LONG}], [{"text": "a"}]], pa.list_(PART))
    assert not plain(rows)
    assert not plain(pa.array([{"rows": [[{"text": odd}]]}]))
    assert plain(rows.slice(1))


def test_of_unknown_kinds_nothing_is_said() -> None:
    assert not plain(ARRAYS["large texts"])


def test_reading_needs_no_pandas(tmp_path: Path) -> None:
    """pyarrow imports it for some conversions, which costs every process 0.2 s."""
    with ParquetWriter(tmp_path / "chats.parquet") as writer:
        for chat in simulate(5, 8):
            writer.write(chat)
    program = (
        "import sys; from pathlib import Path; from handoff.formats.groups import parsed, read_groups; "
        "found = [r for g in read_groups(Path(sys.argv[1])) for r in parsed(g)]; print(len(found), 'pandas' in sys.modules)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "chats.parquet")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "5 False\n"
