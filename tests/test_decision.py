"""Answers field by field: by the rules alone, and with a trained model."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoff.decision import Judge
from handoff.features import FEATURE_NAMES, follow
from handoff.models import load_champion
from handoff.policy.trigger import WINDOW
from handoff.rules import load_rules
from handoff.simulate import simulate
from handoff.transcript import Conversation
from handoff.transcript.episodes import prefix
from tests.build import conversation
from tests.strategies import conversations

RULES_ONLY = Judge.by_rules()
CALM = [
    {"customer": "Where do I change the colour of the widget"},
    {"assistant": "Under Settings.", "confidence": 0.93},
]
DISPUTE = [*CALM, {"customer": "You charged me twice, I want a refund"}]


@pytest.fixture(scope="module")
def judge(trained_models: Path) -> Judge:
    """Rules, policy and the small models that the tests train."""
    escalation, routing = (load_champion(name, trained_models) for name in ("escalation", "routing"))
    return Judge(RULES_ONLY.rules, RULES_ONLY.policy, escalation, routing)


def wire(answer: Any) -> dict[str, Any]:
    """The answer as a caller sees it."""
    decoded: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(answer))
    return decoded


def test_by_rules_alone_a_calm_conversation_needs_nothing() -> None:
    answer = wire(RULES_ONLY.answer(conversation(*CALM)))
    assert answer["mode"] == "rules_only"
    assert answer["escalation"]["probability"] is answer["escalation"]["level"] is answer["escalation"]["trend"] is None
    assert answer["escalation"]["indicators"] == answer["rules"] == []
    assert answer["versions"]["model"] is answer["versions"]["routing"] is None
    assert answer["recommendation"]["action"] == "none"
    assert answer["recommendation"]["decided_by"] == "rule"
    assert answer["customer_message"] is None


def test_by_rules_alone_a_dispute_goes_to_billing_now() -> None:
    answer = wire(RULES_ONLY.answer(conversation(*DISPUTE)))
    (rule,) = [r for r in answer["rules"] if r["rule"] == "dispute_or_refund"]
    assert (rule["urgency"], rule["within_seconds"], rule["message_id"]) == ("immediate", 0, "m3")
    assert answer["recommendation"]["action"] == "escalate_now"
    assert answer["recommendation"]["reason"] == "billing_dispute"
    assert (answer["routing"]["team"], answer["routing"]["certain"], answer["routing"]["priority"]) == (
        "billing",
        True,
        "urgent",
    )
    assert answer["customer_message"]


def test_while_a_human_owns_it_nothing_is_recommended(judge: Judge) -> None:
    for who in (RULES_ONLY, judge):
        answer = wire(who.answer(conversation(*DISPUTE, {"agent": "Hello, I am Emma"}, {"customer": "URGENT refund"})))
        assert answer["recommendation"] == {
            "action": "none", "urgency": None, "within_seconds": None, "reason": "human_owns_conversation",
            "contributing_reasons": [], "decided_by": "owner", "rule": None, "says": "A human owns the conversation",
        }  # fmt: skip
        assert answer["rules"] == []
        assert answer["customer_message"] is None


def test_a_model_adds_its_belief_and_its_versions(judge: Judge) -> None:
    answer = wire(judge.answer(conversation(*DISPUTE), explain=True))
    assert answer["mode"] == "model_and_rules"
    assert answer["versions"]["model"] == "escalation/1"
    assert answer["versions"]["routing"] == "routing/1"
    assert 0 <= answer["escalation"]["probability"] <= 1
    assert answer["routing"]["probabilities"]


def test_the_answer_is_the_last_of_the_verdicts(judge: Judge) -> None:
    for case in simulate(40, 5):
        last = list(judge.follow(case))[-1]
        answer = judge.answer(case)
        assert answer.escalation.probability == pytest.approx(last.probability, abs=1e-6)
        assert answer.recommendation.action == last.decision.action
        assert [r.rule for r in answer.rules] == [f.rule.id for f in last.fired if f.rule.status == "live"]


def test_a_verdict_knows_only_what_was_said_by_then(judge: Judge) -> None:
    for case in simulate(15, 6):
        for known, verdict in enumerate(judge.follow(case), 1):
            alone = judge.answer(prefix(case, known))
            assert alone.recommendation.action == verdict.decision.action
            assert alone.escalation.probability == pytest.approx(verdict.probability, abs=1e-6)


class Told:
    """A model that says what the test tells it: one probability a message of the episode."""

    label, base = "told/1", 0.0

    def __init__(self, *scores: float) -> None:
        self.scores, self.rows = scores, [0]

    def probabilities(self, moments: Any) -> list[float]:
        self.rows.append(len(moments))
        columns = [FEATURE_NAMES.index(name) for name in ("customer_messages", "assistant_messages")]
        return [(0.0, *self.scores)[int(sum(moment.row[column] for column in columns))] for moment in moments]

    def contributions(self, moment: Any) -> tuple[Any, ...]:
        return ()


def told(*scores: float) -> Judge:
    return Judge(RULES_ONLY.rules, RULES_ONLY.policy, Told(*scores))  # type: ignore[arg-type]


WORDS = ("sky", "tea", "cat", "map", "ice", "sun", "oak", "pen", "cup", "bay", "fog", "hat", "ink", "jam", "key", "log",
         "mud", "net", "owl", "pie", "rye", "sea", "toy", "van", "wax", "yak", "zoo", "ant", "bee", "cow")  # fmt: skip


def chat(messages: int) -> list[dict[str, Any]]:
    """A chat that no rule has anything to say about."""
    return [
        {"customer": WORDS[i]} if i % 2 == 0 else {"assistant": WORDS[i], "confidence": 0.9} for i in range(messages)
    ]


def actions(judge: Judge, *parts: dict[str, Any]) -> list[str]:
    return [verdict.decision.action for verdict in judge.follow(conversation(*parts))]


def test_the_model_alone_needs_two_in_a_row_or_one_over_the_highest() -> None:
    judge = told(0.65, 0.2, 0.65, 0.65, 0.55, 0.45, 0.95, 0.85)
    assert actions(judge, *chat(8)) == [
        "monitor", "none", "monitor", "prepare_specialist", "prepare_specialist", "monitor", "escalate_now",
        "escalate_now",
    ]  # fmt: skip


def test_a_declined_hand_off_silences_the_model_until_there_is_new_evidence() -> None:
    parts = [*chat(3), {"customer": "no, stay", "event": "declined"}, *chat(3)]
    assert actions(told(0.85, 0.85, 0.85, 0.85, 0.85, 0.85, 0.85), *parts)[1:] == [
        "proactive_escalation", "proactive_escalation", "monitor", "monitor", "proactive_escalation",
        "proactive_escalation",
    ]  # fmt: skip


def test_an_alarm_ends_with_its_episode() -> None:
    parts = [*chat(2), {"system": "closed", "event": "resolved"}, *chat(1)]
    assert actions(told(0.85, 0.85, 0.85), *parts)[1:] == ["proactive_escalation", "none", "monitor"]


def test_a_message_that_is_not_read_neither_raises_nor_ends_an_alarm() -> None:
    parts = [{"customer": "hi"}, {"system": "note"}, {"assistant": "hello"}, {"system": "note"}]
    assert actions(told(0.85, 0.85), *parts) == [
        "monitor", "monitor", "proactive_escalation", "proactive_escalation",
    ]  # fmt: skip


def test_a_standing_holds_the_newest_messages_read_and_no_more() -> None:
    standing = RULES_ONLY.standing(conversation(*chat(30), {"system": "note"}))
    assert [moment.index for moment in standing.recent] == list(range(30 - WINDOW, 30))


@pytest.mark.parametrize(
    ("newest", "rows"), [(0.1, [0, 2]), (0.95, [0, 2, WINDOW - 2])], ids=["that is down", "that may be up"]
)
def test_an_answer_asks_for_what_an_alarm_rests_on(newest: float, rows: list[int]) -> None:
    judge = told(*[0.1] * 29, newest)
    judge.answer(conversation(*chat(30)))
    assert judge.escalation.rows == rows  # type: ignore[union-attr]


def test_another_model_takes_over_half_way() -> None:
    standing = RULES_ONLY.standing(conversation(*chat(3)))
    assert told(0.1, 0.1, 0.1).conclude(standing).recommendation.action == "none"
    assert told(0.1, 0.85, 0.85).conclude(standing).recommendation.action == "proactive_escalation"


@given(case=conversations(), scores=st.lists(st.integers(0, 20).map(lambda n: n / 20), min_size=80, max_size=80))
def test_message_by_message_the_alarms_are_those_of_the_whole(case: Conversation, scores: list[float]) -> None:
    judge = told(*scores)
    for known, verdict in enumerate(judge.follow(case, reasons=False), 1):
        alone = judge.answer(prefix(case, known))
        assert alone.recommendation.action == verdict.decision.action


def test_trend_is_null_at_first_and_compares_customer_messages(judge: Judge) -> None:
    assert judge.answer(conversation(CALM[0])).escalation.trend is None
    later = judge.answer(conversation(*DISPUTE))
    now, before = (judge.answer(conversation(*parts)).escalation.probability for parts in (DISPUTE, CALM[:1]))
    assert now is not None and before is not None
    expected = "rising" if now - before > 0.05 else "falling" if before - now > 0.05 else "steady"
    assert later.escalation.trend == expected


def test_contributions_and_base_sum_to_the_log_odds(judge: Judge) -> None:
    assert judge.escalation is not None
    for case in simulate(25, 8):
        answer = judge.answer(case, explain=True).escalation
        if not answer.indicators:
            continue
        assert answer.base is not None and answer.rest is not None and answer.log_odds is not None
        moment = list(follow(case))[-1]
        assert answer.log_odds == pytest.approx(float(judge.escalation.log_odds([moment])[0]), abs=1e-4)
        assert answer.base + answer.rest + math.fsum(i.weight for i in answer.indicators) == pytest.approx(
            answer.log_odds, abs=1e-4
        )


def test_indicators_are_true_of_the_conversation(judge: Judge) -> None:
    assert judge.escalation is not None
    for case in simulate(40, 9):
        seen = judge.escalation.inputs([list(follow(case))[-1]])[0].tolist()
        row = dict(zip(judge.escalation.manifest.features, seen, strict=True))
        for indicator in judge.answer(case, explain=True).escalation.indicators:
            assert indicator.value == pytest.approx(row[indicator.feature], abs=1e-6)
            assert indicator.weight > 0
            assert "nan" not in indicator.says
            assert indicator.value != 0 or not indicator.feature.endswith("_count")
            assert not indicator.says.startswith("0") or "words" in indicator.feature


def test_a_rule_on_trial_is_listed_and_does_not_decide(tmp_path: Path) -> None:
    from importlib import resources

    text = resources.files("handoff.rules").joinpath("rules.yaml").read_text("utf-8")
    path = tmp_path / "rules.yaml"
    path.write_text(text.replace("- id: dispute_or_refund\n", "- id: dispute_or_refund\n    status: trial\n"), "utf-8")
    answer = Judge.by_rules(load_rules(path)).answer(conversation(*DISPUTE))
    assert answer.on_trial == ("dispute_or_refund",)
    assert "dispute_or_refund" not in [r.rule for r in answer.rules]
    assert answer.recommendation.reason != "billing_dispute"


@given(case=conversations())
def test_whatever_comes_in_the_answer_keeps_its_invariants(case: Conversation) -> None:
    answer = RULES_ONLY.answer(case)
    recommendation = answer.recommendation
    acts = recommendation.action in ("proactive_escalation", "escalate_now")
    assert bool(answer.customer_message) == acts
    assert (
        (recommendation.urgency is None)
        == (recommendation.within_seconds is None)
        == (recommendation.action in ("none", "monitor"))
    )
    assert recommendation.reason not in recommendation.contributing_reasons
    assert {r.message_id for r in answer.rules} <= {m.message_id for m in case.messages}
