"""`handoff predict` as a scheduler calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from handoff.transcript import to_json
from tests.commands.chats import CHATS, write
from tests.commands.running import run


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write(tmp_path / "data")


def test_one_answer_a_conversation_on_stdout(data: Path) -> None:
    result = run("predict", data)
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 0
    assert [answer["conversation_id"] for answer in answers] == [chat.conversation_id for chat in CHATS]
    assert {answer["mode"] for answer in answers} == {"rules_only"}
    assert answers[3]["recommendation"]["action"] == "proactive_escalation"


def test_rules_only_is_said_on_stderr(data: Path) -> None:
    assert "no-such-folder/escalation/champion: no champion" in run("predict", data).stderr


def test_every_message_has_its_row(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.parquet"
    result = run("predict", data, "--every-message", "--out", out)
    assert result.exit_code == 0
    rows = pq.read_table(out)
    assert rows.column_names == ["conversation_id", "message_id", "index", "probability", "level", "action", "rules"]
    assert rows.num_rows == sum(len(chat.messages) for chat in CHATS)
    assert rows.to_pylist()[0]["rules"] == ["asks_for_human"]


def test_it_says_what_it_wrote_where(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "answers.jsonl"
    assert run("predict", data, "--out", out).stdout.splitlines() == [
        f"6 answers, for 6 conversations: {out}",
        "none 4, monitor 0, prepare_specialist 0, proactive_escalation 1, escalate_now 1",
    ]
    rows = json.loads(run("predict", data, "--every-message", "--out", out, "--json").stdout)
    assert (rows["conversations"], rows["rows"], rows["file"]) == (6, 15, str(out))
    assert sum(rows["actions"].values()) == 15


def test_a_single_conversation_in_json(tmp_path: Path) -> None:
    path = tmp_path / "one.json"
    path.write_text(json.dumps(json.loads(to_json(CHATS[0])), indent=1))
    result = run("predict", path, "--every-message")
    assert [json.loads(line)["index"] for line in result.stdout.splitlines()] == [0, 1, 2]


def test_a_bad_record_is_named_and_nothing_is_written(data: Path, tmp_path: Path) -> None:
    chats = data / "chats.jsonl"
    chats.write_bytes(chats.read_bytes() + b'{"conversation_id": "x", "messages": [{"role": "bot", "text": ""}]}\n')
    out = tmp_path / "out" / "answers.jsonl"
    result = run("predict", data, "--out", out)
    assert result.exit_code == 1
    assert f"{chats}:7: messages[0].role" in result.stderr
    assert list(out.parent.iterdir()) == []


MISUSE = {
    "counts of nothing": (["predict", ".", "--json"], 2, "without it stdout is JSON Lines"),
    "no such file": (["predict", "nowhere.jsonl"], 2, "nowhere.jsonl"),
    "a file of another kind": (
        ["predict", ".", "--out", "p.csv"],
        2,
        "p.csv ends in none of .jsonl, .jsonl.gz, .parquet",
    ),
    "explanations of short rows": (["predict", ".", "--every-message", "--explain"], 2, "hold no indicators"),
}


@pytest.mark.parametrize(("arguments", "status", "message"), MISUSE.values(), ids=MISUSE)
def test_misuse(arguments: list[str], status: int, message: str) -> None:
    result = run(*arguments)
    assert result.exit_code == status
    assert message in result.stderr


def test_a_model_that_was_asked_for_must_hold(data: Path, tmp_path: Path) -> None:
    result = run("predict", data, "--model", tmp_path / "nothing")
    assert result.exit_code == 1
    assert "manifest.json: missing" in result.stderr


def test_a_trained_version(data: Path, trained_models: Path) -> None:
    result = run("predict", data, "--every-message", "--model", trained_models / "escalation" / "1")
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert (result.exit_code, result.stderr) == (0, "")
    assert all(0 <= row["probability"] <= 1 and row["level"] is not None for row in rows)


def test_the_champions(data: Path, trained_models: Path) -> None:
    result = run("predict", data, "--models", trained_models, "--explain")
    answer = json.loads(result.stdout.splitlines()[3])
    assert (answer["versions"]["model"], answer["versions"]["routing"]) == ("escalation/1", "routing/1")
    assert answer["mode"] == "model_and_rules"
    assert answer["escalation"]["log_odds"] is not None


def test_a_routing_model_cannot_tell_probabilities(data: Path, trained_models: Path) -> None:
    result = run("predict", data, "--model", trained_models / "routing" / "1")
    assert result.exit_code == 1
    assert "holds a routing model" in result.stderr


def test_help_has_an_example() -> None:
    assert "handoff predict data/sample --every-message" in run("predict", "--help").stdout
