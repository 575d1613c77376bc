"""The early-warning report on conversations whose alarms can be counted by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handoff.analytics.cost_report import Part, choose_cuts, cost_report
from handoff.analytics.early_report import early_warning, flips, trigger_settings
from handoff.analytics.early_warning import Course
from handoff.decision import Judge
from handoff.errors import NotEnoughData
from handoff.features import FEATURE_NAMES
from handoff.policy import TriggerSettings
from handoff.policy.costs import load_costs
from handoff.transcript import Conversation
from tests.build import conversation

RULES = Judge.by_rules()
COSTS = load_costs()
WORDS = ("sky", "tea", "cat", "map", "ice", "sun", "oak", "pen")
LOW, HIGH = 0.2, 0.85


class ByConfidence:
    """A model whose probability is 1 less the assistant's last confidence: .2 before the first reply."""

    label, base = "escalation/confidence", 0.0

    def probabilities(self, moments: Sequence[Any]) -> list[float]:
        return [self._one(moment.row[FEATURE_NAMES.index("confidence_last")]) for moment in moments]

    def contributions(self, moment: Any) -> tuple[Any, ...]:
        return ()

    @staticmethod
    def _one(confidence: float) -> float:
        return LOW if confidence != confidence else round(1 - confidence, 6)


JUDGE = replace(RULES, escalation=ByConfidence())  # type: ignore[arg-type]


def chat(name: str, *scores: float, handed_off: bool = False) -> Conversation:
    """Customer, then one reply a score; handed off after the last, or not. No rule has anything to say about it:
    confidences stay where the rules are silent, as far as the scores allow."""
    parts: list[dict[str, Any]] = [{"customer": "hello"}]
    for word, score in zip(WORDS, scores, strict=False):
        parts.append({"assistant": word, "confidence": round(1 - score, 6)})
    return conversation(*parts, *([{"agent": "Hello"}] if handed_off else []), conversation_id=name)


# Alone, by plain cuts: a needless alarm in `noise`, a needed one in `late` and in `early`.
QUIET, NOISE = chat("quiet", 0.1, 0.1, 0.1), chat("noise", 0.1, 0.85, 0.1)
EARLY = chat("early", 0.85, 0.85, 0.85, 0.85, handed_off=True)
ALL = (QUIET, NOISE, EARLY)


def effect(setting: str, of: str) -> tuple[float | None, float | None, float | None]:
    report = early_warning(JUDGE, ALL, resamples=0)
    (found,) = [e for e in report.triggers if e.setting.startswith(setting) and e.of == of]
    return found.alarms.count, found.flips.count, found.precision.value


EFFECTS = [
    # Up and down again in `noise`, up in `early`.
    ("plain cuts", 2, 3, 0.5),
    ("2 in a row", 1, 1, 1.0),
    ("or one over the highest cut", 1, 1, 1.0),
    ("falling back", 1, 1, 1.0),
]


@pytest.mark.parametrize(("setting", "alarms", "turned", "precision"), EFFECTS, ids=[e[0] for e in EFFECTS])
def test_what_each_setting_of_the_trigger_does(setting: str, alarms: int, turned: int, precision: float) -> None:
    assert effect(setting, "model") == (alarms, turned, precision)
    assert effect(setting, "prepare") == (alarms, turned, precision)


def test_the_last_setting_is_the_one_in_use() -> None:
    shipped = TriggerSettings()
    assert trigger_settings(shipped)[-1][1] == shipped


def test_the_model_waits_for_a_second_message_and_is_judged_by_its_first_alarm() -> None:
    report = early_warning(JUDGE, [EARLY], resamples=0)
    (model,) = [p for p in report.policies if p.name == "model"]
    # Handed off at message 5; scored .85 from message 1 on, alarmed at message 2.
    assert model.figures["lead_messages"].value == 3
    assert (report.conversations, report.needed, report.without_label) == (1, 1, 0)


def test_without_a_model_only_the_rules_are_judged() -> None:
    report = early_warning(RULES, ALL, resamples=0)
    assert [p.name for p in report.policies] == ["never", "always", "every_fourth", "keywords", "rules", "served"]
    assert report.triggers == report.prefixes == report.workload == ()


def test_without_conversations_nothing_is_defined() -> None:
    report = early_warning(JUDGE, (), resamples=5)
    assert {f.value for p in report.policies for n, f in p.figures.items() if n == "recall"} == {None}


FLIPS = [("", 0), (".", 0), ("!", 1), (".!.", 2), ("!.!", 3), ("!!!", 1)]


