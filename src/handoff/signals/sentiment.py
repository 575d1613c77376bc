"""Sentiment of an English text: VADER's compound score, to the last digit the library's, many times as fast.

The library looks at three words before and two after each word of its lexicon, yet copies the whole text and a list of
60 negations for each. Here the same steps, in the same order and so with the same rounding, are taken for those words
alone; its check for idioms is asked only where the window holds a word of one. The word lists are the library's.
tests/signals/test_sentiment.py holds the two equal.

Hutto, C.J. & Gilbert, E.E. (2014). VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media Text.
"""

from __future__ import annotations

import math
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

WORDS_BEFORE, WORDS_AFTER = 3, 2
# What the library multiplies by two and three words before a word of its lexicon.
_DAMPED = (1.0, 0.95, 0.9)
_MOST_EXCLAMATIONS, _EXCLAMATION, _QUESTION, _QUESTIONS = 4, 0.292, 0.18, 0.96
_ALPHA = 15
# Beside boosters, negations and idioms.
_TURNING = ("no", "so", "this", "least", "never", "without")


@dataclass(frozen=True, slots=True)
class Vader:
    """The library's word lists. `loaded` are the words that carry a score of their own; `idiomatic` holds one word of
    every idiom and of every booster of two words; `turning` are the words that change what one close to them is worth
    (those with "n't" apart)."""

    lexicon: dict[str, float]
    loaded: frozenset[str]
    boosters: dict[str, float]
    negations: frozenset[str]
    idiomatic: frozenset[str]
    turning: frozenset[str]
    idioms: Callable[[float, Sequence[str], int], float]
    emojis: dict[str, str]
    negated: float
    capital: float


def compound(text: str) -> float | None:
    """VADER's compound score of a text, from -1 (bad) to 1 (good); None without a word, emoticon or emoji."""
    said = described(text)
    words = [stripped(token) for token in said.split()]
    lowered = [word.lower() for word in words]
    if vader().loaded.isdisjoint(lowered):
        return 0.0 if any(map(str.isalnum, said)) else None
    return score(lowered, [word.isupper() for word in words], said)


def score(lowered: list[str], capitals: Sequence[bool], text: str, *, turns: bool = True) -> float:
    """The compound score of a text from its `stripped` words in lower case, and whether each was all in capitals.

    `turns` is False where no word is one of `turning` and none holds "n't".
    """
    lists = vader()
    if all(capitals):  # then they emphasise nothing
        capitals = [False] * len(capitals)
    denies, loaded = turns and "n't" in text.lower(), lists.loaded
    places = [place for place, word in enumerate(lowered) if word in loaded]
    if "kind" in lowered:
        places = [place for place in places if lowered[place : place + 2] != ["kind", "of"]]
    valences = [
        [place, _valence(place, lowered, capitals, lists, denies) if turns else _plain(place, lowered, capitals, lists)]
        for place in places
    ]
    if "but" in lowered:
        _turn(valences, lowered.index("but"))
    total = float(sum(valence for _, valence in valences))
    emphasis = _emphasis(text)
    total += emphasis if total > 0 else -emphasis if total < 0 else 0.0
    return round(max(-1.0, min(1.0, total / math.sqrt(total * total + _ALPHA))), 4)


def _valence(place: int, lowered: list[str], capitals: Sequence[bool], lists: Vader, denies: bool) -> float:
    """What a word of the lexicon is worth in its place: the library's `sentiment_valence`, step by step.

    `denies` says whether "n't" occurs anywhere. Mostly nothing close by turns a word, and only its capitals count.
    """
    first = max(0, place - WORDS_BEFORE)
    if not denies and lists.turning.isdisjoint(lowered[first : place + WORDS_AFTER + 1]):
        return _plain(place, lowered, capitals, lists)
    valence, capital = lists.lexicon[lowered[place]], lists.capital if capitals[place] else 0.0
    before = lowered[first:place][::-1]
    if "no" in before[:2] or (before[2:] == ["no"] and before[0] in ("or", "nor")):
        valence *= lists.negated
    elif lowered[place] == "no" and place + 1 < len(lowered) and lowered[place + 1] in lists.lexicon:
        valence = 0.0
    valence += capital if valence > 0 else -capital
    for back, word in enumerate(before):
        if word in lists.lexicon:
            continue
        if word in lists.boosters:
            capital = lists.capital if capitals[place - back - 1] else 0.0
            valence += _boost(lists.boosters[word], valence, capital) * _DAMPED[back]
        valence = _negate(valence, before, back, lists)
        if back == 2:
            valence = _idiom(valence, place, lowered, lists)
    if before[:1] == ["least"] and not (before[1:] and before[1] in ("at", "very")):
        valence *= lists.negated
    return valence


