"""Shouting told from acronyms: "WHY IS THIS NOT WORKING" shouts, "API URL HTTP 500 on WP" does not."""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from handoff.signals.data import read_list
from handoff.signals.lexicon import lexicon
from handoff.signals.text import PLACEHOLDERS

# Shorter words in capitals are more often an acronym than a shout, unless they are common words or all is in capitals.
MIN_SHOUTED_LETTERS = 4
MIN_WORDS_ALL_CAPITALS = 3

# What a database, a web server or a log prints in capitals.
_PRINTED = re.compile(
    r"\b(?:SELECT\b.{1,200}\bFROM|INSERT INTO|UPDATE\b.{1,80}\bSET|DELETE FROM|(?:CREATE|ALTER|DROP) TABLE)\b[^\n]*"
    r"|\b(?:GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS|TRACE|CONNECT) (?:/|\[url\]|\*)\S*(?: HTTP/\d(?:\.\d)?)?"
    r"|\bHTTP/\d(?:\.\d)?(?: \d{3}(?: [A-Z]+){0,4})?"
    r"|(?<!\S)/\S+"
)
# Every match of it contains one of these.
_PARTS_PRINTED = ("/", "*", "[url]", "SELECT", "INSERT", "UPDATE", "DELETE", "TABLE")
# An acronym that no list holds is rarely longer.
MAX_ACRONYM_LETTERS = 5

_PLACEHOLDER = re.compile("|".join(map(re.escape, PLACEHOLDERS)))
_WORD = re.compile(r"[^\W_](?:[\w'’-]*\w)?")
_TWO_CAPITALS = re.compile(r"[A-Z][A-Z']")
_LETTER = re.compile(r"[A-Za-z]")
_VOWELS = frozenset("AEIOUY")


class Shouting(NamedTuple):
    """Letters of shouted words / letters (None without letters that have capitals), and the number of shouted words."""

    ratio: float | None
    words: int


def shouting(own: str) -> Shouting:
    """How much of a message is shouted. Placeholders, and words with a digit or an underscore, are neither."""
    if own.isascii() and not has_two_capitals(own):
        return calm(has_letter(own))
    text = _PRINTED.sub(" ", own) if may_be_printed(own) else own
    tokens = _tokens(text)
    words = [word for word in tokens if _is_plain(word)]
    letters = sum(map(_cased, words))
    if not letters:
        return Shouting(None, 0)
    capital = [word for word in words if word.isupper()]
    shouted = _shouted(capital, words, _names(tokens)) if capital else []
    return Shouting(sum(map(_cased, shouted)) / letters, len(shouted))


def calm(letters: bool) -> Shouting:
    """What a text says in which nothing is shouted, with or without letters."""
    return Shouting(0.0 if letters else None, 0)


def has_two_capitals(text: str) -> bool:
    """Whether two capitals stand together; without, nothing in an ASCII text is shouted."""
    return not text.islower() and _TWO_CAPITALS.search(text) is not None


def has_letter(text: str) -> bool:
    """Whether there is a Latin letter outside of placeholders."""
    return _LETTER.search(_PLACEHOLDER.sub(" ", text)) is not None


def has_capital_word(text: str) -> bool:
    """Whether a word is all in capitals; without, and without a "/", nothing in a text is shouted."""
    return any(word.isupper() for word in _tokens(text) if _is_plain(word))


def has_loud_word(text: str) -> bool:
    """Whether a word in capitals may be shouted among others that are not; without, nothing is, unless all is."""
    return any(
        word.isupper()
        and len(word) > 1
        and (len(word) >= MIN_SHOUTED_LETTERS or word in _short())
        and not _is_acronym(word)
        for word in _tokens(text)
        if _is_plain(word)
    )


def has_small_word(text: str) -> bool:
    """Whether a word is not all in capitals."""
    return any(not word.isupper() for word in _tokens(text) if _is_plain(word))


def may_be_printed(text: str) -> bool:
    """False only where nothing was printed by a machine: then every word counts, wherever it stands."""
    return any(part in text for part in _PARTS_PRINTED)


def has_cased_letter(text: str) -> bool:
    """Whether a word has letters of which there are capitals."""
    return any(_cased(word) for word in _tokens(text) if _is_plain(word))


def _tokens(text: str) -> list[str]:
    return _WORD.findall(_PLACEHOLDER.sub(" ", text) if "[" in text else text)


def _shouted(capital: list[str], words: list[str], names: frozenset[str]) -> list[str]:
    candidates = [word for word in capital if not _is_acronym(word)]
    if len(capital) < len(words):
        candidates = [word for word in candidates if word not in names]
    elif all(len(word) <= MAX_ACRONYM_LETTERS and not _is_common(word) for word in candidates):
        return []  # a row of acronyms that no list holds: "NASA ESA JAXA"
    loud = [word for word in candidates if len(word) >= MIN_SHOUTED_LETTERS or (word in _short() and len(words) > 1)]
    if loud and len(capital) == len(words) >= MIN_WORDS_ALL_CAPITALS:
        return [word for word in capital if word in candidates or word in _short()]
    return [word for word in loud if len(word) > 1]


def _names(tokens: list[str]) -> frozenset[str]:
    """Uncommon words in capitals beside an acronym or a code, as names of products are: "SAMSUNG QE55Q80C QLED TV"."""
    beside = [_is_code(token) for token in tokens]
    return frozenset(
        token
        for place, token in enumerate(tokens)
        if token.isupper() and any(beside[max(place - 1, 0) : place + 2]) and not _is_common(token)
    )


def _is_code(token: str) -> bool:
    return token.isupper() and len(token) > 1 and (not _is_plain(token) or _is_acronym(token))


def _is_common(word: str) -> bool:
    """Whether a word in capitals is one that people write: of the lexicon, or a short everyday one."""
    return word in _short() or lexicon().known(word.lower()) or word.lower() in read_list("stop_words")


def _is_acronym(word: str) -> bool:
    """Whether a word is usually written in capitals: listed, its plural listed, or without a vowel."""
    bare = word.removesuffix("'S").removesuffix("’S")
    known = bare in _acronyms() or bare.removesuffix("S") in _acronyms()
    return known or (bare.isascii() and _VOWELS.isdisjoint(bare))


def _is_plain(word: str) -> bool:
    return word.isalpha() or ("_" not in word and not any(map(str.isdigit, word)))


def _cased(word: str) -> int:
    return len(word) if word.isascii() and word.isalpha() else sum(c.isupper() or c.islower() for c in word)


@cache
def _acronyms() -> frozenset[str]:
    return frozenset(word.upper() for word in read_list("acronyms"))


@cache
def _short() -> frozenset[str]:
    return frozenset(word.upper() for word in read_list("short_words"))
