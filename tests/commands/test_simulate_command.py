"""`handoff simulate` as a person calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from handoff.simulate import simulate, store
from handoff.transcript import parse
from tests.commands.running import app


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["simulate", *(str(argument) for argument in arguments)])


def test_it_writes_a_native_file_and_says_what_is_in_it(tmp_path: Path) -> None:
    result = run("--conversations", 30, "--seed", 3, "--out", tmp_path / "sample")
    assert result.exit_code == 0, result.output
    assert "30 simulated conversations" in result.stdout
    lines = (tmp_path / "sample" / "conversations.jsonl").read_bytes().splitlines()
    assert [parse(line) for line in lines] == list(simulate(30, 3))


def test_the_same_seed_gives_the_same_bytes_and_more_only_adds(tmp_path: Path) -> None:
    for name, count in (("a", 30), ("b", 30), ("c", 60)):
        run("--conversations", count, "--seed", 3, "--out", tmp_path / name)
    a, b, c = ((tmp_path / name / "conversations.jsonl").read_bytes() for name in "abc")
    assert a == b
    assert c.startswith(a) and c != a


def test_json_is_for_programs(tmp_path: Path) -> None:
    counts = json.loads(run("--conversations", 20, "--out", tmp_path, "--start", "2025-06-02", "--json").stdout)
    assert counts["conversations"] == 20
    assert counts["file"] == str(tmp_path / "conversations.jsonl")
    assert counts["first"].startswith("2025-06-02")


@pytest.mark.parametrize(
    "arguments",
    [("--conversations", "0"), ("--conversations", "many"), ("--start", "yesterday"), ("--sed", "3")],
    ids=["no conversations", "not a number", "not a date", "an unknown option"],
)
def test_misuse_is_status_2(tmp_path: Path, arguments: tuple[str, str]) -> None:
    assert run(*arguments, "--out", tmp_path).exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_breaks_leaves_the_earlier_file_alone(tmp_path: Path) -> None:
    run("--conversations", 10, "--out", tmp_path)
    before = (tmp_path / "conversations.jsonl").read_bytes()

    def broken() -> None:
        raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError):
        store.write(simulate(5, 1), tmp_path, broken)
    assert (tmp_path / "conversations.jsonl").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["conversations.jsonl"]


def test_an_earlier_simulation_is_replaced(tmp_path: Path) -> None:
    for seed in (3, 4, -5):
        done = run("--conversations", 10, "--seed", seed, "--out", tmp_path)
        assert done.exit_code == 0, done.output
    assert [parse(line) for line in (tmp_path / "conversations.jsonl").read_bytes().splitlines()] == list(
        simulate(10, -5)
    )


OTHERS = {
    "an ingested conversation": ("conversations.jsonl", b'{"conversation_id": "x", "messages": []}\n'),
    "one more behind simulated ones": ("conversations.jsonl", None),
    "no conversation": ("conversations.jsonl", b"id,text\n\xff"),
}


@pytest.mark.parametrize(("name", "holds"), OTHERS.values(), ids=OTHERS)
def test_what_it_did_not_write_is_not_overwritten(tmp_path: Path, name: str, holds: bytes | None) -> None:
    if holds is None:
        run("--conversations", 3, "--out", tmp_path)
        holds = (tmp_path / name).read_bytes() + b'{"conversation_id": "x", "messages": []}\n'
    (tmp_path / name).write_bytes(holds)
    done = run("--conversations", 3, "--out", tmp_path)
    assert done.exit_code == 1
    assert name in done.stderr and "name another folder with --out, or remove it first" in done.stderr
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {name: holds}


def test_other_files_of_the_folder_stay(tmp_path: Path) -> None:
    (tmp_path / "features.parquet").write_bytes(b"PAR1")
    assert run("--conversations", 3, "--out", tmp_path).exit_code == 0
    assert (tmp_path / "features.parquet").read_bytes() == b"PAR1"


def test_help_has_an_example() -> None:
    assert "handoff simulate --conversations 2000 --seed 7" in " ".join(run("--help").stdout.replace("│", "").split())
