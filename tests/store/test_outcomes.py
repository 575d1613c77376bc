"""Outcomes and agreement, stored once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from handoff.errors import BadRecord, Conflict
from handoff.store import Facts, Feedback, Store
from handoff.transcript import Customer, Message, Outcome
from tests.store.test_log import DISPUTE, decided, run_together

TAKEN = Outcome(escalated=True, team="billing", agent="kim@example.org", wait_seconds=41.5, satisfaction=4.0,
                escalated_at=datetime(2026, 3, 2, 14, 40, tzinfo=UTC))  # fmt: skip


def test_feedback_comes_back_redacted(store: Store) -> None:
    given = Feedback(conversation_id="c-1", key="k1", decision="r-1", agree=False, outcome=TAKEN)
    recorded = store.record_outcome(given)
    assert recorded.is_new
    (found,) = store.outcomes("c-1")
    assert found == recorded.reported
    assert (found.feedback.decision, found.feedback.agree) == ("r-1", False)
    assert found.feedback.outcome is not None
    assert (found.feedback.outcome.agent, found.feedback.outcome.wait_seconds) == ("[email]", 41.5)
    assert store.outcomes("c-2") == []


@pytest.mark.parametrize("key", ["k1", None], ids=["by its key", "by its content"])
def test_the_same_feedback_twice_is_there_once(store: Store, key: str | None) -> None:
    given = Feedback(conversation_id="c-1", key=key, outcome=TAKEN)
    first, again = store.record_outcome(given), store.record_outcome(given)
    assert (first.is_new, again.is_new) == (True, False)
    assert first.reported == again.reported
    assert len(store.outcomes("c-1")) == 1


def test_whoever_returns_to_an_opinion_says_something_new(store: Store) -> None:
    def report(agree: bool, decision: str | None = None) -> bool:
        return store.record_outcome(Feedback(conversation_id="c-1", decision=decision, agree=agree)).is_new

    said = [report(agree) for agree in (True, True, False, False, True, True, False)]
    assert said == [True, False, True, False, True, False, True]
    assert [report(True, "r-1"), report(False), report(True, "r-1")] == [True, False, False], "of another decision"
    assert [each.feedback.agree for each in store.outcomes("c-1")] == [True, False, True, False, True]


def test_whoever_returns_to_an_end_says_something_new_and_the_newest_counts(store: Store) -> None:
    def report(**end: Any) -> bool:
        return store.record_outcome(Feedback(conversation_id="c-1", outcome=Outcome(**end))).is_new

    store.append_message("c-1", Message(role="customer", text="Hello"))
    assert [report(resolved=True), report(team="billing"), report(resolved=True)] == [True, True, False]
    assert [report(resolved=False, tier=2), report(resolved=True), report(team="billing")] == [True, True, False]
    found = store.with_outcome("c-1")
    assert found is not None
    assert found.outcome == Outcome(resolved=True, team="billing", tier=2)


@pytest.mark.parametrize(
    "other",
    [{"agree": False}, {"agree": True, "decision": "r-2"}, {"agree": True, "outcome": TAKEN}],
    ids=["another opinion", "another decision", "more"],
)
def test_a_key_stands_for_one_content(store: Store, other: dict[str, Any]) -> None:
    store.record_outcome(Feedback(conversation_id="c-1", key="k1", decision="r-1", agree=True))
    with pytest.raises(Conflict, match="key: 'k1' came with another outcome of conversation 'c-1'"):
        store.record_outcome(Feedback(**({"conversation_id": "c-1", "key": "k1", "decision": "r-1"} | other)))
    store.record_outcome(Feedback(conversation_id="c-2", key="k1", agree=False))
    assert len(store.outcomes("c-1")) == 1


def test_what_nobody_decided_is_told_from_what_was(store: Store) -> None:
    def is_known(conversation_id: str, decision: str | None = None) -> bool:
        given = Feedback(conversation_id=conversation_id, decision=decision, agree=True)
        return store.record_outcome(given).is_known

    assert not is_known("c-1") and not is_known("c-1", "r-1")
    record = decided(DISPUTE)
    store.log([record])
    assert is_known("c-1") and is_known("c-1", "r-1") and is_known("c-1", record.id)
    assert not is_known("c-1", "r-2") and not is_known("c-2", "r-1")
    store.append_message("c-3", Message(role="customer", text="Hello"))
    assert is_known("c-3")


@pytest.mark.parametrize("messages", [0, 1], ids=["before any message", "after one"])
def test_a_name_that_is_learnt_late_is_masked_in_what_was_reported_before(store: Store, messages: int) -> None:
    report = Feedback(conversation_id="c-1", key="k1", outcome=Outcome(reason="Called Ana Gomez back", team="billing"))
    for number in range(messages):
        store.append_message("c-1", Message(role="customer", text="Hello", message_id=f"m{number}"))
    store.record_outcome(report)
    store.append_message("c-1", Message(role="customer", text="It is me"), Facts(customer=Customer(name="Ana Gomez")))
    again = store.record_outcome(report)
    assert not again.is_new and again.reported.feedback.outcome == Outcome(reason="Called [name] back", team="billing")


def test_feedback_that_says_nothing_is_refused(store: Store) -> None:
    with pytest.raises(BadRecord, match="neither outcome nor agree"):
        store.record_outcome(Feedback(conversation_id="c-1"))


def test_feedback_may_come_many_times_at_once(store: Store) -> None:
    given = Feedback(conversation_id="c-1", key="k", agree=True)
    new: list[bool] = []
    run_together([lambda: new.append(store.record_outcome(given).is_new)] * 6)
    assert sorted(new) == [False] * 5 + [True]
