"""Sentiment of an English text: VADER's compound score, to the last digit the library's, several times as fast.

The library looks at three words before and two after each word of its lexicon, yet copies the whole text for each
one. Here it is given that window only, and only where there is such a word; and its check for negation is asked of
a set. tests/signals/test_sentiment.py holds the two equal.

Hutto, C.J. & Gilbert, E.E. (2014). VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media Text.
"""

from __future__ import annotations

import string
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

WORDS_BEFORE, WORDS_AFTER = 3, 2


class _Window(NamedTuple):
    """What VADER's `sentiment_valence` reads of a text."""

    words_and_emoticons: list[str]
    is_cap_diff: bool


class _Vader(NamedTuple):
    analyzer: SentimentIntensityAnalyzer
    loaded: frozenset[str]
    emojis: dict[str, str]


def compound(text: str) -> float | None:
    """VADER's compound score of a text, from -1 (bad) to 1 (good); None without a word, emoticon or emoji."""
    vader = _vader()
    described = _described(text, vader.emojis).strip()
    words = [_stripped(token) for token in described.split()]
    lowered = [word.lower() for word in words]
    if vader.loaded.isdisjoint(lowered):
        return 0.0 if any(map(str.isalnum, described)) else None
    valences = _valences(words, lowered, vader)
    if "but" in lowered:
        valences = vader.analyzer._but_check(words, valences)
    return _score(float(sum(valences)), described, vader)


def _valences(words: list[str], lowered: list[str], vader: _Vader) -> list[float]:
    valences: list[float] = [0] * len(words)
    some_capitals = 0 < sum(map(str.isupper, words)) < len(words)
    for place, word in enumerate(lowered):
        if word not in vader.loaded or (word == "kind" and lowered[place + 1 : place + 2] == ["of"]):
            continue
        first = max(0, place - WORDS_BEFORE)
        window = _Window(words[first : place + WORDS_AFTER + 1], some_capitals)
        valences[place] = vader.analyzer.sentiment_valence(0, window, words[place], place - first, [])[0]
    return valences


def _score(total: float, text: str, vader: _Vader) -> float:
    from vaderSentiment.vaderSentiment import normalize

    emphasis = vader.analyzer._punctuation_emphasis(text)
    total += emphasis if total > 0 else -emphasis if total < 0 else 0.0
    return round(float(normalize(total)), 4)


def _described(text: str, emojis: dict[str, str]) -> str:
    """The text with each emoji replaced by its description, spaced as VADER does it."""
    if text.isascii() or emojis.keys().isdisjoint(text):
        return text
    parts: list[str] = []
    after_space = True
    for character in text:
        if character in emojis:
            parts.append(emojis[character] if after_space else " " + emojis[character])
            after_space = False
        else:
            parts.append(character)
            after_space = character == " "
    return "".join(parts)


def _stripped(token: str) -> str:
    """A token without the punctuation around it; what is left of an emoticon is kept as it was."""
    if token.isalnum():  # as most are: nothing to strip
        return token
    stripped = token.strip(string.punctuation)
    return token if len(stripped) <= 2 else stripped


@cache
def _vader() -> _Vader:
    from vaderSentiment import vaderSentiment as library

    class Faster(library.SentimentIntensityAnalyzer):  # type: ignore[misc]
        """The library's analyzer with its check for negation asked of a set; it copies a list of 60 words each time."""

        _negates = frozenset(library.NEGATE)

        @classmethod
        def _negation_check(cls, valence: float, words: list[str], start: int, place: int) -> float:
            before = [word.lower() for word in words[place - start - 1 : place]]
            if start and before[0] == "never" and not {"so", "this"}.isdisjoint(before[1:2]):
                return valence * 1.25
            if start == 2 and not {"so", "this"}.isdisjoint(before[2:]):
                return valence * 1.25
            if start and before[0] == "without" and "doubt" in before[1:]:
                return valence
            return valence * library.N_SCALAR if before[0] in cls._negates or "n't" in before[0] else valence

    analyzer = Faster()
    return _Vader(analyzer, frozenset(analyzer.lexicon) - library.BOOSTER_DICT.keys(), analyzer.emojis)
