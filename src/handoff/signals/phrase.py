"""Phrases: the small pattern language of the lexicon, written for people who do not write regular expressions.

Its description, for the same people, is `lexicon/README.md`. Here a phrase becomes a regular expression over the
words of a message joined by single spaces (" . not working , please help . "), in which every position is finite:
at most a few words long, alternatives all of them literal. Matching therefore takes linear time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from handoff.errors import nearest
from handoff.signals.data import read_sets
from handoff.signals.words import contractions, split

Groups = Mapping[str, tuple[str, ...]]

MAX_WORDS_IN_GAP = 3

_GAP = rf'(?: [^.,"\s]\S*){{0,{MAX_WORDS_IN_GAP}}}?'
_NUMBER = r" [$€£¥]?\d\S*"
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*\Z")
_VOWELS = frozenset("aeiou")


class BadPhrase(ValueError):
    """A phrase that does not follow the syntax; the message says which part of it and why."""


@dataclass(frozen=True, slots=True, eq=False)
class Phrase:
    """One phrase, checked; its pattern is compiled when a text first asks for it.

    Every match contains one word of `anchors` and one word of each of `others`; `words` is all that it may match.
    """

    written: str
    source: str
    anchors: frozenset[str]
    others: tuple[frozenset[str], ...]
    words: frozenset[str]

    def spans(self, joined: str) -> Sequence[tuple[int, int]]:
        """Where the phrase matches in words joined by spaces, as places in that text."""
        pattern = _compiled(self.source)
        first = pattern.search(joined)  # most phrases match nowhere
        return () if first is None else [found.span() for found in pattern.finditer(joined, first.start())]


@cache
def _compiled(source: str) -> re.Pattern[str]:
    return re.compile(source)


@dataclass(frozen=True, slots=True)
class _Position:
    source: str
    telling: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()
    options: frozenset[str] = frozenset()
    required: bool = False


_SPECIAL = {"^": _Position("(?<= [.])"), "$": _Position("(?= [.])"), "..": _Position(_GAP)}
_MARKS = frozenset({"<number>", ","})


def compile_phrase(written: str, groups: Groups) -> Phrase:
    """A phrase of the lexicon as a pattern. Raises `BadPhrase`."""
    if not written.split():
        raise BadPhrase("is empty")
    _check_ends(written)
    positions = [_position(part, groups) for part in written.split()]
    required = [position.telling for position in positions if position.required and position.telling]
    if not required:
        raise BadPhrase("needs at least one word that is not optional")
    everyday = sorted(positions[0].options & _everyday()) if len(positions) == 1 else []
    if everyday:
        raise BadPhrase(f"'{everyday[0]}' alone says nothing; add a word")
    anchors, *others = sorted(required, key=_how_common)
    return Phrase(
        written=written,
        source="".join(position.source for position in positions) + "(?= )",
        anchors=anchors,
        others=tuple(others),
        words=frozenset().union(*(position.words for position in positions)),
    )


def _check_ends(written: str) -> None:
    """A phrase begins and ends with a word: what may be left out there matches nothing more, and a bracket too many
    around the last word of a phrase would make it match everywhere."""
    parts = written.split()
    if "^" in parts[1:] or "$" in parts[:-1]:
        raise BadPhrase("'^' belongs at its beginning and '$' at its end")
    for end, neighbour in ((parts[0], "begins"), (parts[-1], "ends")):
        if end.startswith("(") or end == "..":
            raise BadPhrase(f"{neighbour} with '{end}', which may be absent; take its brackets off, or leave it out")


def _position(part: str, groups: Groups) -> _Position:
    if part in _SPECIAL:
        return _SPECIAL[part]
    optional = part.startswith("(") and part.endswith(")")
    options = sorted(set(_options(part[1:-1] if optional else part, groups)), key=lambda o: (-len(o), o))
    source = "(?:" + "|".join(_source(option) for option in options) + ")" + ("?" if optional else "")
    return _Position(
        source,
        telling=_telling(options),
        words=frozenset(word for option in options for word in option.split()) - _MARKS,
        options=frozenset(options),
        required=not optional,
    )


def _telling(options: Sequence[str]) -> frozenset[str]:
    """One word of each option, the least common: "a_record" is looked for where there is a "record", "<number>_times"
    where there are "times". None at all where an option is a mark alone."""
    words = [[word for word in option.split() if word not in _MARKS] for option in options]
    return frozenset(map(_least_common, words)) if all(words) else frozenset()


def _least_common(words: Sequence[str]) -> str:
    return min(words, key=lambda word: (word in _everyday(), -len(word)))


def _source(option: str) -> str:
    if option.isalpha():
        return " " + option
    return "".join(_NUMBER if word == "<number>" else " " + re.escape(word) for word in option.split())


def _options(alternatives: str, groups: Groups) -> Iterable[str]:
    for alternative in alternatives.split("|"):
        if alternative in _MARKS:
            yield alternative
        elif alternative.startswith("<") and alternative.endswith(">"):
            yield from _group(alternative[1:-1], groups)
        else:
            yield from _forms(alternative)


def _group(name: str, groups: Groups) -> Iterable[str]:
    if name not in groups:
        raise BadPhrase(f"unknown group '<{name}>'{nearest(name, groups)}")
    for line in groups[name]:
        yield from _forms(line.replace(" ", "_"))


@lru_cache(4_096)  # few words, in many phrases
def _forms(alternative: str) -> tuple[str, ...]:
    """The ways to write one alternative: "real_person" is two words, "charge+" has its endings, "don't" is do not."""
    *before, last = alternative.split("_")
    return tuple(
        " ".join(word if word in _MARKS else _written_out(word) for word in [*before, ending])
        for ending in (endings(last[:-1]) if last.endswith("+") else (last,))
    )


def _written_out(word: str) -> str:
    if not _WORD.match(word):
        raise BadPhrase(
            f"'{word}' is not a word; a position is a word, a|b, (a|b), word+, <group>, <number>, '..', '^' or '$'"
        )
    if word != word.lower():
        raise BadPhrase(f"'{word}' has capitals; words are matched in lower case")
    return " ".join(split(word, contractions(), lambda _: True))


def endings(word: str) -> tuple[str, ...]:
    """A word with its regular endings: charge, charges, charged, charging. Forms that nobody writes do no harm."""
    if word.endswith("e"):
        return (word, word + "s", word + "d", word[:-1] + "ing")
    if word.endswith("y") and word[-2:-1] not in _VOWELS:
        return (word, word[:-1] + "ies", word[:-1] + "ied", word + "ing")
    plural = "es" if word.endswith(("s", "sh", "ch", "x", "z")) else "s"
    forms: tuple[str, ...] = (word, word + plural, word + "ed", word + "ing")
    if word[-1:] not in _VOWELS | set("wxy") and word[-2:-1] in _VOWELS and word[-3:-2] not in _VOWELS:
        forms += (word + word[-1] + "ed", word + word[-1] + "ing")
    return forms


def _how_common(words: frozenset[str]) -> tuple[int, int]:
    return (len(words & _everyday()), len(words))


def _everyday() -> frozenset[str]:
    return read_sets("grammar")["everyday"]
