"""A whole reading, its limits, and that it depends on nothing but text, role and locale."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoff.signals import Reading, cache_lookups, read, read_all, spanning
from handoff.signals.read import MAX_WORDS


def test_reads_a_message() -> None:
    assert read("WHERE is my refund?? I don't get it!", "customer") == Reading(
        words=("where", "is", "my", "refund", ".", "i", "do", "not", "get", "it", "."),
        content=frozenset({"refund"}),
        language="en",
        hits={"dispute_or_refund": 1},
        characters=36,
        word_count=8,
        sentiment=0.0,
        capital_ratio=0.2,
        shouted_words=1,
        exclamation_run=1,
        question_run=2,
        questions=1,
    )


def test_an_empty_message_says_nothing() -> None:
    reading = read("", "customer")
    assert (reading.words, reading.content, reading.hits, reading.word_count) == ((), frozenset(), {}, 0)
    assert (reading.sentiment, reading.capital_ratio, reading.language) == (None, None, None)


def test_what_is_quoted_from_an_earlier_message_is_not_read() -> None:
    assert read("> URGENT! Get me a manager\nthanks, solved", "customer").hits.keys() == {"thanks"}


def test_a_long_message_is_read_by_its_ends() -> None:
    reading = read("I want a refund. " + "bla " * 20_000 + " This is urgent.", "customer")
    assert {"dispute_or_refund", "urgency"} <= reading.hits.keys()
    assert len(reading.words) <= MAX_WORDS
    assert (reading.words[0], reading.words[-2]) == ("i", "urgent")


@given(st.text(), st.sampled_from(["customer", "assistant", "agent", "system"]), st.sampled_from([None, "en", "de-AT"]))
def test_a_reading_holds_together(text: str, role: str, locale: str | None) -> None:
    reading = read(text, role, locale)
    assert reading == read(text, role, locale)
    assert reading.capital_ratio is None or 0 <= reading.capital_ratio <= 1
    assert reading.sentiment is None or -1 <= reading.sentiment <= 1
    assert all(count > 0 for count in reading.hits.values())
    assert spanning(reading.words, reading.words, role) == spanning(reading.words, reading.words, role)


@given(st.lists(st.tuples(st.text(), st.sampled_from([None, "en", "de-AT"]))), st.sampled_from(["customer", "agent"]))
def test_read_together_texts_say_what_each_says_by_itself(asked: list[tuple[str, str | None]], role: str) -> None:
    twice = [*asked, *asked]
    assert read_all(twice, role) == [read(text, role, locale) for text, locale in twice]
    assert read_all(asked, role, tone=False) == [read(text, role, locale, tone=False) for text, locale in asked]
    assert read_all(twice, role, keep=True) == read_all(twice, role)


def test_what_is_kept_is_looked_up_and_the_rest_is_not() -> None:
    asked = [(f"{number} times is too often", "en") for number in range(3)]
    read_all(asked, "customer")
    before = cache_lookups()
    read_all(asked, "customer", keep=True)
    read(asked[0][0], "customer", "en-GB")
    assert cache_lookups() == (before[0] + 1, before[1] + 3)


HOSTILE = {
    "letters": "a" * 1_000_000,
    "dots": "a." * 500_000,
    "quotation marks": '"' * 1_000_000,
    "half a request": "talk to " * 125_000,
    "half a denial": "not the to a " * 80_000,
    "quoted lines": ">\n" * 500_000,
    "stacked accents": "a" + "\u0301\u0327" * 500_000,
    "a ligature of eighteen letters": "ﷺ" * 1_000_000,
    "back-ticks": "`" * 1_000_000,
    "buts": "but bad " * 125_000,
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_megabyte_passes(text: str) -> None:
    assert read(text, "customer").characters <= 250_000


IMPORT = """
import sys
import handoff.signals
from handoff.signals.lexicon import lexicon
print(lexicon.cache_info().currsize, "vaderSentiment" in sys.modules)
"""


def test_importing_reads_no_data() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "False"]
