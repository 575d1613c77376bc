"""What counts as a match: places, exceptions, quotation marks, and sentences split over messages."""

from __future__ import annotations

from typing import Any

import pytest

from handoff.signals import read, spanning
from handoff.signals.lexicon import build
from handoff.signals.match import hits
from handoff.signals.text import own_text
from handoff.signals.words import split


def count(text: str, **entry: Any) -> int:
    """How often an entry made for the occasion occurs in a text."""
    record = {
        "id": "it",
        "title": "It",
        "reads": "customer",
        "fires_on": list("abcd"),
        "quiet_on": list("efgh"),
    } | entry
    made = build({"it.yaml": [record]}, {})
    return hits(split(own_text(text), made.spelling, made.known), "customer", made).get("it", 0)


COUNTS = {
    "each place counts": ("refund now, refund later", {"phrases": ["refund"]}, 2),
    "no place counts twice": ("full refund", {"phrases": ["refund", "full refund"]}, 1),
    "overlapping matches count once": ("a b a b a", {"phrases": ["a b a"]}, 1),
    "the longest of those that start together counts": ("a b c d", {"phrases": ["x|b", "b c", "c d"]}, 1),
    "words count once each where different words count": (
        "api, dns, api",
        {"phrases": ["api|dns"], "counts": "words"},
        2,
    ),
    "a number joined to a word is found without the other options": (
        "asked 5 times",
        {"phrases": ["asked twice|<number>_times"]},
        1,
    ),
    "an exception that shares a word cancels": ("user agent", {"phrases": ["agent"], "unless": ["user agent"]}, 0),
    "an exception elsewhere does not": ("user agent, agent", {"phrases": ["agent"], "unless": ["user agent"]}, 1),
    "a denial silences": ("not urgent", {"phrases": ["urgent"]}, 0),
    "a denial may be ignored": ("not urgent", {"phrases": ["urgent"], "negation": "ignored"}, 1),
    "a denied match leaves room for another": ("not urgent, urgent", {"phrases": ["urgent"]}, 1),
    "a phrase may hold the denial itself": ("it is not working", {"phrases": ["not working"]}, 1),
    "a label in quotation marks is silent": ('the "urgent" label', {"phrases": ["urgent"]}, 0),
    "also in curly ones": ("the “urgent” label", {"phrases": ["urgent"]}, 0),
    "also in single ones": ("the 'urgent' label", {"phrases": ["urgent"]}, 0),
    "unless quotations count": ('it says "refund"', {"phrases": ["refund"], "quoted": "counts"}, 1),
    "a message that is one quotation speaks": ('"urgent"', {"phrases": ["urgent"]}, 1),
    "so does what the customer said": ('I said "urgent"', {"phrases": ["urgent"]}, 1),
    "an apostrophe is no quotation mark": ("it's urgent, isn't it", {"phrases": ["urgent"]}, 1),
    "one quotation mark opens nothing": ('19" screen, urgent', {"phrases": ["urgent"]}, 1),
    "a phrase crosses quotation marks": ('a "full" refund', {"phrases": ["a full refund"], "quoted": "counts"}, 1),
}


@pytest.mark.parametrize(("text", "entry", "expected"), COUNTS.values(), ids=COUNTS.keys())
def test_counts(text: str, entry: dict[str, Any], expected: int) -> None:
    assert count(text, **entry) == expected


SPLIT = {
    "a request for a human": (["I need to talk", "to a human"], "asks_for_human", True),
    "a request over its last word": (["can I speak to a", "real person"], "asks_for_human", True),
    "a charge": (["I was charged", "twice"], "dispute_or_refund", True),
    "not over a full stop": (["I like the charge.", "Twice the price"], "dispute_or_refund", False),
    "not what one message says alone": (["hello", "I want a refund"], "dispute_or_refund", False),
    "not where denied": (["this is not", "urgent"], "urgency", False),
    "not after nothing": (["", "agent"], "asks_for_human", False),
}


@pytest.mark.parametrize(("texts", "entry", "expected"), SPLIT.values(), ids=SPLIT.keys())
def test_spans(texts: list[str], entry: str, expected: bool) -> None:
    first, second = (read(text, "customer").words for text in texts)
    assert (entry in spanning(first, second, "customer")) is expected


def test_only_the_ends_next_to_the_border_are_looked_at() -> None:
    far = ("talk", *["x"] * 40)
    assert spanning(far, ("to", "a", "human"), "customer") == {}


def test_roles_without_entries_have_no_hits() -> None:
    assert read("get me a manager", "agent").hits == {}
    assert read("get me a manager", "system").hits == {}
