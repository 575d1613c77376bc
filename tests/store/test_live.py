"""Answers message by message equal answers on the whole conversation, whoever wrote the messages before."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from handoff.decision import Answer, Judge
from handoff.errors import BadRecord, Busy, Conflict
from handoff.rules import RuleBook, load_rules
from handoff.standing import Standing
from handoff.store import Facts, LiveConversations, Store, running
from handoff.store import live as live_module
from handoff.transcript import Conversation, Customer, Message
from tests.store.conftest import Open
from tests.store.talk import JUDGE, RULES_ONLY, facts_of, said, talks, up_to
from tests.strategies import EVENTS, PHRASES, conversations, roles


@pytest.fixture
def live(store: Store) -> LiveConversations:
    return LiveConversations(store, JUDGE)


def add_all(live: LiveConversations, conversation: Conversation) -> list[Answer]:
    return [
        live.add(conversation.conversation_id, message, facts_of(conversation) if index == 0 else Facts())
        for index, message in enumerate(conversation.messages)
    ]


def test_every_answer_is_that_on_the_whole_conversation(live: LiveConversations) -> None:
    actions = set()
    for conversation in talks(12, 21):
        for known, answer in enumerate(add_all(live, conversation), 1):
            assert answer == JUDGE.answer(up_to(conversation, known))
            actions.add(answer.recommendation.action)
    assert len(actions) >= 3


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(conversation=conversations(most=8))
def test_whatever_comes_in_is_answered_as_a_whole(store: Store, conversation: Conversation) -> None:
    ordered = sorted(conversation.messages, key=lambda m: (m.sent_at is not None, m.sent_at))
    known = msgspec.structs.replace(
        conversation, messages=tuple(ordered), satisfaction=None, conversation_id=f"c-{hash(conversation)}"
    )
    assert add_all(LiveConversations(store, RULES_ONLY), known)[-1] == RULES_ONLY.answer(known)


def test_messages_out_of_order_are_put_in_their_places(live: LiveConversations) -> None:
    for conversation in talks(8, 22):
        arrival = list(conversation.messages)
        random.Random(conversation.conversation_id).shuffle(arrival)
        for index, message in enumerate(arrival):
            answer = live.add(conversation.conversation_id, message, facts_of(conversation) if index == 0 else Facts())
            arrived = tuple(m for m in conversation.messages if m in arrival[: index + 1])
            assert answer == JUDGE.answer(msgspec.structs.replace(conversation, messages=arrived))


@st.composite
def close_talks(draw: st.DrawFn) -> Conversation:
    """Messages in the same seconds or a few apart, whose ids sort with their times or against them."""
    seconds = sorted(draw(st.lists(st.integers(0, 6), min_size=2, max_size=7)))
    messages = [
        said(draw(st.sampled_from(PHRASES)), index, draw(roles), second, event=draw(st.sampled_from((None, *EVENTS))),
             message_id=f"{draw(st.sampled_from(('m', 'sys-', 'z')))}{index}")
        for index, second in enumerate(seconds, 1)
    ]  # fmt: skip
    messages.sort(key=lambda m: (m.sent_at, m.message_id))
    return Conversation(conversation_id=f"c-{uuid.uuid4().hex}", messages=tuple(messages))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(conversation=close_talks(), chance=st.randoms(use_true_random=False))
def test_in_every_order_of_arrival_the_answer_is_that_on_the_whole(
    store: Store, conversation: Conversation, chance: random.Random
) -> None:
    workers = [LiveConversations(store, JUDGE) for _ in range(2)]
    arrival = chance.sample(conversation.messages, len(conversation.messages))
    for known, message in enumerate(arrival, 1):
        answer = chance.choice(workers).add(conversation.conversation_id, message)
        arrived = tuple(m for m in conversation.messages if m in arrival[:known])
        assert answer == JUDGE.answer(msgspec.structs.replace(conversation, messages=arrived))


def test_an_event_without_time_does_not_end_what_comes_after_it(live: LiveConversations) -> None:
    messages = (
        said("Hello", 1),
        Message(role="system", text="", event="resolved", message_id="m2"),
        said("I want a refund!", 3, seconds=10),
    )
    answers = [live.add("c-1", message) for message in messages]
    assert answers[-1] == JUDGE.answer(Conversation(conversation_id="c-1", messages=messages))
    assert answers[-1].recommendation.action == "escalate_now"


def test_taking_the_conversation_for_itself_gives_the_same(
    live: LiveConversations, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_module, "TRIES", 0)
    for conversation in talks(5, 26):
        arrival = random.Random(conversation.conversation_id).sample(conversation.messages, len(conversation.messages))
        answers = [live.add(conversation.conversation_id, message, facts_of(conversation)) for message in arrival]
        assert answers[-1] == JUDGE.answer(conversation)
        assert [live.add(conversation.conversation_id, message) for message in arrival] == answers
        assert [d.answer for d in store.decisions(conversation.conversation_id)] == answers


def test_workers_take_turns(url: str, stores: Open) -> None:
    workers = [LiveConversations(stores(url), JUDGE) for _ in range(3)]
    for conversation in talks(6, 23):
        for index, message in enumerate(conversation.messages):
            worker = random.Random(index).choice(workers)
            answer = worker.add(
                conversation.conversation_id, message, facts_of(conversation) if index == 0 else Facts()
            )
        assert answer == JUDGE.answer(conversation)


def test_a_worker_that_knows_nothing_goes_on_where_another_stopped(url: str, stores: Open) -> None:
    for conversation in talks(6, 24):
        *before, last = conversation.messages
        add_all(LiveConversations(stores(url), JUDGE), msgspec.structs.replace(conversation, messages=tuple(before)))
        assert LiveConversations(stores(url), JUDGE).add(conversation.conversation_id, last) == JUDGE.answer(
            conversation
        )


def test_facts_that_come_late_count_for_the_whole_conversation(live: LiveConversations) -> None:
    live.add("c-1", said("This is Ana", 1))
    facts = Facts(customer=Customer(vip=True, name="Ana"), locale="es")
    answer = live.add("c-1", said("Quiero un reembolso, Ana", 2), facts)
    whole = Conversation(
        conversation_id="c-1", customer=facts.customer, locale="es",
        messages=(said("This is Ana", 1), said("Quiero un reembolso, Ana", 2)),
    )  # fmt: skip
    assert answer == JUDGE.answer(whole)
    assert {r.rule for r in answer.rules} >= {"account_vip"}
    third = said("Ana again", 3)
    assert live.add("c-1", third) == JUDGE.answer(msgspec.structs.replace(whole, messages=(*whole.messages, third)))


@pytest.mark.parametrize("name", ["Virginia Woolf", "Ana"])
def test_rules_go_by_labels_as_the_whole_conversation_has_them(store: Store, tmp_path: Path, name: str) -> None:
    book, shipped = tmp_path / "rules.yaml", resources.files("handoff.rules") / "rules.yaml"
    book.write_text(shipped.read_text("utf-8").replace("when: {region: {in: []}}", "when: {region: {in: [virginia]}}"))
    judge = Judge(load_rules(book), RULES_ONLY.policy)
    customer = Customer(name=name, region="virginia", plan="plan-20240601")
    chat = Conversation(conversation_id="c-1", messages=(said("Hello", 1),), customer=customer)
    answer = LiveConversations(store, judge).add("c-1", chat.messages[0], facts_of(chat))
    assert answer == judge.answer(chat) and [rule.rule for rule in answer.rules] == ["region"]
    kept = store.conversation("c-1")
    assert kept is not None and kept.facts.plan == "plan-20240601"


def test_versions_of_the_assistant_keep_their_dates(store: Store) -> None:
    reply = said("Let me look", 1, "assistant", assistant_version="claude-3-5-sonnet-20241022", confidence=0.9)
    LiveConversations(store, JUDGE).add("c-1", reply)
    kept = store.conversation("c-1")
    assert kept is not None and kept.messages[0].assistant_version == "claude-3-5-sonnet-20241022"


def test_numbered_ids_order_messages_of_one_moment_as_they_are(store: Store) -> None:
    first, second = 1745200000000000007, 1745200000000000008
    live = LiveConversations(store, JUDGE)
    live.add("c-1", said("I want to talk to a human", 1, message_id=str(first)))
    live.add("c-1", said("resolved", 1, "system", message_id=str(second), event="resolved"))
    kept = store.conversation("c-1")
    assert kept is not None and [m.message_id for m in kept.messages] == [str(first), str(second)]


def test_another_worker_learns_the_name_too(url: str, stores: Open) -> None:
    first, second = (LiveConversations(stores(url), JUDGE) for _ in range(2))
    first.add("c-1", said("Hello", 1), Facts(customer=Customer(name="Ana Belmonte")))
    second.add("c-1", said("Ana Belmonte here", 2))
    found = stores(url).conversation("c-1")
    assert found is not None and found.messages[1].text == "[name] here"


def test_a_retry_gets_the_answer_of_then(url: str, stores: Open) -> None:
    store = stores(url)
    live = LiveConversations(store, JUDGE)
    first = live.add("c-1", said("Hello", 1), request_id="one")
    live.add("c-1", said("I want a refund!", 2))
    for worker in (live, LiveConversations(stores(url), RULES_ONLY)):
        again = worker.add("c-1", said("Hello", 1), request_id="two")
        assert again == msgspec.structs.replace(first, request_id="two")
    assert [d.answer.recommendation.action for d in store.decisions("c-1")] == ["none", "escalate_now"]
    assert live.add("c-1", said("Well?", 3)).recommendation.action == "escalate_now"


def test_a_retry_by_key_gets_the_answer_of_then(live: LiveConversations) -> None:
    message = Message(role="customer", text="I want a refund")
    first, again = live.add("c-1", message, key="k"), live.add("c-1", message, key="k")
    assert first == again
    since = {r.rule: r.message_id for r in live.add("c-1", message, key="l").rules}
    assert since["dispute_or_refund"] == "m1"


def test_what_was_appended_without_an_answer_is_answered_as_of_then(store: Store, live: LiveConversations) -> None:
    store.append_message("c-1", said("Hello", 1))
    store.append_message("c-1", said("I want a refund!", 2))
    assert live.add("c-1", said("Hello", 1)).recommendation.action == "none"
    first = live.add("c-1", said("I want a refund!", 2))
    assert first.recommendation.action == "escalate_now"
    assert live.add("c-1", said("I want a refund!", 2)) == first
    logged = [decision.answer.recommendation.action for decision in store.decisions("c-1")]
    assert logged == ["none", "escalate_now"], "each once, whoever asks again"


def test_the_new_message_goes_by_the_name_that_its_caller_gave_it(store: Store, live: LiveConversations) -> None:
    named = said("I want a refund!", 1, message_id="ana@example.org/1")
    for answer in (live.add("c-1", named), live.add("c-1", named), live.add_unstored("c-1", named)):
        assert {rule.message_id for rule in answer.rules} == {"ana@example.org/1"}
    (kept,) = store.decisions("c-1")
    assert "ana@example.org" not in msgspec.json.encode(kept).decode()


def test_a_conversation_that_is_full_takes_no_more(sqlite_url: str) -> None:
    store = Store(sqlite_url, most_messages=2)
    live = LiveConversations(store, JUDGE)
    for number in (1, 2):
        live.add("c-1", said("Hello", number))
    third = said("Hello", 3)
    for add in (live.add, store.append_message):
        with pytest.raises(BadRecord, match="the conversation has 2 already"):
            add("c-1", third)
    assert live.add("c-1", said("Hello", 2)) is not None, "a retry is no new message"
    assert live.remembered == 1
    store.close()


def test_who_waits_too_long_for_a_conversation_is_told_that_it_is_busy(
    live: LiveConversations, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_module, "_TURN_SECONDS", 0.05)
    busy = pytest.raises(Busy, match="'c-1' is busy; nothing was stored")
    with ThreadPoolExecutor(1) as other, live._turn("c-1"), busy:
        other.submit(live.add, "c-1", said("Hello", 1)).result()
    assert live.add("c-1", said("Hello", 1)) is not None


def test_a_conflict_leaves_the_conversation_as_it_is(live: LiveConversations) -> None:
    live.add("c-1", said("Hello", 1))
    with pytest.raises(Conflict):
        live.add("c-1", said("I want a refund", 1))
    assert live.add("c-1", said("Well?", 2)).recommendation.action == "none"


def test_each_answer_is_in_the_log_with_what_made_it(store: Store, live: LiveConversations) -> None:
    (conversation,) = talks(1, 25)
    answers = add_all(live, conversation)
    logged = store.decisions(conversation.conversation_id)
    assert [d.answer for d in logged] == answers
    assert [d.message_id for d in logged] == [m.message_id for m in conversation.messages]
    standing = JUDGE.standing(conversation)
    assert repr(logged[-1].row) == repr(standing.moment.row)  # repr, since NaN is not equal to itself
    assert set(logged[-1].timings) == {"read", "answer"}


class FailsOnce:
    """A judge whose model breaks down once."""

    def __init__(self) -> None:
        self.failed = False

    @property
    def rules(self) -> RuleBook:
        return JUDGE.rules

    def conclude(self, standing: Standing, *, explain: bool = False, request_id: str | None = None) -> Answer:
        if not self.failed:
            self.failed = True
            raise ZeroDivisionError
        return JUDGE.conclude(standing, explain=explain, request_id=request_id)


def test_a_failing_judge_stores_nothing_and_spoils_nothing(store: Store) -> None:
    live = LiveConversations(store, FailsOnce())
    with pytest.raises(ZeroDivisionError):
        live.add("c-1", said("I want a refund", 1))
    assert store.conversation("c-1") is None
    assert live.add("c-1", said("Hello", 1)).recommendation.action == "none"


@contextmanager
def statements(store: Store) -> Iterator[list[str]]:
    """The statements that the store runs meanwhile."""
    run: list[str] = []

    def note(*arguments: Any) -> None:
        run.append(arguments[2])

    event.listen(store.database._engine, "before_cursor_execute", note)
    yield run
    event.remove(store.database._engine, "before_cursor_execute", note)


def cost(
    store: Store,
    live: LiveConversations,
    number: int,
    monkeypatch: pytest.MonkeyPatch,
    text: str = "Where is the menu?",
) -> tuple[list[str], int]:
    """What the `number`th message costs: its statements, and how many messages are followed for it."""
    followed = 0
    real = running.Follower.add

    def counting(self: Any, message: Message, **more: Any) -> Any:
        nonlocal followed
        followed += 1
        return real(self, message, **more)

    with monkeypatch.context() as patch, statements(store) as run:
        patch.setattr(running.Follower, "add", counting)
        live.add("c-1", said(text, number, seconds=number))
    return run, followed


def test_the_cost_of_a_message_does_not_depend_on_the_length(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    live = LiveConversations(store, RULES_ONLY)
    for number in range(1, 5):
        live.add("c-1", said("", number, "system", seconds=number))
    early = cost(store, live, 5, monkeypatch)
    for number in range(6, 60):
        live.add("c-1", said("", number, "system", seconds=number))
    late = cost(store, live, 60, monkeypatch, "How do I change the colour?")
    assert early == late
    assert early[1] == 1
    # A look, the conversation, the message, the decision; SQLite's BEGIN twice.
    assert len(early[0]) <= 6


def test_a_message_out_of_order_shows_that_the_cost_would_be_seen(
    store: Store, live: LiveConversations, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(2, 30):
        live.add("c-1", said("", number, "system", seconds=number))
    assert cost(store, live, 1, monkeypatch)[1] == 29


def test_a_worker_reads_only_what_others_added(url: str, stores: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    store = stores(url)
    mine, other = LiveConversations(store, JUDGE), LiveConversations(stores(url), JUDGE)
    for number in range(1, 30):
        mine.add("c-1", said("", number, "system", seconds=number))
    for number in (30, 31):
        other.add("c-1", said("", number, "system", seconds=number))
    assert cost(store, mine, 32, monkeypatch)[1] == 3


def test_no_more_is_remembered_than_agreed(store: Store) -> None:
    live = LiveConversations(store, RULES_ONLY, most_remembered=3)
    for number in range(5):
        live.add(f"c-{number}", said("Hello", 1))
    assert live.remembered == 3
    assert live.add("c-0", said("I want a refund", 2)).recommendation.action == "escalate_now"
