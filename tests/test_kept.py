"""What is kept is found again, the newest surely, and never more than twice the half."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from handoff.kept import Kept

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
