"""From a text to its words: lower case, contractions written out, chat spellings and slips mended.

A word list is what every other signal reads. Besides words it holds

    "."   the end of a sentence (. ! ? and line breaks)
    ","   a smaller break (, ; : brackets and dashes)
    '"'   a quotation mark
    "[email]" and the like, where something stood that is not a word
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from itertools import product
from typing import Final

from handoff.signals.data import read_list, read_map
from handoff.signals.text import PLACEHOLDERS

MARKS: Final = frozenset({".", ",", '"'})
NOT_WORDS: Final = MARKS | frozenset(PLACEHOLDERS)

_TOKEN = re.compile(
    r"\[(?:email|phone|card|iban|ip|number|name|code|url)\]"
    r"|(?<!\w)(?:[^\W\d_]\.){2,6}(?:[^\W\d_](?!\w))?"  # "a.s.a.p.", "e.g."
    r"|[$€£¥]\s?\d[\d.,]*|\d+(?:[.,:]\d+)*"  # "$1,188.00", "6.3", "14:31": one token, no break inside
    r"|\w+(?:'\w+)*"
    r"|[.!?\n]|[,;:()\[\]{}|]|\""
)
_MARK_OF = {**dict.fromkeys(".!?\n", "."), **dict.fromkeys(",;:()[]{}|", ","), '"': '"'}
# Swearing, half hidden: f***, sh*t, b*llsh*t, a**hole. Which one it is makes no difference.
_CENSORED = re.compile(
    r"(?<![\w*])(?:f[uc]?\*[uc*]*k?(?:ing)?|(?:b[u*]ll)?s(?:h\*|\*{2,})t?|b\*+t?ch|a\*\*(?:hole)?|w\*f)(?![\w*])"
)
_LONG_RUN = re.compile(r"([^\W\d_])\1\1")
_RUN = re.compile(r"([^\W\d_])\1\1+")

# Languages that put an article or a pronoun before the apostrophe: l'agent, j'ai, qu'un.
_ELISIONS = frozenset({"l", "d", "j", "n", "s", "m", "t", "c", "qu", "un", "dell", "all", "nell", "quest"})

# Where contractions are made: "don't", "I've", "where's".
_AUXILIARIES = ("do", "does", "did", "is", "are", "was", "were", "has", "have", "had", "would", "could", "should")
_BEFORE_NOT = (*_AUXILIARIES, "might", "must", "need", "dare", "ca", "wo", "sha", "ai")
_BEFORE_VERB = ("i", "you", "he", "she", "it", "we", "they", "that", "this", "there", "who", "what")
_BEFORE_IS = ("he", "she", "it", "that", "this", "there", "here", "what", "who", "where", "how", "when", "why")

Spelling = Mapping[str, tuple[str, ...]]
Known = Callable[[str], bool]


def split(text: str, spelling: Spelling, known: Known) -> list[str]:
    """The words and marks of a text.

    `spelling` says what to write for a token ("dont" → do not, "refnud" → refund); `known` tells a word of the
    vocabulary, so that "goood" becomes "good" and "sooo" becomes "so".
    """
    words: list[str] = []
    lowered = text.casefold()
    if "*" in lowered:
        lowered = _CENSORED.sub("fuck", lowered)
    stretched = _LONG_RUN.search(lowered) is not None
    for token in _TOKEN.findall(lowered):
        written = spelling.get(token)
        if written is not None:
            words.extend(written)
        elif token in _MARK_OF:
            _end(words, _MARK_OF[token])
        elif not stretched and token.isalnum() and token.isascii():
            words.append(token)
        else:
            words.extend(_spelled(token, spelling, known))
    return words


def merged(parts: Iterable[tuple[str, ...]]) -> list[str]:
    """The words of all parts as one list, in which a mark that meets another is merged as `split` does it."""
    words: list[str] = []
    for part in parts:
        if part and part[0] in (".", ","):
            _end(words, part[0])
            words.extend(part[1:])
        else:
            words.extend(part)
    return words


def ends_in_currency(part: str) -> bool:
    """Whether a number after a space would belong to it: "$ 5"."""
    return part.endswith(("$", "€", "£", "¥"))


def _end(words: list[str], mark: str) -> None:
    """Adds a mark; of several in a row one is enough, the strongest."""
    if mark == '"' or not words or words[-1] not in (".", ","):
        words.append(mark)
    elif mark == ".":
        words[-1] = mark


def _spelled(token: str, spelling: Spelling, known: Known) -> tuple[str, ...]:
    """The words that a token stands for which is not a plain word: an abbreviation, accents, a stretched word."""
    if token in PLACEHOLDERS:
        return (token,)
    if token[1:2] == "." and token[0].isalpha():
        token = token.replace(".", "")
    token = token.strip("_")
    if not token.isascii():
        token = plain_letters(token)
    if _LONG_RUN.search(token) and not known(token):
        token = shortened(token, lambda word: word in spelling or known(word))
    if token in spelling:
        return spelling[token]
    return _parts(token) if "'" in token else (token.replace(" ", ""),) if token else ()


def _parts(token: str) -> tuple[str, ...]:
    """A word with an apostrophe: "agent's" is agent, "l'agent" is l, agent."""
    head, _, tail = token.partition("'")
    if tail == "s":
        return (head,)
    return (head, tail.replace("'", "")) if head in _ELISIONS else (token.replace("'", ""),)


def plain_letters(token: str) -> str:
    """Latin letters without their accents ("humánò" → "humano"); other scripts as they are."""
    decomposed = unicodedata.normalize("NFD", token)
    plain = [c for c in decomposed if not "\u0300" <= c <= "\u036f"]
    return "".join(plain) if "".join(plain).isascii() else token


def shortened(token: str, known: Known) -> str:
    """A stretched word as it is usually written: each run of three or more letters becomes two or one."""
    runs = len(_RUN.findall(token))
    if runs > 3:
        return _RUN.sub(r"\1", token)
    for lengths in product((2, 1), repeat=runs):
        candidate = _with_runs(token, lengths)
        if known(candidate):
            return candidate
    return _RUN.sub(r"\1", token)


def _with_runs(token: str, lengths: tuple[int, ...]) -> str:
    take = iter(lengths)
    return _RUN.sub(lambda found: found[1] * next(take), token)


@cache
def contractions() -> dict[str, tuple[str, ...]]:
    """Contractions and chat shorthand, each with the words that it stands for: "won't" → will not."""
    table = dict(_contractions())
    for short, full in read_map("shorthand").items():
        table[short] = tuple(word for part in full.split() for word in table.get(part, (part,)))
    return table


def _contractions() -> Iterator[tuple[str, tuple[str, ...]]]:
    irregular = {"ca": "can", "wo": "will", "sha": "shall", "ai": "is"}
    for stem in _BEFORE_NOT:
        full = (irregular.get(stem, stem), "not")
        yield f"{stem}n't", full
        yield f"{stem}nt", full
    endings = {"'re": "are", "'ve": "have", "'ll": "will", "'d": "would", "'m": "am"}
    for subject in _BEFORE_VERB:
        for ending, verb in endings.items():
            yield subject + ending, (subject, verb)
    for subject in _BEFORE_IS:
        yield f"{subject}'s", (subject, "is")
    yield "let's", ("let", "us")
    yield "y'all", ("you",)


@cache
def double_letters() -> frozenset[str]:
    """Common words written with a double letter, so that "goood" is not read as "god"."""
    return frozenset(read_list("double_letters"))


_COUNTED = re.compile(r"\[\w+\]|[^\W_][\w'’.-]*")


def word_count(own: str) -> int:
    """Number of words as they were written: contractions are one, placeholders none."""
    return sum(token[0] != "[" for token in _COUNTED.findall(own))
