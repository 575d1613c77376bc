"""Put together from its pieces a text reads as it does when it is read as a whole."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from handoff.signals import read
from handoff.signals.capitals import shouting
from handoff.signals.language import guess, small_words
from handoff.signals.lexicon import lexicon
from handoff.signals.markup import without_markup
from handoff.signals.match import hits
from handoff.signals.repetition import stems
from handoff.signals.sentiment import compound
from handoff.signals.text import own_text
from handoff.signals.words import split, word_count

ODD = [
    "$",
    "5",
    "$5",
    ",",
    ".",
    "!",
    "?",
    "...",
    "(",
    ")",
    '"',
    "'",
    "don't",
    "isn't",
    "it's",
    "l'agent",
    "naïve",
    "über",
    "ß",
    "İ",
    "日本",
    "привет",
    "gracias",
    "bonjour",
    "hola",
    "😀",
    "😡",
    ":(",
    "API",
    "SAMSUNG",
    "NASA",
    "WHY",
    "NOT",
    "SELECT",
    "FROM",
    "/path",
    "http://a.b",
    "[email]",
    "[name]",
    "file.py",
    "a.s.a.p.",
    "goood",
    "soooo",
    "kind",
    "of",
    "but",
    "never",
    "so",
    "good",
    "bad",
    "no",
    "or",
    "refnud",
    "f***",
    "1,188.00",
    "14:31",
    "6.3",
    "x_y",
    "A-B",
    "I",
    "O'R",
    "\u200b",
    "ﬁ",
    "―",
    "‘",
    "’",
    "*",
    "_",
    "-",
    "--",
    "e.g.",
    "wooooords",
]
EXAMPLES = [text for compiled in lexicon().entries for text in (*compiled.entry.fires_on, *compiled.entry.quiet_on)]
MIXED = st.lists(
    st.tuples(
        st.sampled_from([*ODD, *" ".join(EXAMPLES).split()]), st.sampled_from([" ", " ", "\n", "\t", "", "\r\n"])
    ),
    max_size=30,
).map(lambda parts: "".join(map("".join, parts)))


def check(text: str) -> None:
    own, vocabulary = own_text(text), lexicon()
    words = split(own, vocabulary.spelling, vocabulary.known)
    said = split(own_text(without_markup(text)), vocabulary.spelling, vocabulary.known)
    reading = read(text, "customer")
    if len(said) <= 400:
        assert list(reading.words) == said
    assert reading.content == stems(words)
    assert reading.hits == hits(said, "customer", vocabulary)
    assert reading.language == guess(own, small_words(words))
    assert reading.word_count == word_count(own)
    assert (reading.capital_ratio, reading.shouted_words) == shouting(own)
    if reading.language in (None, "en"):
        assert reading.sentiment == compound(own)


def test_every_example_of_the_lexicon() -> None:
    for text in EXAMPLES:
        check(text)


@given(MIXED)
def test_any_mixture(text: str) -> None:
    check(text)


@given(st.text())
def test_any_text(text: str) -> None:
    check(text)