def _plain(place: int, lowered: Sequence[str], capitals: Sequence[bool], lists: Vader) -> float:
    """The same where nothing close by turns the word."""
    valence, capital = lists.lexicon[lowered[place]], lists.capital if capitals[place] else 0.0
    return valence + capital if valence > 0 else valence - capital


def _boost(scalar: float, valence: float, capital: float) -> float:
    if valence < 0:
        scalar *= -1
    return scalar + capital if valence > 0 else scalar - capital


def _negate(valence: float, before: Sequence[str], back: int, lists: Vader) -> float:
    """The valence after what stands `back` + 1 words before said no to it, or not; `before[0]` is the nearest word."""
    word = before[back]
    if back and word == "never" and before[back - 1] in ("so", "this"):
        return valence * 1.25
    if back == 2 and before[0] in ("so", "this"):
        return valence * 1.25
    if back and word == "without" and "doubt" in before[:back]:
        return valence
    return valence * lists.negated if word in lists.negations or "n't" in word else valence


def _idiom(valence: float, place: int, lowered: list[str], lists: Vader) -> float:
    window = lowered[place - WORDS_BEFORE : place + WORDS_AFTER + 1]
    return valence if lists.idiomatic.isdisjoint(window) else lists.idioms(valence, window, WORDS_BEFORE)


def _turn(valences: list[list[float]], but: int) -> None:
    """Halve what comes before the first "but" and raise what comes after it. As in the library, each value changes the
    first that equals it, which is not always itself."""
    for valence in valences:
        if valence[1]:
            first = next(other for other in valences if other[1] == valence[1])
            first[1] *= 0.5 if first[0] < but else 1.5


def _emphasis(text: str) -> float:
    asked = text.count("?")
    questions = 0.0 if asked < 2 else asked * _QUESTION if asked <= 3 else _QUESTIONS
    return min(text.count("!"), _MOST_EXCLAMATIONS) * _EXCLAMATION + questions


def described(text: str) -> str:
    """The text with each emoji replaced by its description, spaced as VADER does it."""
    if text.isascii() or vader().emojis.keys().isdisjoint(text):
        return text
    emojis = vader().emojis
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


def stripped(token: str) -> str:
    """A token without the punctuation around it; what is left of an emoticon is kept as it was."""
    bare = token.strip(string.punctuation)
    return token if len(bare) <= 2 else bare


@cache
def vader() -> Vader:
    """The library's word lists, read at first use."""
    from vaderSentiment import vaderSentiment as library

    analyzer = library.SentimentIntensityAnalyzer()
    idioms = [*library.SPECIAL_CASES, *library.BOOSTER_DICT]
    idiomatic = frozenset(max(idiom.split(), key=len) for idiom in idioms if " " in idiom)
    return Vader(
        lexicon=analyzer.lexicon,
        loaded=frozenset(analyzer.lexicon) - library.BOOSTER_DICT.keys(),
        boosters=library.BOOSTER_DICT,
        negations=frozenset(library.NEGATE),
        idiomatic=idiomatic,
        turning=idiomatic.union(library.BOOSTER_DICT, library.NEGATE, _TURNING),
        idioms=analyzer._special_idioms_check,
        emojis=analyzer.emojis,
        negated=library.N_SCALAR,
        capital=library.C_INCR,
    )
