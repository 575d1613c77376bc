"""HTML that came along with a text hides no phrase, and what only looks like HTML stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoff.signals.markup import may_hold_markup, without_markup
from handoff.signals.read import read

PLAIN = {
    "a <b>human</b>": "a human",
    "a&nbsp;human": "a human",
    "one<br>two<BR />three": "one\ntwo\nthree",
    "<p class='x'>one</p>": "\none\n",
    'a <a href="https://x.example/agent">link</a>': "a link",
    "don&#39;t &quot;stop&quot; R&amp;D": 'don\'t "stop" R&D',
    "&amp;nbsp;": "&nbsp;",  # decoded once, as a browser does
    "&lt;b&gt;": "<b>",
    "1 < 2 and 3 > 2": "1 < 2 and 3 > 2",
    "my <order number> is": "my <order number> is",
    "a <b and c> d": "a <b and c> d",
    "<script>x</script> &copy; &": "<script>x</script> &copy; &",
    "<bold>": "<bold>",
}


@pytest.mark.parametrize(("text", "expected"), PLAIN.items(), ids=PLAIN)
def test_without_markup(text: str, expected: str) -> None:
    assert without_markup(text) == expected


@given(st.text(st.characters(exclude_characters="<&")))
def test_most_texts_are_not_even_looked_at(text: str) -> None:
    assert not may_hold_markup(text)
    assert without_markup(text) == text


ASKS = (
    "I want a <b>human</b>",
    "I want a&nbsp;human",
    "<p>I want a <strong>human</strong></p>",
    'I want a <a href="https://x.example">human</a>',
    "I want&#160;a h<i>um</i>an",
)


@pytest.mark.parametrize("text", ASKS)
def test_a_phrase_is_heard_through_markup(text: str) -> None:
    assert read(text, "customer").hits == read("I want a human", "customer").hits == {"asks_for_human": 1}


def test_a_denial_is_heard_through_an_entity() -> None:
    assert read("I don&#39;t want a human", "customer").hits == {}


def test_how_it_is_said_is_measured_on_what_was_sent() -> None:
    """Models learnt from the text as it came: markup moves no feature but the counts of phrases."""
    heard = read("I want a <b>human</b>", "customer")
    assert heard.characters == len("I want a <b>human</b>")
