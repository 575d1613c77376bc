"""The feature file holds what tables hold, with labels for every target, and appears whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow.parquet as parquet
import pytest

from handoff.errors import BadRecord
from handoff.features import FEATURE_NAMES
from handoff.formats import NativeWriter, ParquetWriter
from handoff.formats.groups import read_groups
from handoff.simulate import simulate
from handoff.training.feature_file import feature_frame, write_features
from handoff.training.labels import TARGETS
from handoff.training.rows import table
from handoff.transcript import Conversation, to_json


def test_it_holds_the_rows_and_labels_of_the_tables(tmp_path: Path) -> None:
    chats = list(simulate(40, 8))
    written = write_features(chats, tmp_path / "sub" / "features.parquet")
    frame = parquet.read_table(tmp_path / "sub" / "features.parquet").to_pandas()
    assert (written.conversations, written.rows) == (40, len(frame))
    for target in TARGETS:
        rows, labelled = table(chats, target), frame[frame[f"y_{target}"].notna()]
        assert labelled[f"y_{target}"].tolist() == rows.y.tolist()
        assert labelled[list(FEATURE_NAMES)].to_numpy() == pytest.approx(rows.X, nan_ok=True)


@pytest.mark.parametrize("processes", [1, 2], ids=["by one process", "by two processes"])
def test_written_in_groups_it_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processes: int) -> None:
    write_features(simulate(20, 8), tmp_path / "whole.parquet")
    monkeypatch.setattr("handoff.training.feature_file.GROUP_BYTES", 5_000)
    write_features(simulate(20, 8), tmp_path / "groups.parquet", processes)
    whole, groups = (parquet.read_table(tmp_path / name) for name in ("whole.parquet", "groups.parquet"))
    assert whole.equals(groups)


def test_groups_are_written_some_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handoff.training.feature_file.GROUP_BYTES", 5_000)
    monkeypatch.setattr("handoff.training.feature_file.ROWS_A_WRITE", 60)
    write_features(simulate(20, 8), tmp_path / "features.parquet", 1)
    known = parquet.ParquetFile(tmp_path / "features.parquet").metadata
    sizes = [known.row_group(i).num_rows for i in range(known.num_row_groups)]
    assert len(sizes) > 1
    assert min(sizes[:-1]) >= 60


def test_a_run_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> Iterator[Conversation]:
        yield from simulate(3, 8)
        raise RuntimeError("disk gone")

    with pytest.raises(RuntimeError):
        write_features(broken(), tmp_path / "features.parquet")
    assert list(tmp_path.iterdir()) == []


def test_a_frame_of_nothing_has_the_columns() -> None:
    assert set(FEATURE_NAMES) <= set(feature_frame([]).columns)
    assert feature_frame(simulate(2, 1))["index"].dtype == np.int32


def test_a_record_that_cannot_be_used_is_named_and_nothing_written(tmp_path: Path) -> None:
    data = tmp_path / "chats.jsonl"
    data.write_bytes(to_json(next(iter(simulate(1, 8)))) + b'\n{"conversation_id": "x"}\n')
    with pytest.raises(BadRecord, match=r"chats\.jsonl:2: .*messages"):
        write_features(data, tmp_path / "features.parquet")
    assert list(tmp_path.iterdir()) == [data]


def test_an_id_that_comes_again_is_refused(tmp_path: Path) -> None:
    data = tmp_path / "chats.jsonl"
    data.write_bytes(b"\n".join([to_json(next(iter(simulate(1, 8))))] * 2))
    with pytest.raises(BadRecord, match=r"chats\.jsonl:2: conversation_id: .* earlier record"):
        write_features(data, tmp_path / "features.parquet")


NATIVE: dict[str, type[NativeWriter | ParquetWriter]] = {"jsonl": NativeWriter, "parquet": ParquetWriter}


def written(path: Path, chats: Iterable[Conversation]) -> Path:
    with NATIVE[path.suffix[1:]](path) as writer:
        for chat in chats:
            writer.write(chat)
    return path


@pytest.fixture
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handoff.formats.groups.LEAST_BYTES", 5_000)
    monkeypatch.setattr("handoff.formats.groups.RECORDS_TO_AN_END", 1)
    monkeypatch.setattr("handoff.formats.parquet._BATCH_BYTES", 5_000)
    monkeypatch.setattr("handoff.formats.parquet._GROUP_ROWS", 7)


@pytest.mark.parametrize("processes", [1, 2], ids=["by one process", "by two processes"])
@pytest.mark.parametrize("kind", NATIVE)
@pytest.mark.usefixtures("small_groups")
def test_from_a_file_it_is_the_same(tmp_path: Path, kind: str, processes: int) -> None:
    data = written(tmp_path / f"chats.{kind}", simulate(40, 8))
    assert len(list(read_groups(data))) > 5
    whole = write_features(simulate(40, 8), tmp_path / "whole.out")
    assert write_features(data, tmp_path / "file.out", processes) == whole
    assert parquet.read_table(tmp_path / "file.out").equals(parquet.read_table(tmp_path / "whole.out"))


# What is wrong in which of 40 conversations, and what is said of the first.
WRONG: dict[str, tuple[dict[int, dict[str, Any]], str]] = {
    "one": ({25: {"satisfaction": 9.0}}, r"chats\.KIND:26: satisfaction: 9.*<= 5"),
    "two": ({30: {"satisfaction": 9.0}, 12: {"as_of": datetime(2020, 1, 1, tzinfo=UTC)}}, r"chats\.KIND:13: as_of"),
    "an id twice": ({33: {"conversation_id": "again"}, 3: {"conversation_id": "again"}}, r"chats\.KIND:34: .* 'again'"),
    "an id twice, then another": (
        {9: {"conversation_id": "b"}, 3: {"conversation_id": "b"}, 30: {"satisfaction": 9.0}},
        r"chats\.KIND:10: conversation_id: 'b' is also the id of an earlier record",
    ),
}


@pytest.mark.parametrize("processes", [1, 2], ids=["by one process", "by two processes"])
@pytest.mark.parametrize("kind", NATIVE)
@pytest.mark.parametrize("changes, says", WRONG.values(), ids=WRONG)
@pytest.mark.usefixtures("small_groups")
def test_the_first_record_that_cannot_be_used_is_named(
    tmp_path: Path, changes: dict[int, dict[str, Any]], says: str, kind: str, processes: int
) -> None:
    chats = [msgspec.structs.replace(chat, **changes.get(at, {})) for at, chat in enumerate(simulate(40, 8))]
    data = written(tmp_path / f"chats.{kind}", chats)
    with pytest.raises(BadRecord, match=says.replace("KIND", kind)):
        write_features(data, tmp_path / "features.parquet", processes)
    assert list(tmp_path.iterdir()) == [data]


@pytest.mark.parametrize("processes", [1, 2], ids=["by one process", "by two processes"])
@pytest.mark.usefixtures("small_groups")
def test_what_is_wrong_before_a_file_breaks_off_is_named_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    monkeypatch.setattr("handoff.formats.source.lines.__defaults__", (30_000,))
    lines = [to_json(chat) for chat in simulate(8, 8)]
    data = tmp_path / "chats.jsonl"
    data.write_bytes(b"\n".join([*lines, b"{}", *[line.replace(b"c-", b"d-") for line in lines], b"x" * 40_000]))
    with pytest.raises(BadRecord, match=r"chats\.jsonl:9: conversation_id: missing"):
        write_features(data, tmp_path / "features.parquet", processes)
