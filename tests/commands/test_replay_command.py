"""`handoff replay` in a terminal of any width, and as data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.cells import cell_len

from handoff.store import Feedback, open_store
from handoff.transcript import Outcome
from tests.build import conversation
from tests.commands.chats import CHATS, write
from tests.commands.running import run


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write(tmp_path / "data")


def test_turns_rules_decisions_and_how_it_ended(data: Path) -> None:
    result = run("replay", data, "--conversation", "asks")
    assert result.exit_code == 0
    for expected in (
        "Action, by the rules alone",
        "▲ ◆",
        "+ asks_for_human (rapid): The customer asked for a human",
        "► proactive_escalation for human_requested, by rule asks_for_human",
        "► none, a human owns the conversation",
        "First alarm: message 1, proactive_escalation",
        "Outcome: handed off at message 3, 2026-03-02 14:31 UTC, to billing, recorded reason human_requested",
        "Lead: 2 messages, 1.0 minutes before the hand-off",
    ):
        assert expected in " ".join(result.stdout.split()), expected


def test_personal_data_is_masked_and_brackets_stay(data: Path) -> None:
    assert "ana@example.org" not in run("replay", data, "--conversation", "asks").stdout
    assert "[export]?" in run("replay", data, "--conversation", "calm").stdout


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.parametrize("name", ["asks", "unsure", "calm", "gone", "many"])
def test_no_line_is_wider_than_the_terminal_and_none_is_coloured(tmp_path: Path, columns: int, name: str) -> None:
    many = [{"customer": f"Question number {i} 😀 about the {'very ' * (i % 30)}long widget"} for i in range(150)]
    data = write(tmp_path / "data", (*CHATS, conversation(*many, conversation_id="many")))
    shown = run("replay", data, "--conversation", name, columns=columns).stdout
    assert max(cell_len(line) for line in shown.splitlines()) <= columns
    assert "\x1b" not in shown


ENDS = {
    "alarm": "Outcome: not handed off",
    "gone": "Outcome: abandoned before anybody took over",
    "silent": "Lead: none: no alarm before the hand-off",
    "calm": "No rule asks for anything at any message.",
}


@pytest.mark.parametrize(("name", "expected"), ENDS.items(), ids=ENDS)
def test_every_way_to_end(data: Path, name: str, expected: str) -> None:
    assert expected in run("replay", data, "--conversation", name).stdout


def test_the_same_as_data(data: Path) -> None:
    played = json.loads(run("replay", data, "--conversation", "unsure", "--json").stdout)
    assert [turn["action"] for turn in played["turns"]] == ["none", "escalate_now", "none"]
    assert played["ending"]["alarm"] == 1
    assert (played["ending"]["lead_messages"], played["ending"]["lead_minutes"]) == (1, 0.5)


def test_one_has_to_be_chosen(data: Path) -> None:
    result = run("replay", data)
    assert result.exit_code == 1
    assert "choose one with --conversation: asks, unsure" in result.stderr


@pytest.fixture
def store(tmp_path: Path) -> str:
    """A store that holds the first two chats, and an outcome of the first."""
    url = f"sqlite:///{tmp_path / 'store.sqlite'}"
    with open_store(url) as opened:
        for chat in CHATS[:2]:
            for message in chat.messages:
                opened.append_message(chat.conversation_id, message)
        opened.record_outcome(Feedback(conversation_id="asks", outcome=Outcome(escalated=True, team="billing")))
    return url


def test_one_conversation_of_a_store(store: str) -> None:
    played = json.loads(run("replay", "--store", store, "--conversation", "asks", "--json").stdout)
    assert played["conversation_id"] == "asks"
    assert (played["ending"]["team"], played["ending"]["handed_off"]) == ("billing", 2)


WRONG_IDS = {
    "unknown": (["--conversation", "nobody"], "--store: no conversation 'nobody' among 2; there are asks, unsure"),
    "none": ([], "--store: holds several conversations; choose one with --conversation: asks, unsure"),
}


@pytest.mark.parametrize(("options", "says"), WRONG_IDS.values(), ids=WRONG_IDS)
def test_of_a_store_too_one_has_to_be_chosen(store: str, options: list[str], says: str) -> None:
    done = run("replay", "--store", store, *options)
    assert (done.exit_code, says in done.stderr) == (1, True), done.stderr


def test_a_file_and_a_store_are_one_too_many(data: Path, store: str) -> None:
    done = run("replay", data, "--store", store)
    assert (done.exit_code, "name either FILE or --store URL" in done.stderr) == (2, True)


def test_the_probability_is_a_curve_with_its_cuts(data: Path, trained_models: Path) -> None:
    shown = run("replay", data, "--conversation", "asks", "--models", trained_models, columns=80).stdout
    assert "Probability of a hand-off" in shown
    for cut in ("30% monitor", "60% prepare_specialist", "80% proactive_escalation", "90% escalate_now"):
        (line,) = [line for line in shown.splitlines() if line.endswith(f" {cut}")]
        assert line[:4].strip() in ("", cut.partition(" ")[0])
        assert "┄" in line
    assert max(cell_len(line) for line in shown.splitlines()) <= 80
