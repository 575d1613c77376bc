"""Whether two messages ask the same thing in other words."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache, lru_cache

from handoff.signals.data import read_list, read_yaml
from handoff.signals.words import NOT_WORDS

MIN_CONTENT_WORDS = 2

# What a word that says little of the subject ("use", "add") counts for, against 1.
LIGHT_WEIGHT = 0.4

# "the widget does not load" and "the widget's colour" share a subject, not a question: one common word is half as much.
SINGLE_WORD_SHARE = 0.5

_SUFFIXES = ("ingly", "edly", "ings", "ing", "ed", "ies", "ied", "es", "s", "ly")
_MIN_STEM = 3
_DIGIT = re.compile(r"\d")


def stems(words: Iterable[str]) -> set[str]:
    """The stems of the words that carry content: stop words, marks and placeholders out, synonyms folded."""
    stop, synonyms = _stop_words(), _synonyms()
    found = {_stem(word) for word in set(words) - NOT_WORDS - stop if len(word) > 1 or word.isdigit()}
    return {synonyms.get(stem, stem) for stem in found}


def similarity(a: frozenset[str], b: frozenset[str]) -> float:
    """How much two messages ask the same, from 0 to 1, by their `content`; 0.5 and more is the same question.

    The share of content that they have in common (Dice), in which words that say little of the subject count less.
    With fewer than two content words on either side only the same words are the same question.
    """
    if min(len(a), len(b)) < MIN_CONTENT_WORDS:
        return 1.0 if a and a == b else 0.0
    common = a & b
    share = 2 * _weight(common) / (_weight(a) + _weight(b)) if common else 0.0
    return share if len(common) >= MIN_CONTENT_WORDS else share * SINGLE_WORD_SHARE


def _weight(stems: frozenset[str]) -> float:
    return len(stems) - (1 - LIGHT_WEIGHT) * len(stems & _light())


@lru_cache(maxsize=8_192)
def _stem(word: str) -> str:
    """A word without its ending: "charged", "charges" and "charging" become "charg", "policies" becomes "policy"."""
    if _DIGIT.search(word) or not word.isascii():
        return word
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= _MIN_STEM and not word.endswith(("ss", "us", "is")):
            return _ending_mended(word[: -len(suffix)], suffix)
    return word[:-1] if word.endswith("e") and len(word) > _MIN_STEM else word


def _ending_mended(stem: str, suffix: str) -> str:
    if suffix in ("ies", "ied"):
        return stem + "y"
    if suffix != "s" and stem[-1] == stem[-2] and stem[-1] not in "lsz":
        return stem[:-1]
    return stem[:-1] if stem.endswith("e") and len(stem) > _MIN_STEM else stem


@cache
def _stop_words() -> frozenset[str]:
    return frozenset(read_list("stop_words"))


@cache
def _light() -> frozenset[str]:
    return frozenset(_synonyms().get(_stem(word), _stem(word)) for word in read_list("light_words"))


@cache
def _synonyms() -> dict[str, str]:
    """By stem, the stem of the first word of its line in `synonyms.yaml`."""
    lines = [line.split() for line in read_yaml("wordlists/synonyms.yaml")]
    return {_stem(word): _stem(line[0]) for line in lines for word in line}
