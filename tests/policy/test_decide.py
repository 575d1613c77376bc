"""From belief and rules to one action, as CONTRACT's tables say."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoff.policy import (
    ACTIONS,
    PLAIN_CUTS,
    decide,
    level,
    load_policy,
    model_action,
    plain_action,
    rule_action,
    trend,
)
from handoff.policy.trigger import is_up
from handoff.rules import Fired, Rule, load_rules

BOOK = load_rules()
POLICY = load_policy(rules=BOOK)


def fired(*ids: str) -> tuple[Fired, ...]:
    return tuple(Fired(BOOK[rule_id], "m1", BOOK[rule_id].title) for rule_id in ids)


CUTS = [
    (0.0, "none", None, None), (0.299, "none", None, None), (0.30, "monitor", None, None),
    (0.599, "monitor", None, None), (0.60, "prepare_specialist", "scheduled", 300),
    (0.80, "proactive_escalation", "rapid", 120), (0.90, "escalate_now", "immediate", 0),
]  # fmt: skip


@pytest.mark.parametrize(("probability", "action", "urgency", "within"), CUTS)
def test_a_probability_that_stays(probability: float, action: str, urgency: str | None, within: int | None) -> None:
    decision = decide(probability, (), "assistant", POLICY, ("sales",), (probability, probability))
    assert (decision.action, decision.urgency, decision.within_seconds) == (action, urgency, within)
    assert decision.decided_by == "model"
    assert (decision.reason is None) == (action in ("none", "monitor"))


RULES = [
    ("outage", "escalate_now", "immediate", 0, "urgent_issue"),
    ("asks_for_human", "proactive_escalation", "rapid", 120, "human_requested"),
    ("long_conversation", "proactive_escalation", "scheduled", 300, "long_conversation"),
    ("account_vip", "prepare_specialist", "scheduled", 300, "account_flag"),
    ("repeat_escalation", "prepare_specialist", "scheduled", 300, "repeat_escalation"),
    ("region", "prepare_specialist", "scheduled", 300, "region"),
]


@pytest.mark.parametrize(("rule", "action", "urgency", "within", "reason"), RULES, ids=[r[0] for r in RULES])
@pytest.mark.parametrize("probability", [None, 0.1])
def test_a_rule_alone(
    rule: str, action: str, urgency: str, within: int, reason: str, probability: float | None
) -> None:
    decision = decide(probability, fired(rule), "assistant", POLICY)
    assert (decision.action, decision.urgency, decision.within_seconds) == (action, urgency, within)
    assert (decision.reason, decision.decided_by, decision.rule) == (reason, "rule", rule)


ALARMS = [
    ("one message over a cut is only watched", (0.1, 0.85), "monitor"),
    ("also where it is the first", (0.65,), "monitor"),
    ("two in a row ask for what both reach", (0.65, 0.85), "prepare_specialist"),
    ("and for more once both reach more", (0.81, 0.85), "proactive_escalation"),
    ("one over the highest cut does at once", (0.1, 0.90), "escalate_now"),
    ("what was raised stands down to .10 below its cut", (0.85, 0.85, 0.70), "proactive_escalation"),
    ("and falls back to the next below that", (0.85, 0.85, 0.699), "prepare_specialist"),
    ("to watching in the end", (0.85, 0.85, 0.499), "monitor"),
    ("and to nothing, as the plain cut of watching says", (0.85, 0.85, 0.299), "none"),
    ("a fallen one takes two again", (0.65, 0.65, 0.4, 0.65), "monitor"),
    ("the highest stands as well", (0.95, 0.80), "escalate_now"),
]


@pytest.mark.parametrize(("case", "scores", "action"), ALARMS, ids=[c[0] for c in ALARMS])
def test_the_shipped_trigger(case: str, scores: tuple[float, ...], action: str) -> None:
    assert model_action(scores[-1], POLICY, scores) == action
    assert decide(scores[-1], (), "assistant", POLICY, (), scores).action == action


def test_a_message_that_is_not_read_leaves_the_alarm_as_it_was() -> None:
    assert model_action(0.2, POLICY, (0.85, 0.85)) == "proactive_escalation"
    assert model_action(0.85, POLICY, ()) == "monitor"


SENTENCES = [
    ((0.1, 0.85), "Worth watching: 85% is over a cut, but not in enough messages in a row"),
    ((0.4,), "Worth watching, no action needed"),
    ((0.1,), "Nothing calls for a human"),
    ((0.85, 0.85), "The model expects a hand-off with a probability of 85%"),
    (
        (0.85, 0.85, 0.72),
        "The model expects a hand-off with a probability of 72%; raised over 80%, it stands until it falls below 70%",
    ),
]


@pytest.mark.parametrize(("scores", "says"), SENTENCES)
def test_the_sentence_says_why(scores: tuple[float, ...], says: str) -> None:
    assert decide(scores[-1], (), "assistant", POLICY, (), scores).says == says


PLAIN = msgspec.structs.replace(POLICY, trigger=PLAIN_CUTS)
so_far = st.lists(st.floats(0, 1), min_size=1, max_size=20)


@given(scores=so_far)
def test_with_plain_cuts_only_the_newest_probability_counts(scores: list[float]) -> None:
    assert model_action(scores[-1], PLAIN, scores) == plain_action(scores[-1], PLAIN)


@given(scores=so_far, held=st.sampled_from(BOOK.rules))
def test_the_trigger_never_weakens_a_rule(scores: list[float], held: Rule) -> None:
    holding = (Fired(held, "m1", "s"),)
    alone = decide(None, holding, "assistant", POLICY).action
    for policy in (POLICY, PLAIN):
        both = decide(scores[-1], holding, "assistant", policy, (), scores).action
        assert ACTIONS.index(both) >= ACTIONS.index(alone)


@given(scores=so_far)
def test_a_stronger_action_stands_on_the_weaker_ones(scores: list[float]) -> None:
    up = [is_up(scores, trigger) for _, trigger in POLICY.triggers]
    assert up == sorted(up, reverse=True)


def test_ties_go_to_the_rule() -> None:
    decision = decide(0.85, fired("asks_for_human"), "assistant", POLICY, ("sales",), (0.85, 0.85))
    assert decision.decided_by == "rule"


def test_a_stronger_belief_wins_over_a_weaker_rule_and_keeps_its_reason() -> None:
    decision = decide(0.95, fired("account_vip"), "assistant", POLICY, ("sales", "complaint"))
    assert (decision.action, decision.decided_by, decision.reason) == ("escalate_now", "model", "sales")
    assert decision.contributing_reasons == ("account_flag", "complaint")


def test_the_most_urgent_rule_decides_and_all_reasons_are_kept() -> None:
    decision = decide(0.1, fired("asks_for_human", "long_conversation", "outage"), "assistant", POLICY)
    assert (decision.reason, decision.rule) == ("urgent_issue", "outage")
    assert decision.contributing_reasons == ("human_requested", "long_conversation")


def test_between_equals_the_order_of_the_file_decides() -> None:
    assert decide(None, fired("security", "dispute_or_refund"), "assistant", POLICY).rule == "security"


def test_an_account_rule_does_not_take_the_reason_from_a_rule_that_acts() -> None:
    assert decide(None, fired("long_conversation", "account_vip"), "assistant", POLICY).reason == "long_conversation"


def test_a_human_owner_is_left_alone() -> None:
    decision = decide(0.99, fired("outage"), "human", POLICY)
    assert (decision.action, decision.decided_by, decision.reason) == ("none", "owner", "human_owns_conversation")
    assert (decision.urgency, decision.within_seconds, decision.contributing_reasons) == (None, None, ())


@given(
    probability=st.none() | st.floats(0, 1),
    rules=st.lists(st.sampled_from(BOOK.rules), max_size=6, unique_by=lambda r: r.id),
)
def test_nothing_weakens_a_rule(probability: float | None, rules: list) -> None:  # type: ignore[type-arg]
    decision = decide(probability, tuple(Fired(r, "m1", "s") for r in rules), "assistant", POLICY)
    strongest = max((ACTIONS.index(rule_action(r, POLICY)) for r in rules), default=0)
    assert ACTIONS.index(decision.action) == max(strongest, ACTIONS.index(model_action(probability, POLICY)))


LEVELS = [
    (0.0, "low"),
    (0.2999, "low"),
    (0.2999999, "medium"),
    (0.30, "medium"),
    (0.60, "high"),
    (0.7999, "high"),
    (0.80, "critical"),
]


@pytest.mark.parametrize(("probability", "expected"), LEVELS)
def test_levels(probability: float, expected: str) -> None:
    assert level(probability) == expected


TRENDS = [
    (0.5, None, None),
    (0.5, 0.45, "steady"),
    (0.5, 0.449, "rising"),
    (0.45, 0.5, "steady"),
    (0.44, 0.5, "falling"),
]


@pytest.mark.parametrize(("now", "before", "expected"), TRENDS)
def test_trends(now: float, before: float | None, expected: str | None) -> None:
    assert trend(now, before, 0.05) == expected
