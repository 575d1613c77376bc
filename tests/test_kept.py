"""What is kept is found again, the newest surely, and never more than twice the half."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from handoff.kept import Kept, Shelf, digest_of

HALF = 3


@given(st.lists(st.integers(0, 12)))
def test_the_last_are_found_and_memory_is_bounded(keys: list[int]) -> None:
    kept: Kept[int, str] = Kept(HALF)
    for key in keys:
        assert kept.get(key) in (None, str(key))
        assert kept.put(key, str(key)) == str(key)
        assert len(kept) <= 2 * HALF
    newest = list(dict.fromkeys(reversed(keys)))[:HALF]
    assert [kept.get(key) for key in newest] == [str(key) for key in newest]


def test_nothing_is_found_after_clearing() -> None:
    kept: Kept[str, str] = Kept(HALF)
    kept.put("a", "b")
    kept.clear()
    assert kept.get("a") is None
    assert len(kept) == 0


class TestShelf:
    def test_a_state_is_taken_out_by_the_first_of_its_keys(self) -> None:
        shelf: Shelf[str, str] = Shelf(3)
        shelf.put("b", "second", 6)
        shelf.put("c", "third", 5)
        assert shelf.take(("a", "b", "c")) == ("second", 1)
        assert shelf.take(("a", "b")) is None
        assert (len(shelf), shelf.take(("c",))) == (1, ("third", 0))

    def test_the_oldest_give_way_by_number(self) -> None:
        shelf: Shelf[int, int] = Shelf(3)
        for number in (1, 2, 3, 1, 4):
            shelf.put(number, number, 0)
        assert [shelf.take((number,)) is not None for number in (1, 2, 3, 4)] == [True, False, True, True]

    @given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 12), st.booleans())))
    def test_characters_are_bounded_whatever_is_taken_and_put(self, steps: list[tuple[int, int, bool]]) -> None:
        shelf: Shelf[int, int] = Shelf(4, most_characters=20)
        held: dict[int, int] = {}
        for key, characters, take in steps:
            if take:
                found = shelf.take((key,))
                assert found is None or found[0] == held[key]
            else:
                shelf.put(key, characters, characters)
                held[key] = characters
        left = [found[0] for key in range(6) if (found := shelf.take((key,))) is not None]
        assert len(left) <= 4 and sum(left) <= 20
        shelf.put(9, 20, 20)
        assert shelf.take((9,)) == (20, 0), "and all of the room is free again"

    def test_one_that_is_too_large_is_not_kept(self) -> None:
        shelf: Shelf[int, int] = Shelf(4, most_characters=20)
        shelf.put(1, 1, 21)
        assert len(shelf) == 0


def test_texts_that_no_encoding_takes_have_digests_too() -> None:
    assert len(digest_of("\ud800")) == 16 and digest_of("a") != digest_of("b")
