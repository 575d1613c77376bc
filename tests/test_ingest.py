"""Ingestion: nothing lost, nothing mixed, nothing held."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from handoff.errors import BadInput, BadRecord
from handoff.formats import read_conversations
from handoff.ingest import NothingUsable, Source, ingest, validate


def line(number: int, **fields: Any) -> str:
    message = {"role": "customer", "text": f"hello {number}", **fields}
    return json.dumps({"conversation_id": f"c-{number}", "messages": [message, {"role": "assistant", "text": "hi"}]})


def source(path: Path, **options: Any) -> Source:
    return Source(paths=(path,), **options)


def ids(folder: Path) -> list[str]:
    return [conversation.conversation_id for conversation in read_conversations(folder)]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """Two usable conversations, and in between every kind of trouble."""
    bad = [
        "{broken",
        line(2, role="bot"),
        line(3, confidence=7),
        line(4, confidence=float("nan")),
        '{"conversation_id":"c-5","messages":[{"role":"customer"}]}',
        line(1),
        line(6, text="a\x00b"),
        '{"conversation_id":"c-7","messages":[{"role":"customer","text":"' + "x" * 20_000_000 + '"}]}',
    ]
    path = tmp_path / "in.jsonl"
    path.write_text("\n".join([line(1), *bad, line(8)]) + "\n")
    with path.open("ab") as file:
        file.write(b'{"conversation_id":"c-9","messages":[{"role":"customer","text":"\xff"}]}\n')
    return path


def test_each_bad_record_is_named_and_costs_no_other(mixed: Path, tmp_path: Path) -> None:
    summary = ingest(source(mixed), tmp_path / "out")
    assert ids(tmp_path / "out") == ["c-1", "c-8"]
    assert (summary.files, summary.conversations, summary.messages, summary.rejects) == (1, 2, 4, 9)
    rejects = [json.loads(each) for each in (tmp_path / "out" / "rejects.jsonl").read_text().splitlines()]
    assert [(reject["line"], reject["path"]) for reject in rejects] == [
        (2, ""),
        (3, "messages[0].role"),
        (4, "messages[0].confidence"),
        (5, "messages[0].confidence"),
        (6, "messages[0].text"),
        (7, "conversation_id"),
        (8, "messages[0].text"),
        (9, "messages[0].text"),
        (11, "messages[0].text"),
    ]
    assert all(reject["file"] == str(mixed) and reject["expected"] for reject in rejects)
    assert [reject.get("conversation_id") for reject in rejects[1:]] == [f"c-{n}" for n in (2, 3, 4, 5, 1, 6, 7, 9)]


def test_a_short_reject_can_be_mended_and_a_long_one_is_cut(mixed: Path, tmp_path: Path) -> None:
    ingest(source(mixed), tmp_path / "out")
    rejects = [json.loads(each) for each in (tmp_path / "out" / "rejects.jsonl").read_text().splitlines()]
    assert json.loads(rejects[1]["raw"])["messages"][0]["role"] == "bot"
    assert (len(rejects[7]["raw"]), rejects[7]["raw_bytes"] > 20_000_000) == (8192, True)
    assert "\\xff" in rejects[8]["raw"]


def test_the_summary_counts_by_field_with_examples(mixed: Path) -> None:
    summary = validate(source(mixed))
    by_field = {field.field: field for field in summary.rejects_by_field}
    assert {name: field.count for name, field in by_field.items()} == {
        "messages[].text": 4,
        "messages[].confidence": 2,
        "(record)": 1,
        "conversation_id": 1,
        "messages[].role": 1,
    }
    assert sum(field.count for field in by_field.values()) == summary.rejects
    assert by_field["messages[].role"].examples == (
        f'{mixed}:3: messages[0].role: "bot"; expected one of customer, assistant, agent, system',
    )


def test_no_more_than_five_examples_a_field(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("\n".join(line(number, role="x") for number in range(20)))
    (field,) = validate(source(tmp_path / "a.jsonl")).rejects_by_field
    assert (field.count, len(field.examples)) == (20, 5)


def test_strict_stops_at_the_first_reject_and_leaves_nothing(mixed: Path, tmp_path: Path) -> None:
    with pytest.raises(BadRecord, match=r"in\.jsonl:2: broken JSON"):
        ingest(source(mixed, strict=True), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_strict_leaves_an_earlier_result_alone(mixed: Path, tmp_path: Path) -> None:
    ingest(source(mixed), tmp_path / "out")
    before = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    with pytest.raises(BadRecord):
        ingest(source(mixed, strict=True), tmp_path / "out")
    assert {path: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_a_second_run_replaces_the_first_and_its_rejects(mixed: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    ingest(source(mixed), out)
    (tmp_path / "good.jsonl").write_text(line(100))
    ingest(source(tmp_path / "good.jsonl"), out, "parquet")
    assert names(out) == {"conversations.parquet"}
    ingest(source(mixed), out)
    assert names(out) == {"conversations.jsonl", "rejects.jsonl"}
    assert ids(out) == ["c-1", "c-8"]


def test_a_folder_may_be_ingested_into_itself(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (tmp_path / "a.jsonl").write_text(line(1))
    ingest(source(tmp_path / "a.jsonl"), out)
    ingest(source(out), out, "parquet")
    assert names(out) == {"conversations.parquet"}
    assert ids(out) == ["c-1"]


def test_nothing_usable_is_an_error_and_still_names_the_rejects(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("{}\n")
    with pytest.raises(NothingUsable, match=r"a\.jsonl:1: .*missing") as error:
        ingest(source(tmp_path / "a.jsonl"), tmp_path / "out")
    assert error.value.summary.rejects == 1
    assert names(tmp_path / "out") == {"rejects.jsonl"}


def test_nothing_usable_leaves_an_earlier_result_alone(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(line(1))
    (tmp_path / "b.jsonl").write_text("{}\n")
    ingest(source(tmp_path / "a.jsonl"), tmp_path / "out")
    with pytest.raises(NothingUsable):
        ingest(source(tmp_path / "b.jsonl"), tmp_path / "out")
    assert names(tmp_path / "out") == {"conversations.jsonl"}


def test_an_empty_file_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("")
    with pytest.raises(
        NothingUsable, match=r"a\.jsonl: empty; expected the wire format: JSON Lines or Parquet \(--format native\)"
    ):
        ingest(source(tmp_path / "a.jsonl"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_interrupted_run_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(line(1) + "\n" + line(2))

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest(source(tmp_path / "a.jsonl"), tmp_path / "out", on_record=interrupt)
    assert not (tmp_path / "out").exists()


def test_several_sources_are_one_and_a_file_named_twice_counts_once(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in (1, 2):
        (tmp_path / "in" / f"{number}.jsonl").write_text(line(number))
    both = Source(paths=(tmp_path / "in", tmp_path / "in" / "1.jsonl"))
    assert ingest(both, tmp_path / "out").files == 2
    assert ids(tmp_path / "out") == ["c-1", "c-2"]


def test_out_must_not_be_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(line(1))
    with pytest.raises(BadInput, match="expected a folder"):
        ingest(source(tmp_path / "a.jsonl"), tmp_path / "a.jsonl")


def test_an_unknown_format_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="did you mean 'chatwoot'"):
        validate(source(tmp_path, format_name="chatwood"))


def _peak(path: Path, out: Path, storage: Any) -> int:
    tracemalloc.start()
    try:
        ingest(source(path), out, storage)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("storage", ["jsonl", "parquet"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, storage: str) -> None:
    sizes = {"small": 2_000, "large": 12_000}
    for name, count in sizes.items():
        (tmp_path / f"{name}.jsonl").write_text("\n".join(line(number, text="word " * 60) for number in range(count)))
    ingest(source(tmp_path / "small.jsonl"), tmp_path / "warm", storage)  # type: ignore[arg-type]
    small, large = (_peak(tmp_path / f"{name}.jsonl", tmp_path / name, storage) for name in sizes)
    file_growth = sum(path.stat().st_size * sign for path, sign in zip(_files(tmp_path), (-1, 1), strict=True))
    # What may grow is the set of ids, about 100 bytes a conversation; holding the file would be three times as much.
    assert large - small < 120 * (sizes["large"] - sizes["small"]) < file_growth / 2


def _files(folder: Path) -> tuple[Path, Path]:
    return folder / "small.jsonl", folder / "large.jsonl"


def test_a_reader_that_holds_the_file_would_be_caught(tmp_path: Path) -> None:
    (tmp_path / "large.jsonl").write_text("\n".join(line(number, text="word " * 60) for number in range(12_000)))
    tracemalloc.start()
    held = list(read_conversations(tmp_path / "large.jsonl"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(held) == 12_000
    assert peak > 120 * 10_000
