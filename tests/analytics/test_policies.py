"""The trivial policies on small conversations: what they see, when they alarm, and what they must not see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings

from handoff.analytics.early_warning import figures
from handoff.analytics.policies import POLICIES, Watched, watch, watch_all
from handoff.decision import Judge
from handoff.transcript import Conversation
from tests.build import conversation
from tests.strategies import conversations

RULES = Judge.by_rules()
NAMES = tuple(policy.name for policy in POLICIES)


class Always85:
    """A model that says .85 after every message: over the cut of a proactive escalation."""

    label = "always/85"

    def probabilities(self, moments: Sequence[Any]) -> list[float]:
        return [0.85] * len(moments)


def watched(judge: Judge, *parts: dict[str, Any], **fields: Any) -> Watched:
    found = watch(judge, conversation(*parts, **fields))
    assert found is not None
    return found


def drawn(found: Watched, policy: str) -> str:
    return "".join("!" if up else "." for up in found.raised[policy])


def said(*texts: str, confidence: float = 0.9) -> list[dict[str, Any]]:
    """Customer and assistant in turns."""
    return [
        {"customer": text} if i % 2 == 0 else {"assistant": text, "confidence": confidence}
        for i, text in enumerate(texts)
    ]


ASKED = said("Hello", "Hi, how can I help?", "Can I talk to a human please", "Of course.", "thanks", "One moment.")
UNSURE = [*said("Where is the menu", "It may be here", "and the button", confidence=0.3), {"agent": "Hello, Ana here"}]

CASES = [
    ("never", ASKED, "......"),
    ("always", ASKED, "!!!!!!"),
    ("every_fourth", ASKED, "...!.."),
    ("keywords", ASKED, "..!!!!"),
    ("rules", ASKED, "..!!!!"),
    ("model", ASKED, "......"),
    ("served", ASKED, "..!!!!"),
    ("keywords", UNSURE, "..."),
    ("rules", UNSURE, ".!!"),
    ("every_fourth", UNSURE, "..."),
]


@pytest.mark.parametrize(("policy", "parts", "expected"), CASES, ids=[f"{c[0]}: {c[2]}" for c in CASES])
def test_when_each_policy_alarms(policy: str, parts: list[dict[str, Any]], expected: str) -> None:
    assert drawn(watched(RULES, *parts), policy) == expected


def test_the_model_alone_and_as_served() -> None:
    judge = Judge(RULES.rules, RULES.policy, Always85())  # type: ignore[arg-type]
    found = watched(judge, *said("Hello", "Hi", "Where is the menu"))
    assert found.course.scores == (0.85, 0.85, 0.85)
    assert [drawn(found, name) for name in ("model", "served", "rules")] == [".!!", ".!!", "..."]


def test_without_a_model_there_are_no_scores() -> None:
    assert watched(RULES, *ASKED).course.scores == (None,) * 6


def test_a_conversation_is_watched_to_its_hand_off() -> None:
    found = watched(RULES, *UNSURE, {"agent": "solved"})
    assert (found.course.label, found.course.event, len(found.course.scores)) == (True, 3, 3)
    assert (found.course.seconds, found.course.event_seconds) == ((0, 30, 60), 90)


def test_only_the_episode_that_was_handed_off_is_watched() -> None:
    parts = [*said("Hello", "Hi"), {"customer": "ok", "event": "resolved"}, {"customer": "again"}, {"agent": "Hello"}]
    found = watched(RULES, *parts)
    assert found.course.event == len(found.course.scores) == 2


def test_the_announcement_of_a_transfer_is_no_row() -> None:
    parts = [{"system": "Chat started"}, {"customer": "Hi"}, {"assistant": "One moment", "event": "handoff_requested"}]
    judge = Judge(RULES.rules, RULES.policy, Always85())  # type: ignore[arg-type]
    found = watched(judge, *parts, {"agent": "Hello"})
    assert found.course.scores == (None, 0.85, None)
    assert drawn(found, "always") == ".!!"


def test_one_who_gave_up_has_no_label() -> None:
    left = conversation(*said("Hello"), outcome={"abandoned": True})
    assert watch(RULES, left) is None
    assert watch_all(RULES, [left, conversation(*ASKED)]).without_label == 1


def test_against_whether_a_human_was_needed() -> None:
    needed = conversation(*said("Hello", "Hi"), outcome={"escalation_needed": True})
    found = watch(RULES, needed, against="escalation_needed")
    assert found is not None
    assert (found.course.label, found.course.event) == (True, None)
    assert watch(RULES, conversation(*ASKED), against="escalation_needed") is None


def test_all_policies_over_several_conversations() -> None:
    found = watch_all(RULES, [conversation(*ASKED), conversation(*UNSURE)])
    assert found.first("rules") == (2, 1)
    assert found.first("never") == (None, None)
    recall = {name: figures(found.alarms(name), resamples=0)["recall"].value for name in NAMES}
    assert recall == {
        "never": 0, "always": 1, "every_fourth": 0, "keywords": 0, "rules": 1, "model": 0, "served": 1,
    }  # fmt: skip


def test_without_conversations() -> None:
    nothing = watch_all(RULES, [])
    assert len(nothing.alarms("served")) == 0


@settings(max_examples=40, deadline=None)
@given(conversations())
def test_any_conversation(conversation: Conversation) -> None:
    found = watch(RULES, conversation)
    if found is None:
        return
    assert set(found.raised) == set(NAMES)
    assert {len(states) for states in found.raised.values()} == {len(found.course.scores)}
    # Keywords are some of the rules, and without a model the rules are what is served.
    assert all(r or not k for k, r in zip(found.raised["keywords"], found.raised["rules"], strict=True))
    assert found.raised["rules"] == found.raised["served"]
    assert not any(found.raised["never"])
