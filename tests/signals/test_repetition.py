"""The same question in other words, told from another question about the same thing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoff.signals import read, similarity
from handoff.signals.repetition import stems

SAME = [
    ("How do I reset my password?", "I need to change my password"),
    ("How do I reset my password?", "where can I reset the password for my account"),
    ("the widget does not load on my site", "my website still doesn't load the widget"),
    ("Why was I charged twice this month?", "I asked why I got two charges on my card"),
    ("I want a refund for my last order", "please give me my money back for the order"),
    ("How can I export my chat history?", "is there a way to download the conversation history of the chat"),
    ("When will my package arrive?", "where is my parcel, it should have been delivered"),
    ("How do I connect Shopify?", "I need to integrate with my Shopify store"),
    ("The import fails with an error", "import keeps failing, same error"),
    ("How do I cancel my subscription", "I'd like to end my plan"),
    ("Can I add another user to my account?", "how do I add a teammate to the account"),
    ("My API key is not working", "the api key doesn't work"),
    ("I can't log in to the dashboard", "login to dashboard not possible"),
    ("How do I change the colour of the widget?", "changing widget color"),
    ("The script is blocked in the console", "console says script blocked"),
    ("MY ORDER 4711 IS LATE!!!", "my order 4711 is late"),
    ("ok", "OK!"),
]

OTHER = [
    ("How do I reset my password?", "How do I change my plan?"),
    ("How do I change my plan?", "how do I change my card?"),
    ("The widget does not load", "How do I change the widget colour?"),
    ("Where is my invoice?", "Where is my order?"),
    ("ok thanks", "yes please"),
    ("widget", "the widget is slow"),
    ("I use Chrome on Windows", "I use Shopify and WordPress"),
    ("It still does not work", "It still shows the old logo"),
    ("Can I export chats?", "Can I import contacts?"),
    ("How do I add a user", "How do I add a payment method"),
    ("My payment failed", "My import failed"),
    ("I need help with billing", "I need help with the API"),
    ("What is the price of the pro plan?", "Does the pro plan include SSO?"),
    ("I cleared the cache already", "I disabled all the plugins already"),
    ("I want to talk to a human", "I want to export my data"),
    ("[email]", "[email]"),
    ("", ""),
]


def likeness(one: str, other: str) -> float:
    return similarity(read(one, "customer").content, read(other, "customer").content)


@pytest.mark.parametrize(("one", "other"), [p for p in SAME if p != ("ok", "OK!")])
def test_the_same_question(one: str, other: str) -> None:
    assert likeness(one, other) >= 0.5


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_another_question(one: str, other: str) -> None:
    assert likeness(one, other) < 0.5


@pytest.mark.parametrize(
    ("one", "other", "expected"), [({"refund"}, {"refund"}, 1.0), ({"refund"}, {"refund", "card"}, 0.0)]
)
def test_with_fewer_than_two_words_only_the_same_is_the_same(one: set[str], other: set[str], expected: float) -> None:
    assert similarity(frozenset(one), frozenset(other)) == expected


STEMS = {
    "charge": ["charge", "charges", "charged", "charging"],
    "policy": ["policy", "policies"],
    "stop": ["stop", "stopped", "stopping", "stops"],
    "address": ["address", "addresses"],
    "status": ["status"],
}


@pytest.mark.parametrize("forms", STEMS.values(), ids=STEMS.keys())
def test_forms_of_a_word_share_a_stem(forms: list[str]) -> None:
    assert len({frozenset(stems([form])) for form in forms}) == 1


def test_stop_words_marks_and_placeholders_are_no_content() -> None:
    assert stems(["i", "the", ".", ",", "[email]", "[number]", "please"]) == set()


words = st.frozensets(st.sampled_from(["password", "plan", "reset", "card", "widget", "load", "key", "order", "late"]))


@given(words, words)
def test_likeness_is_mutual_and_between_nothing_and_all(a: frozenset[str], b: frozenset[str]) -> None:
    assert similarity(a, b) == similarity(b, a)
    assert 0.0 <= similarity(a, b) <= 1.0


@given(words)
def test_a_message_is_like_itself(a: frozenset[str]) -> None:
    assert similarity(a, a) == (1.0 if a else 0.0)
