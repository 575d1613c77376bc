"""A conversation played again: turns, rules that start and stop, the first alarm, the lead."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from handoff.analytics.replay import Replay, replay
from handoff.decision import Judge
from handoff.transcript import Conversation
from handoff.transcript.episodes import prefix
from tests.analytics.stub_model import judge
from tests.build import at, conversation
from tests.strategies import conversations

RULES = Judge.by_rules()
CUSTOMER: dict[str, Any] = {"customer": "Where do I find the export? Mail me at ana@example.org"}
SURE: dict[str, Any] = {"assistant": "It is under Settings.", "confidence": 0.95}
LESS: dict[str, Any] = {"assistant": "It is under Settings.", "confidence": 0.70}
HUMAN: dict[str, Any] = {"customer": "Can I speak to a human?"}
AGENT: dict[str, Any] = {"agent": "This is Ana, I take over."}


def test_rules_start_and_stop_where_they_do() -> None:
    played = replay(RULES, conversation(CUSTOMER, SURE, LESS, SURE, HUMAN, AGENT))
    starts = {turn.index: [s.rule for s in turn.started] for turn in played.turns if turn.started}
    assert starts == {2: ["confidence_decline"], 4: ["asks_for_human"]}
    stops = {turn.index: turn.stopped for turn in played.turns if turn.stopped}
    assert stops == {3: ("confidence_decline",), 5: ("asks_for_human",)}
    assert [turn.action for turn in played.turns] == [
        "none", "none", "proactive_escalation", "none", "proactive_escalation", "none",
    ]  # fmt: skip
    assert [turn.index for turn in played.turns if turn.changed] == [2, 3, 4, 5]
    assert [turn.decided_by for turn in played.turns][4:] == ["rule", "owner"]


def test_the_first_alarm_and_its_lead() -> None:
    ending = replay(RULES, conversation(CUSTOMER, SURE, LESS, SURE, HUMAN, AGENT, outcome={"team": "billing"})).ending
    assert (ending.escalated, ending.handed_off, ending.team) == (True, 5, "billing")
    assert (ending.alarm, ending.lead_messages, ending.lead_minutes) == (2, 3, 1.5)


ENDINGS: dict[str, tuple[Conversation, tuple[bool | None, int | None, int | None]]] = {
    "no alarm before the hand-off": (conversation(CUSTOMER, SURE, AGENT, HUMAN), (True, None, None)),
    "an alarm and nobody came": (conversation(CUSTOMER, HUMAN, SURE), (False, 1, None)),
    "abandoned": (conversation(CUSTOMER, HUMAN, outcome={"abandoned": True}), (None, 1, None)),
    "an alarm at the hand-off itself is none": (
        conversation(CUSTOMER, HUMAN, SURE, outcome={"escalated_at": at(0.5)}), (True, None, None),
    ),
    "an alarm in an episode before is another matter": (
        conversation(HUMAN, {"assistant": "Bye", "event": "resolved"}, CUSTOMER, HUMAN, AGENT), (True, 3, 1),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("chat", "expected"), ENDINGS.values(), ids=ENDINGS)
def test_how_it_ended(chat: Conversation, expected: tuple[bool | None, int | None, int | None]) -> None:
    ending = replay(RULES, chat).ending
    assert (ending.escalated, ending.alarm, ending.lead_messages) == expected


def test_personal_data_is_masked() -> None:
    played = replay(RULES, conversation(CUSTOMER))
    assert "ana@example.org" not in played.turns[0].text


def test_a_model_gives_probabilities_levels_and_indicators() -> None:
    asked = judge(per_message=0.3, weights={"customer_messages": 0.5})
    played = replay(asked, conversation(CUSTOMER, SURE, {"customer": "Thank you"}, SURE))
    assert played.mode == "model_and_rules"
    assert [(turn.probability, turn.level) for turn in played.turns] == [
        (0.3, "medium"), (0.3, "medium"), (0.6, "high"), (0.6, "high"),
    ]  # fmt: skip
    assert [turn.action for turn in played.turns] == ["monitor", "monitor", "monitor", "prepare_specialist"]
    assert [i.feature for i in played.turns[2].indicators] == ["customer_messages"]
    alone = replay(RULES, conversation(CUSTOMER))
    assert (alone.mode, alone.turns[0].probability, alone.turns[0].level) == ("rules_only", None, None)


def test_minutes_count_from_the_first_time() -> None:
    timeless = conversation({**CUSTOMER, "sent_at": None}, {**SURE, "at": 3}, {**HUMAN, "at": 4.5})
    assert [turn.minutes for turn in replay(RULES, timeless).turns] == [None, 0.0, 1.5]


def differing(played: Replay, chat: Conversation, asked: Judge) -> list[int]:
    """Turns that say something else than the service would have said there."""
    wrong = []
    for turn in played.turns:
        answer = asked.answer(prefix(chat, turn.index + 1))
        said = answer.recommendation
        same = (turn.action, turn.reason, turn.says) == (said.action, said.reason, said.says)
        if not same or turn.probability != answer.escalation.probability:
            wrong.append(turn.index)
    return wrong


@settings(deadline=None, max_examples=25)
@given(conversations(most=8))
def test_every_turn_says_what_the_service_would_have_said(chat: Conversation) -> None:
    asked = judge(per_message=0.25, weights={"customer_messages": 0.5})
    assert differing(replay(asked, chat), chat, asked) == []


def test_that_check_can_fail() -> None:
    chat = conversation(CUSTOMER, HUMAN, SURE)
    assert differing(replay(RULES, conversation(CUSTOMER, CUSTOMER, SURE)), chat, RULES) == [1, 2]
