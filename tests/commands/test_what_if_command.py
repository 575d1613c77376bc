"""`handoff replay --what-if`: another system on stored conversations, from a file or from a store."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import msgspec
import pytest

from handoff.store import Feedback, open_store
from handoff.transcript import Outcome
from tests.commands.chats import CHATS, write
from tests.commands.running import run


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write(tmp_path / "data")


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """The shipped rules, but asking for a human is only on trial."""
    text = resources.files("handoff.rules").joinpath("rules.yaml").read_text("utf-8")
    path = tmp_path / "rules.yaml"
    path.write_text(text.replace("- id: asks_for_human\n", "- id: asks_for_human\n    status: trial\n"), "utf-8")
    return path


def test_a_changed_rule_is_lost_where_it_had_decided(data: Path, rules: Path) -> None:
    done = run("replay", data, "--what-if", "--new-rules", rules, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert {flip["conversation_id"] for flip in found["flips"]} == {"asks", "alarm", "gone"}
    assert found["counts"] == [{"direction": "weaker", "reason": "human_requested", "flips": len(found["flips"])}]
    assert (found["conversations"], found["labelled"], found["changed"]["count"]) == (6, 5, 3)
    assert found["after"]["bill"]["missed"] == found["before"]["bill"]["missed"] + 1


def test_it_reads_as_a_sentence_and_warns_of_placeholders(data: Path, rules: Path) -> None:
    said = " ".join(run("replay", data, "--what-if", "--new-rules", rules).stdout.split())
    assert (
        "asks, message 1 (2 messages): proactive_escalation for human_requested by rule asks_for_human → none" in said
    )
    assert "shipped placeholders" in said


def test_conversations_of_a_store_with_their_outcomes(tmp_path: Path, rules: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.sqlite'}"
    with open_store(url) as store:
        for chat in CHATS[:1]:
            for message in chat.messages:
                store.append_message(chat.conversation_id, message)
            store.record_outcome(Feedback(conversation_id=chat.conversation_id, outcome=Outcome(escalated=True)))
    done = run("replay", "--what-if", "--store", url, "--new-rules", rules, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found["conversations"], found["labelled"], len(found["flips"])) == (1, 1, 1)


def test_those_without_an_outcome_are_counted_and_left_out(data: Path, rules: Path) -> None:
    going_on = msgspec.structs.replace(CHATS[3], conversation_id="goes on", outcome=None)
    told = json.loads(run("replay", data, "--what-if", "--new-rules", rules, "--json").stdout)
    data = write(data, (*CHATS, going_on))
    found = json.loads(run("replay", data, "--what-if", "--new-rules", rules, "--json").stdout)
    assert (found["conversations"], found["labelled"], found["without_outcome"], found["abandoned"]) == (7, 5, 1, 1)
    assert found["before"]["bill"] == told["before"]["bill"]
    said = " ".join(run("replay", data, "--what-if", "--new-rules", rules).stdout.split())
    assert "of 5 with a known outcome; left out of them: 1 without one, 1 abandoned before anybody took over" in said


def test_where_no_outcome_is_known_it_says_what_to_do(tmp_path: Path, rules: Path) -> None:
    data = write(tmp_path / "open", (msgspec.structs.replace(CHATS[3], outcome=None),))
    done = run("replay", data, "--what-if", "--new-rules", rules)
    assert done.exit_code == 0  # what flips needs no outcome
    assert "report outcomes (POST /outcomes), or name a file whose conversations hold `outcome`" in done.stderr
    prices = tmp_path / "costs.yaml"
    prices.write_text(resources.files("handoff.policy").joinpath("costs.yaml").read_text("utf-8"), "utf-8")
    asked = run("replay", data, "--what-if", "--new-rules", rules, "--costs", prices)
    assert asked.exit_code == 1
    assert "Error: --costs: no conversation has a known outcome" in asked.stderr


MISUSE = [
    (["--what-if"], "name what changes"),
    (["--what-if", "--new-cuts", "0.3,0.6,0.8,0.9", "--conversation", "asks"], "decides all conversations"),
    (["--what-if", "--new-cuts", "0.3,0.6"], "expected four numbers"),
    (["--new-cuts", "0.3,0.6,0.8,0.9"], "need --what-if"),
]


@pytest.mark.parametrize(("options", "says"), MISUSE, ids=[m[1] for m in MISUSE])
def test_misuse(data: Path, options: list[str], says: str) -> None:
    done = run("replay", data, *options)
    assert done.exit_code == 2
    assert says in " ".join(done.output.replace("│", " ").split())


WRONG = [
    (["--new-cuts", "0.9,0.6,0.8,0.9"], "expected rising probabilities"),
    (["--new-trigger", "{in_a_row: 0}"], "in_a_row"),
]


@pytest.mark.parametrize(("options", "says"), WRONG, ids=[w[1] for w in WRONG])
def test_a_change_that_does_not_hold(data: Path, options: list[str], says: str) -> None:
    done = run("replay", data, "--what-if", *options)
    assert done.exit_code == 1
    assert says in done.output