@pytest.mark.parametrize(("states", "turned"), FLIPS)
def test_flips(states: str, turned: int) -> None:
    assert flips([tuple(state == "!" for state in states)]) == [turned]


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.tuples(st.lists(st.sampled_from((0.1, 0.35, 0.65, 0.85, 0.95)), max_size=6), st.booleans()), max_size=5)
)
def test_shares_stay_between_0_and_1(drawn: list[tuple[list[float], bool]]) -> None:
    chats = [chat(f"c{i}", *scores, handed_off=end) for i, (scores, end) in enumerate(drawn)]
    report = early_warning(JUDGE, chats, resamples=3)
    for policy in report.policies:
        for name in ("accuracy", "precision", "recall", "f1", "workload_reduction", "gtt_1", "earliness"):
            value = policy.figures[name].value
            assert value is None or 0 <= value <= 1
    for each in report.triggers:
        assert each.alarms.count is not None and each.alarms.of is not None and each.alarms.count <= each.alarms.of


def course(name: str, needed: bool, *scores: float) -> Course:
    return Course(conversation_id=name, label=needed, scores=scores, event=len(scores) if needed else None)


# Needed ones reach .50 twice from the first message on; needless ones reach .40, and .70 once.
SCORED = [course("a", True, 0.5, 0.5, 0.5, 0.5), course("b", False, 0.4, 0.4, 0.4), course("c", False, 0.1, 0.7, 0.1),
          course("d", False, 0.1, 0.7, 0.1)]  # fmt: skip


def test_the_cuts_chosen_part_what_the_scores_part() -> None:
    cuts = choose_cuts(SCORED, COSTS, TriggerSettings())
    # Two in a row: everything up to .50 finds the needed one, everything over .40 leaves the needless ones alone.
    assert cuts.proactive_escalation == 0.5
    assert cuts.escalate_now > 0.7


def test_plain_cuts_pay_for_a_noisy_message() -> None:
    # A needless call costs 5, the missed one 13: with one noisy conversation the cut stays where the needed one is.
    plain = choose_cuts(SCORED[:3], COSTS, TriggerSettings(in_a_row=1, highest_at_once=False, fall_back=0.0))
    assert plain.proactive_escalation == 0.5


@given(
    st.lists(st.tuples(st.booleans(), st.lists(st.integers(0, 20).map(lambda n: n / 20), min_size=1, max_size=5)),
             min_size=1, max_size=6),
    st.integers(1, 3),
    st.booleans(),
    st.floats(0, 50),
)  # fmt: skip
def test_chosen_cuts_never_fall(
    drawn: list[tuple[bool, list[float]]], row: int, at_once: bool, slot_price: float
) -> None:
    courses = [course(f"c{i}", needed, *scores) for i, (needed, scores) in enumerate(drawn)]
    cuts = choose_cuts(courses, COSTS, TriggerSettings(in_a_row=row, highest_at_once=at_once), slot_price=slot_price)
    levels = [cuts.monitor, cuts.prepare_specialist, cuts.proactive_escalation, cuts.escalate_now]
    assert levels == sorted(levels) and levels[0] > 0 and levels[-1] <= 1


def test_cuts_are_chosen_on_one_part_and_billed_on_the_other() -> None:
    read = {"choose": 0, "report": 0}

    def part(name: str, chats: Sequence[Conversation]) -> Part:
        def again() -> Sequence[Conversation]:
            read[name] += 1
            return chats

        return Part(again, hours=1.0)

    found = cost_report(JUDGE, part("choose", ALL), part("report", (QUIET, EARLY)), COSTS, resamples=20)
    assert (found.choosing, found.reporting, found.needed, read) == (3, 2, 1, {"choose": 1, "report": 1})
    bills = {each.name: each for each in found.policies}
    # Never: one missed, 12, and four messages of waiting at .25 beside the first.
    assert bills["never"].per_100.value == pytest.approx(100 * (12 + 5 * 0.25) / 2)
    assert bills["never"].bill.missed == 1
    assert (bills["always"].bill.alarms, bills["always"].bill.needless) == (2, 1)
    more = bills["chosen"].bill.cost - bills["served"].bill.cost
    assert found.difference.value == pytest.approx(100 * more / 2)
    assert found.difference.low is not None and found.difference.low <= found.difference.value


def test_a_limit_without_times_cannot_be_kept() -> None:
    part = Part(lambda: ALL)
    with pytest.raises(NotEnoughData, match="times"):
        cost_report(JUDGE, part, part, COSTS, per_hour=1)


def test_cuts_need_both_kinds() -> None:
    part = Part(lambda: (QUIET,))
    with pytest.raises(NotEnoughData, match="0 of the 1"):
        cost_report(JUDGE, part, part, COSTS)
