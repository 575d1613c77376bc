"""Which language a message is written in, from its script and its small words; no answer when too short to tell."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache

from handoff.signals.data import read_yaml

# A message is in a language when that language knows at least so many of its different small words,
# or one that no other language has and that people send alone ("gracias", "bonjour").
MIN_SMALL_WORDS = 2

# The first word of a letter's Unicode name tells its script.
_SCRIPTS = {
    "CJK": "zh",
    "HIRAGANA": "ja",
    "KATAKANA": "ja",
    "HANGUL": "ko",
    "CYRILLIC": "ru",
    "ARABIC": "ar",
    "HEBREW": "he",
    "GREEK": "el",
    "THAI": "th",
    "DEVANAGARI": "hi",
}
_LETTERS_READ = 400
_FIRST_NOT_LATIN = "\u0370"
_NOT_LATIN = re.compile(f"[{_FIRST_NOT_LATIN}-\U0010ffff]")
# More than there are small words of any language.
_BITS = 16


def guess(own: str, small: Sequence[str]) -> str | None:
    """The language of a message as a two-letter code, from text and small words; None when it cannot be told."""
    return (None if own.isascii() else _by_script(own)) or _by_small_words(small)


def small_words(words: Iterable[str]) -> list[str]:
    """Those of the words that tell a language, in order."""
    votes = _votes()
    return [word for word in words if word in votes]


def _by_script(own: str) -> str | None:
    """The language of the script in which most letters are written; kana among Chinese signs make it Japanese."""
    if not any(map(str.isalpha, _NOT_LATIN.findall(own, 0, _LETTERS_READ))):
        return None
    counts: dict[str | None, int] = {}
    for letter in filter(str.isalpha, own[:_LETTERS_READ]):
        script = None if letter < _FIRST_NOT_LATIN else _script(letter)
        counts[script] = counts.get(script, 0) + 1
    if not counts:
        return None
    if counts.get("ja", 0) * 5 > sum(counts.values()):
        return "ja"
    return max(counts, key=lambda script: counts[script])


@lru_cache(maxsize=4_096)
def _script(letter: str) -> str | None:
    return _SCRIPTS.get(unicodedata.name(letter, "").split(" ")[0].split("-")[0])


def _by_small_words(small: Sequence[str]) -> str | None:
    if not small:
        return None
    first, most = _winner(sum(map(_votes().__getitem__, set(small))))
    if first is None or most >= MIN_SMALL_WORDS:
        return first
    alone = _alone()
    return next((alone[word] for word in small if word in alone), None)


@lru_cache(maxsize=4_096)
def _winner(votes: int) -> tuple[str | None, int]:
    """The language with the most votes and how many those are; None for a draw."""
    counts = sorted(((votes >> _BITS * place) % 2**_BITS, language) for place, language in enumerate(_lists()))
    (second, _), (most, language) = counts[-2:]
    return (None if second == most else language), most


@cache
def _votes() -> dict[str, int]:
    """By small word, one vote for each language that has it: a number with a digit of 16 bits for each language."""
    votes: dict[str, int] = {}
    for place, kinds in enumerate(_lists().values()):
        for word in {word for lines in kinds.values() for line in lines for word in line.split()}:
            votes[word] = votes.get(word, 0) + (1 << _BITS * place)
    return votes


@cache
def _alone() -> dict[str, str]:
    """By word, the language that it tells alone."""
    return {word: language for language, kinds in _lists().items() for line in kinds["alone"] for word in line.split()}


@cache
def _lists() -> dict[str, dict[str, list[str]]]:
    lists: dict[str, dict[str, list[str]]] = read_yaml("wordlists/languages.yaml")
    return lists
