"""Labels by hand: which messages are rows, and what came after them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from handoff.errors import BadInput
from handoff.features import follow
from handoff.training.labels import TARGETS, EscalationTarget, check_target, labelled, routed
from handoff.transcript import Conversation, Outcome
from handoff.transcript.outcomes import hand_offs
from tests.build import at, conversation

HI, REPLY, MORE, REPLY2 = (
    {"customer": "Hi"},
    {"assistant": "Hello"},
    {"customer": "It fails"},
    {"assistant": "Try again"},
)
ANNOUNCE = {"assistant": "Let me see.", "event": "handoff_requested"}
WAITING = {"customer": "ok, waiting"}
AGENT = {"agent": "Hi, this is Mike"}
CLOSED = {"system": "closed", "event": "resolved"}


def labels(chat: Conversation, target: EscalationTarget, within: int | None = None) -> dict[int, int]:
    """Message index to label."""
    return {row.moment.index: row.y for row in labelled(chat, list(follow(chat)), target, within)}


def chat(*parts: dict[str, Any], **outcome: Any) -> Conversation:
    return conversation(*parts, **({"outcome": outcome} if outcome else {}))


RATED = (
    {"assistant": "Which film?"},
    {"customer": "Any", "satisfaction": 3},
    {"assistant": "This one?"},
    {"customer": "No!", "satisfaction": 2.9},
    {"assistant": "Sorry"},
    {"customer": "Fine"},
)

CASES: list[Any] = [
    # escalated
    pytest.param(chat(HI, REPLY, MORE), "escalated", {0: 0, 1: 0, 2: 0}, id="nothing happened: all 0"),
    pytest.param(
        chat(HI, REPLY, MORE, ANNOUNCE, AGENT, MORE), "escalated", {0: 1, 1: 1, 2: 1},
        id="an agent came: 1 before, the announcement and all after are no rows",
    ),
    pytest.param(
        chat(HI, REPLY, MORE, ANNOUNCE, WAITING, AGENT, escalated=True, escalated_at=at(1.5)), "escalated",
        {0: 1, 1: 1, 2: 1}, id="escalated_at outranks the agent: waiting for one is after the hand-off",
    ),
    pytest.param(
        chat(HI, REPLY, MORE, AGENT, escalated=True), "escalated", {0: 1, 1: 1, 2: 1},
        id="without escalated_at the agent's first message is the hand-off",
    ),
    pytest.param(
        chat(HI, REPLY, MORE, escalated=True, escalated_at=at(60)), "escalated", {0: 1, 1: 1, 2: 1},
        id="handed off after the last message",
    ),
    pytest.param(
        chat(HI, REPLY, MORE, escalated=True), "escalated", {0: 1, 1: 1, 2: 1},
        id="escalated, nobody knows when: after the last message",
    ),
    pytest.param(chat(HI, REPLY, abandoned=True), "escalated", {}, id="abandoned is censored, not 0"),
    pytest.param(
        chat(HI, REPLY, AGENT, {"customer": "?"}, escalated=True, abandoned=True), "escalated", {0: 1, 1: 1},
        id="abandoned after the hand-off was handed off all the same",
    ),
    pytest.param(
        chat(HI, CLOSED, MORE, REPLY, AGENT), "escalated", {0: 0, 2: 1, 3: 1},
        id="a first episode that was resolved is 0, the second one 1",
    ),
    pytest.param(
        chat(HI, AGENT, {"system": "back", "event": "handed_back"}, MORE, REPLY2), "escalated", {0: 1, 3: 0, 4: 0},
        id="after a hand-back a new episode begins, that nobody took over",
    ),
    pytest.param(
        chat(HI, CLOSED, MORE, REPLY, abandoned=True), "escalated", {0: 0},
        id="abandoning censors the last episode only",
    ),
    pytest.param(
        chat(HI, ANNOUNCE, {"system": "nobody", "event": "declined"}, MORE, REPLY2, escalated=False), "escalated",
        {0: 0, 3: 0, 4: 0}, id="a declined hand-off is none",
    ),
    # needed_human
    pytest.param(chat(HI, REPLY, abandoned=True), "needed_human", {0: 1, 1: 1}, id="abandoned needed a human"),
    pytest.param(
        chat(HI, REPLY, resolved=False, satisfaction=2), "needed_human", {0: 1, 1: 1},
        id="unresolved and dissatisfied needed a human",
    ),
    pytest.param(
        chat(HI, REPLY, resolved=False, satisfaction=3), "needed_human", {0: 0, 1: 0},
        id="unresolved with 3 stars did not: below 3 excludes 3",
    ),
    pytest.param(
        chat(HI, REPLY, resolved=True, satisfaction=1), "needed_human", {0: 0, 1: 0},
        id="dissatisfied but resolved did not",
    ),
    pytest.param(
        chat(HI, REPLY, satisfaction=1), "needed_human", {0: 0, 1: 0}, id="resolved unknown is not unresolved"
    ),
    pytest.param(
        chat(HI, {"assistant": "?"}, {"customer": "no", "satisfaction": 1}, resolved=False), "needed_human",
        {0: 1, 1: 1, 2: 1}, id="a rating in a message counts when there is no other",
    ),
    pytest.param(
        chat(HI, REPLY, AGENT, resolved=True, satisfaction=5), "needed_human", {0: 1, 1: 1}, id="handed off needed one"
    ),
    # label
    pytest.param(
        chat(HI, {"assistant": "a", "label": 1}, {"customer": "b", "label": 0}, {"assistant": "c"}), "label",
        {1: 1, 2: 0}, id="messages without a label are no rows",
    ),
    pytest.param(
        chat({"assistant": "a", "label": 1}, AGENT, {"customer": "b", "label": 1}), "label", {0: 1},
        id="a label under a human's ownership is no row",
    ),
    # dissatisfied_next
    pytest.param(
        chat(*RATED), "dissatisfied_next", {0: 0, 1: 1, 2: 1}, id="the next rating decides, a message's own does not",
    ),
    pytest.param(
        chat(HI, CLOSED, {"customer": "again", "satisfaction": 1}), "dissatisfied_next", {},
        id="a rating in the next episode says nothing of this one",
    ),
    pytest.param(
        chat(HI, {"assistant": "a", "satisfaction": 1}), "dissatisfied_next", {}, id="only customers rate",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("chat", "target", "expected"), CASES)
def test_labels(chat: Conversation, target: EscalationTarget, expected: dict[int, int]) -> None:
    assert labels(chat, target) == expected


@pytest.mark.parametrize(
    ("target", "within", "expected"),
    [
        ("escalated", 1, {0: 0, 1: 0, 2: 1}),
        ("escalated", 2, {0: 0, 1: 1, 2: 1}),
        ("escalated", 9, {0: 1, 1: 1, 2: 1}),
        ("needed_human", 1, {0: 0, 1: 0, 2: 1}),
    ],
)
def test_the_horizon_counts_messages_to_the_hand_off(
    target: EscalationTarget, within: int, expected: dict[int, int]
) -> None:
    assert labels(chat(HI, REPLY, MORE, AGENT), target, within) == expected


def test_the_horizon_of_abandoning_is_the_end() -> None:
    assert labels(chat(HI, REPLY, MORE, abandoned=True), "needed_human", 1) == {0: 0, 1: 0, 2: 1}


def test_a_rating_beyond_the_horizon_makes_no_row() -> None:
    assert labels(chat(*RATED), "dissatisfied_next", 1) == {0: 0, 2: 1}


def test_without_times_the_hand_off_is_the_agents_message() -> None:
    timeless = chat(HI, REPLY, AGENT, escalated=True, escalated_at=at(0))
    messages = tuple(msgspec.structs.replace(m, sent_at=None) for m in timeless.messages)
    assert labels(msgspec.structs.replace(timeless, messages=messages), "escalated") == {0: 1, 1: 1}


@pytest.mark.parametrize("target", ["escalated", "needed_human", "label"])
def test_what_is_said_after_the_hand_off_changes_no_row(target: EscalationTarget) -> None:
    before = chat(HI, {"assistant": "a", "label": 1}, MORE, AGENT, escalated=True, satisfaction=1)
    longer = chat(
        HI, {"assistant": "a", "label": 1}, MORE, AGENT, {"customer": "awful", "label": 1, "satisfaction": 1}, AGENT,
        escalated=True, satisfaction=1,
    )  # fmt: skip
    assert labels(before, target) == labels(longer, target)


def leaking_rows(conversation: Conversation, target: EscalationTarget) -> list[int]:
    """Rows at or after the hand-off: there must be none. The check that the planted mistake is to fail."""
    moments = list(follow(conversation))
    points = hand_offs(conversation)
    return [
        row.moment.index
        for row in labelled(conversation, moments, target)
        if row.moment.index >= points.get(row.moment.episode, len(moments))
    ]


def test_no_row_lies_after_the_hand_off_and_a_planted_one_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = chat(HI, REPLY, ANNOUNCE, WAITING, AGENT, escalated=True, escalated_at=at(1))
    assert [leaking_rows(waiting, target) for target in TARGETS] == [[]] * len(TARGETS)
    # The mistake: every message that is read counts, as if nobody had taken over.
    monkeypatch.setattr("handoff.training.labels._rows", lambda moments, points: [m for m in moments if m.read])
    assert leaking_rows(waiting, "escalated") == [3]


def test_a_row_says_nothing_of_the_outcome() -> None:
    told = chat(HI, REPLY, MORE, escalated=True, escalated_at=at(9), team="billing", satisfaction=1, resolved=False)
    untold = msgspec.structs.replace(told, outcome=Outcome())
    for one, other in zip(follow(told), follow(untold), strict=True):
        assert one.row == pytest.approx(other.row, nan_ok=True)


@pytest.mark.parametrize(
    ("chat", "index"),
    [
        pytest.param(
            chat(HI, REPLY, MORE, ANNOUNCE, AGENT, team="billing"), 2, id="the last message before it is announced"
        ),
        pytest.param(chat(HI, CLOSED, MORE, AGENT, team="billing"), 2, id="in its own episode"),
        pytest.param(
            chat(HI, AGENT, {"assistant": "back"}, MORE, AGENT, team="billing", escalated=True, escalated_at=at(2)), 3,
            id="the hand-off that the outcome gives the time of",
        ),
        pytest.param(chat(HI, AGENT, {"assistant": "back"}, MORE, AGENT, team="billing"), 0, id="or else the first"),
        pytest.param(chat(HI, REPLY, AGENT), None, id="without a team nothing is learnt"),
        pytest.param(chat(HI, REPLY, team="billing"), None, id="without a hand-off neither"),
        pytest.param(chat(AGENT, HI, team="billing"), None, id="nor when nothing was said before"),
    ],
)  # fmt: skip
def test_routing_learns_at_the_hand_off(chat: Conversation, index: int | None) -> None:
    found = routed(chat, list(follow(chat)))
    assert (found.index if found else None) == index


def test_an_unknown_target_names_the_nearest() -> None:
    with pytest.raises(BadInput, match="did you mean 'escalated'"):
        check_target("escalate")
