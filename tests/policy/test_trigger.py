"""How scores raise an alarm and take it back."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handoff.policy.trigger import WINDOW, Trigger, is_up, raised, strength

PLAIN = Trigger(cut=0.8)
STEADY = Trigger(cut=0.8, in_a_row=2, at_once=0.9, fall_back=0.1)

CASES = [
    ("one at the cut is enough", PLAIN, (0.7, 0.8, 0.7), ".!."),
    ("one alone is noise", STEADY, (0.7, 0.85, 0.7, 0.85), "...."),
    ("two in a row are not", STEADY, (0.85, 0.8, 0.8), ".!!"),
    ("one over the highest does at once", STEADY, (0.1, 0.9, 0.75), ".!!"),
    ("it stays up down to .10 below", STEADY, (0.8, 0.8, 0.7, 0.7, 0.699), ".!!!."),
    ("once down it takes two again", STEADY, (0.8, 0.8, 0.6, 0.85, 0.85), ".!..!"),
    ("messages without a score change nothing", STEADY, (0.8, None, 0.8, None, 0.6, None), "..!!.."),
    ("no scores, no alarm", STEADY, (None, None), ".."),
    ("nothing at all", STEADY, (), ""),
]


@pytest.mark.parametrize(("case", "trigger", "scores", "expected"), CASES, ids=[c[0] for c in CASES])
def test_raised(case: str, trigger: Trigger, scores: tuple[float | None, ...], expected: str) -> None:
    assert "".join("!" if up else "." for up in raised(scores, trigger)) == expected


def test_strength_is_the_highest_cut_that_would_do() -> None:
    assert strength((0.4, None, 0.6, 0.95), STEADY) == [-math.inf, -math.inf, 0.4, math.inf]


@pytest.mark.parametrize("wrong", [{"in_a_row": 0}, {"in_a_row": WINDOW + 1}, {"fall_back": -0.1}])
def test_settings_without_sense(wrong: dict) -> None:  # type: ignore[type-arg]
    with pytest.raises(ValueError, match="expected"):
        Trigger(cut=0.5, **wrong)


scores_of = st.lists(st.none() | st.integers(0, 20).map(lambda n: n / 20), max_size=12)


@settings(deadline=None)
@given(scores_of, st.integers(1, 3), st.sampled_from((None, 0.9)), st.integers(0, 20), st.integers(0, 20))
def test_a_higher_cut_is_never_raised_earlier(
    scores: list[float | None], row: int, at_once: float | None, a: int, b: int
) -> None:
    low, high = (
        [i for i, up in enumerate(raised(scores, Trigger(cut=c / 20, in_a_row=row, at_once=at_once))) if up]
        for c in sorted((a, b))
    )
    assert not high or (low and low[0] <= high[0])


@settings(deadline=None)
@given(scores_of, st.integers(1, 3), st.sampled_from((None, 0.9)), st.integers(0, 20))
def test_the_first_alarm_is_where_the_strength_reaches_the_cut(
    scores: list[float | None], row: int, at_once: float | None, cut: int
) -> None:
    trigger = Trigger(cut=cut / 20, in_a_row=row, at_once=at_once, fall_back=0.1)
    by_strength = next((i for i, s in enumerate(strength(scores, trigger)) if s >= trigger.cut), None)
    by_state = next((i for i, up in enumerate(raised(scores, trigger)) if up), None)
    assert by_strength == by_state


def test_scores_are_compared_as_they_are_printed() -> None:
    assert raised((0.7999999,), PLAIN) == (True,)


def test_an_alarm_rests_on_the_newest_scores_only() -> None:
    scores = (0.8, 0.8, *[0.75] * WINDOW)
    # The first of the two that raised it is out of sight once `WINDOW` others have followed.
    assert raised(scores, STEADY) == (False, *[True] * (WINDOW - 1), *[False] * 2)


@given(
    st.lists(st.integers(0, 20).map(lambda n: n / 20), min_size=1, max_size=3 * WINDOW),
    st.integers(1, 3),
    st.sampled_from((None, 0.9)),
    st.sampled_from((0.0, 0.1, 0.4)),
    st.integers(0, 18),
)
def test_whoever_knows_the_newest_scores_knows_the_alarm(
    scores: list[float], row: int, at_once: float | None, fall_back: float, cut: int
) -> None:
    trigger = Trigger(cut=cut / 20, in_a_row=row, at_once=at_once, fall_back=fall_back)
    states = raised(scores, trigger)
    for known in range(1, len(scores) + 1):
        assert is_up(scores[:known], trigger) == states[known - 1]
        assert raised(scores[max(0, known - WINDOW) : known], trigger)[-1] == states[known - 1]
