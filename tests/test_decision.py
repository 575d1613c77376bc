"""Answers field by field: by the rules alone, and with a trained model."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given

from handoff.decision import Judge
from handoff.features import FEATURE_NAMES, follow
from handoff.models import load_champion
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
    for case in simulate(40, 9):
        row = dict(zip(FEATURE_NAMES, list(follow(case))[-1].row, strict=True))
        for indicator in judge.answer(case, explain=True).escalation.indicators:
            assert indicator.value == pytest.approx(row[indicator.feature], abs=1e-6)
            assert indicator.weight > 0
            assert "nan" not in indicator.says
            assert indicator.value != 0 or not indicator.feature.endswith("_count")


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
