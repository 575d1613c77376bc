"""A conversation that comes again: the same standing as from its beginning, and nothing of another one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoff import kept
from handoff.decision import Judge
from handoff.memory import MOST_NEW, Memory
from handoff.transcript import Conversation, Customer
from handoff.transcript.episodes import prefix
from tests.build import conversation
from tests.strategies import conversations

JUDGE = Judge.by_rules()
PARTS = [
    {"customer": "Where is my parcel?"},
    {"assistant": "On its way.", "confidence": 0.9},
    {"customer": "That is what you said yesterday"},
    {"assistant": "I am sorry.", "confidence": 0.5},
    {"customer": "Let me talk to a human"},
]
CHAT = conversation(*PARTS)


def remembering(most: int = 100) -> Memory:
    return Memory(JUDGE.rules, most)


def same(memory: Memory, chat: Conversation) -> bool:
    """Whether the answer from memory is the one from the beginning."""
    standing = memory.standing(chat)
    return standing is not None and JUDGE.conclude(standing, explain=True) == JUDGE.answer(chat, explain=True)


@given(conversations(), st.lists(st.integers(1, 30), max_size=8))
def test_however_it_grows_the_answer_is_the_one_from_the_beginning(chat: Conversation, lengths: list[int]) -> None:
    bare = msgspec.structs.replace(chat, as_of=None, satisfaction=None, satisfaction_at=None, outcome=None)
    memory = remembering()
    for length in lengths:
        known = prefix(bare, 1 + length % len(bare.messages))
        assert same(memory, known)


def test_only_what_is_new_is_followed() -> None:
    memory = remembering()
    for length in range(1, len(PARTS) + 1):
        assert same(memory, prefix(CHAT, length))
    assert (memory.hits, memory.misses) == (len(PARTS) - 1, 1)
    assert same(memory, CHAT)  # asked again
    assert memory.hits == len(PARTS)


@pytest.mark.parametrize("new", [MOST_NEW, MOST_NEW + 1])
def test_so_many_messages_may_be_new(new: int) -> None:
    chat, memory = conversation(*PARTS, *PARTS), remembering()
    assert same(memory, prefix(chat, 2))
    assert same(memory, prefix(chat, 2 + new))
    assert memory.hits == (new == MOST_NEW)


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"conversation_id": "another"}, id="another conversation"),
        pytest.param({"channel": "phone"}, id="another channel"),
        pytest.param({"locale": "de"}, id="another language"),
        pytest.param({"customer": Customer(vip=True)}, id="a customer with other facts"),
        pytest.param({"messages": (CHAT.messages[2], *CHAT.messages[1:])}, id="another first message"),
    ],
)
def test_whatever_is_different_is_another_conversation(changed: dict[str, object]) -> None:
    memory = remembering()
    assert same(memory, prefix(CHAT, 4))
    assert same(memory, msgspec.structs.replace(CHAT, **changed))
    assert memory.hits == 0


@pytest.mark.parametrize("told", [{"as_of": CHAT.now}, {"satisfaction": 2.0}], ids=["as of a time", "rated"])
def test_one_whose_newest_message_will_be_another_is_not_kept(told: dict[str, object]) -> None:
    memory = remembering()
    assert memory.standing(msgspec.structs.replace(CHAT, **told)) is None
    assert (memory.hits, memory.misses) == (0, 0)


def test_it_forgets_the_oldest() -> None:
    memory = remembering(2)
    chats = [msgspec.structs.replace(CHAT, conversation_id=f"c-{n}") for n in range(3)]
    for chat in chats:
        assert same(memory, chat)
    assert [same(memory, chat) for chat in chats[::-1]] == [True] * 3
    assert memory.hits == 2


def test_no_unmasked_text_and_no_name_is_kept() -> None:
    named = conversation({"customer": "I am Ana Diaz, ana@example.com"}, customer={"name": "Ana Diaz"})
    memory = remembering()
    standing = memory.standing(named)
    assert standing is not None
    assert "Ana" not in repr(memory._kept) + repr(standing)
    assert "example.com" not in repr(standing)


def test_many_threads_may_ask() -> None:
    memory = remembering(10)
    chats = [msgspec.structs.replace(prefix(CHAT, 1 + n % 5), conversation_id=f"c-{n % 20}") for n in range(200)]
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(lambda chat: same(memory, chat), chats))


def test_long_texts_are_remembered_within_bounds_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept.Shelf.__init__, "__defaults__", (5_000,))
    memory = remembering()
    long = [conversation({"customer": f"{number} " + "x" * 1_000}) for number in range(9)]
    for chat in (*long, CHAT):
        assert same(memory, chat)
    memory.hits = 0
    for chat in (CHAT, long[-1], long[0]):
        assert same(memory, chat)
    assert memory.hits == 2


def test_what_a_standing_holds_is_counted() -> None:
    standing = remembering().standing(CHAT)
    assert standing is not None
    texts = {m.text for moment in (*standing.recent, standing.moment) for m in (moment.message, *moment.recent)}
    assert sum(map(len, texts)) <= standing.characters <= 3 * sum(len(m.text) for m in CHAT.messages)
