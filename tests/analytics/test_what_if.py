"""Two systems on the same conversations: which decisions flip, how often, and what that costs."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given, settings

from handoff.analytics.what_if import what_if
from handoff.decision import Judge
from handoff.policy import PLAIN_CUTS
from handoff.policy.costs import load_costs
from handoff.policy.settings import Cuts
from handoff.transcript import Conversation, Outcome
from tests.analytics.test_early_report import ALL, JUDGE
from tests.build import conversation
from tests.strategies import conversations

COSTS = load_costs()
# No rules, which low confidences would fire: the model alone decides.
ALONE = replace(JUDGE, rules=msgspec.structs.replace(JUDGE.rules, rules=()))
PLAIN = replace(ALONE, policy=msgspec.structs.replace(JUDGE.policy, trigger=PLAIN_CUTS))
# How they ended is recorded; what the early-warning report takes for granted, a what-if asks for.
TOLD = [
    one if one.conversation_id == "early" else msgspec.structs.replace(one, outcome=Outcome(escalated=False))
    for one in ALL
]
NAMES = [one.conversation_id for one in TOLD]
BLIND = replace(ALONE, policy=msgspec.structs.replace(JUDGE.policy, cuts=Cuts(1.0, 1.0, 1.0, 1.0)))


def test_without_the_trigger_one_noisy_message_calls_a_human() -> None:
    found = what_if(ALONE, PLAIN, TOLD, COSTS)
    assert (found.conversations, found.labelled, found.changed.count) == (3, 3, 2)
    assert [(f.conversation_id, f.index, f.messages, f.direction) for f in found.flips] == [
        ("noise", 2, 1, "stronger"), ("early", 1, 1, "stronger"),
    ]  # fmt: skip
    noise = found.flips[0]
    assert (noise.before.action, noise.after.action) == ("monitor", "proactive_escalation")
    assert (noise.after.decided_by, noise.after.probability) == ("model", 0.85)
    assert [(c.direction, c.flips) for c in found.counts] == [("stronger", 2)]
    assert (found.before.alarms.count, found.after.alarms.count) == (1, 2)
    # One needless alarm more, at 1 and five minutes of .80; and one message of waiting less, at .25.
    assert found.after.bill.cost - found.before.bill.cost == pytest.approx(5 - 0.25)
    assert (found.before.figures["lead_messages"].value, found.after.figures["lead_messages"].value) == (3, 4)


def test_a_blind_model_is_weaker() -> None:
    found = what_if(ALONE, BLIND, TOLD, COSTS)
    assert {flip.direction for flip in found.flips} == {"weaker"}
    assert found.after.bill.missed == 1
    assert sum(each.flips for each in found.counts) == len(found.flips)


def test_no_label_no_bill_but_its_flips_count() -> None:
    left = conversation({"customer": "hello"}, {"assistant": "sky", "confidence": 0.15}, outcome={"abandoned": True})
    found = what_if(ALONE, PLAIN, [left], COSTS)
    assert (found.labelled, found.before.bill.conversations, len(found.flips)) == (0, 0, 1)


def test_one_that_may_still_go_on_is_no_conversation_without_a_need() -> None:
    """Nobody told how it ended: its alarm is neither needless nor is the silence before it right."""
    noise = TOLD[NAMES.index("noise")]
    others = [one for one in TOLD if one is not noise]
    told = what_if(ALONE, PLAIN, others, COSTS)
    found = what_if(ALONE, PLAIN, [*others, msgspec.structs.replace(noise, outcome=None)], COSTS)
    assert (found.conversations, found.labelled, found.without_outcome, found.abandoned) == (3, 2, 1, 0)
    assert (found.after.bill, found.after.figures) == (told.after.bill, told.after.figures)
    assert (found.after.alarms.count, len(found.flips)) == (2, 2)  # what needs no outcome still counts it


def test_a_human_who_took_over_is_an_outcome() -> None:
    taken = conversation({"customer": "hello"}, {"assistant": "sky", "confidence": 0.15}, {"agent": "It is me."})
    found = what_if(ALONE, PLAIN, [taken], COSTS)
    assert (found.labelled, found.without_outcome) == (1, 0)


def test_an_hour_is_counted_from_the_first_message_to_the_last() -> None:
    found = what_if(ALONE, PLAIN, TOLD, COSTS)
    # The longest lasts 5 messages half a minute apart and its hand-off: 2.5 minutes.
    assert found.before.alarms_per_hour == pytest.approx(1 / (2.5 / 60))


@settings(max_examples=20, deadline=None)
@given(conversations())
def test_nothing_changed_nothing_flips(case: Conversation) -> None:
    found = what_if(Judge.by_rules(), Judge.by_rules(), [case], COSTS)
    assert (found.flips, found.counts, found.changed.count) == ((), (), 0)
