"""What messages say is kept in numbers, found again only where nothing changed, and holds no text."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as parquet
import pytest

from handoff.formats import NativeWriter, ParquetWriter
from handoff.simulate import simulate
from handoff.training import feature_file
from handoff.training.feature_file import feature_table, write_features
from handoff.training.signal_table import SignalStore, signals_version
from handoff.transcript import Conversation, Customer, Message

CHATS = list(simulate(12, 8))


def written(path: Path, chats: list[Conversation]) -> Path:
    with ParquetWriter(path) if path.suffix == ".parquet" else NativeWriter(path) as writer:
        for chat in chats:
            writer.write(chat)
    return path


def forbid_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(conversations: object) -> None:
        raise AssertionError("a text was read again")

    monkeypatch.setattr(feature_file, "signal_table", refuse)


@pytest.mark.parametrize("name", ["chats.jsonl", "chats.parquet"])
def test_a_second_run_reads_no_text_and_writes_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    data = written(tmp_path / name, CHATS)
    first = write_features(data, tmp_path / "first.parquet", 1, signals=tmp_path / "signals")
    forbid_reading(monkeypatch)
    second = write_features(data, tmp_path / "second.parquet", 1, signals=tmp_path / "signals")
    assert first == second
    assert parquet.read_table(tmp_path / "first.parquet").equals(parquet.read_table(tmp_path / "second.parquet"))


def test_what_changed_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_features(written(tmp_path / "a.jsonl", CHATS), tmp_path / "a.parquet", 1, signals=tmp_path / "signals")
    forbid_reading(monkeypatch)
    with pytest.raises(AssertionError, match="read again"):
        write_features(
            written(tmp_path / "b.jsonl", CHATS[:-1]), tmp_path / "b.parquet", 1, signals=tmp_path / "signals"
        )


@pytest.mark.parametrize("name", ["chats.jsonl", "chats.parquet"])
@pytest.mark.parametrize("run", ["first", "second"])
def test_features_need_no_pandas(tmp_path: Path, run: str, name: str) -> None:
    """pyarrow imports it for some conversions, which costs every process more than its share of a short run."""
    data = written(tmp_path / name, CHATS)
    if run == "second":
        write_features(data, tmp_path / "first.parquet", 1, signals=tmp_path / "signals")
    program = (
        "import sys; from pathlib import Path; from handoff.training.feature_file import write_features; "
        "write_features(*map(Path, sys.argv[1:3]), 1, signals=Path(sys.argv[3])); print('pandas' in sys.modules)"
    )
    command = [sys.executable, "-c", program, str(data), str(tmp_path / "out.parquet"), str(tmp_path / "signals")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "False\n"


def test_texts_read_in_several_lots_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = feature_table(CHATS)
    monkeypatch.setattr("handoff.training.signal_table.MESSAGES_TOGETHER", 10)
    assert feature_table(CHATS).equals(whole)


def test_records_are_told_apart_by_their_borders(tmp_path: Path) -> None:
    store = SignalStore(tmp_path)
    store.put([b"ab", b"c"], _table())
    assert store.get([b"ab", b"c"]) is not None
    assert store.get([b"a", b"bc"]) is None
    assert [path.suffix for path in (tmp_path / signals_version()).iterdir()] == [".arrow"]


def _table() -> object:
    import pyarrow as pa

    return pa.table({"x": [1.0]})


def test_no_text_lies_in_the_folder(tmp_path: Path) -> None:
    said = Message(role="customer", text="Zanzibar calling, I am Quentin at quentin@example.com")
    chat = Conversation(conversation_id="c-1", messages=(said,), customer=Customer(name="Quentin", plan="pro"))
    write_features(written(tmp_path / "c.jsonl", [chat]), tmp_path / "c.parquet", 1, signals=tmp_path / "signals")
    kept = b"".join(path.read_bytes() for path in (tmp_path / "signals").rglob("*.arrow")).lower()
    assert kept
    assert not any(word in kept for word in (b"zanzibar", b"quentin", b"calling"))
