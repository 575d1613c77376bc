"""The order of messages that arrive in any order."""

from __future__ import annotations

import itertools

import pytest

from handoff.store.conversations import Kept, placed
from handoff.transcript import Message
from tests.store.talk import said


def ids(*arriving: Message) -> list[str | None]:
    known = [Kept(number, None, message) for number, message in enumerate(arriving, 1)]
    return [kept.message.message_id for _, kept in sorted(placed(known))]


def test_timed_messages_have_one_order_however_they_arrive() -> None:
    messages = [said("a", 1), said("b", 2), said("c", 10, seconds=20), said("d", 3)]
    for arrival in itertools.permutations(messages):
        assert ids(*arrival) == ["m1", "m2", "m10", "m3"]


@pytest.mark.parametrize(
    ("first", "second"),
    [("m9", "m10"), ("a", "b"), ("m2", "n1"), ("2", "10"), ("x2y9", "x2y10"), ("m01", "m1"), ("m", "m1")],
)
def test_in_the_same_second_ids_decide_by_their_numbers(first: str, second: str) -> None:
    assert ids(*(said("x", 0, message_id=i) for i in (second, first))) == [first, second]


def test_a_message_without_time_stays_behind_what_was_newest_when_it_came() -> None:
    untimed = said("?", 0, message_id="u", sent_at=None)
    assert ids(said("a", 1), untimed, said("b", 2)) == ["m1", "u", "m2"]


def test_a_later_message_of_the_same_second_comes_behind_one_without_time() -> None:
    untimed = [said("?", 0, message_id=i, sent_at=None) for i in ("v", "u")]
    late, early = said("b", 2, seconds=10), said("c", 0, seconds=10)
    assert ids(said("a", 1), *untimed, late, early) == ["m0", "m1", "v", "u", "m2"]


def test_without_any_time_the_order_is_that_of_arrival() -> None:
    assert ids(*(said("x", 0, message_id=i, sent_at=None) for i in "zya")) == ["z", "y", "a"]
