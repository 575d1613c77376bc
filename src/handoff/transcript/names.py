"""How the customer's name is recognised in a text: whole or in part, and not where it is an ordinary word."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache, lru_cache
from importlib.resources import files

import yaml

_BEGINS = r"(?<!\w)"
_KEPT = r"(?P<kept>\[(?:email|phone|card|iban|ip|number|name)\])"
# "May I ...?", "Will you ...?": at the beginning of a question it is the verb.
_NOT_A_VERB = r"(?!\s+(?i:i|you|he|she|it|we|they|this|that|there|the|my|your|anyone|someone|be|not)\b)"
MIN_LETTERS = 2
_BETWEEN_WORDS = re.compile(r"[\s,;()\"]+")
# To a pattern that ignores case these are an i; folded they are not.
_ODD_I = "ıİ"
_WITHIN_A_WORD = re.compile(r"[-.'’]")


@lru_cache(maxsize=4_096)
def names_pattern(names: tuple[str, ...]) -> re.Pattern[str] | None:
    """A pattern for these names and their parts; None when nothing of them can be told from ordinary words.

    Placeholders match as group "kept", so that a customer called "Phone" does no harm.
    """
    sources = {source for name in names for source in _sources(unicodedata.normalize("NFC", name))}
    if not sources:
        return None
    in_order = sorted(sources, key=lambda source: (-len(source), source))
    if all(source.startswith(_BEGINS) for source in in_order):  # asked once for all, in a third of the time
        in_order = [f"{_BEGINS}(?:{'|'.join(source.removeprefix(_BEGINS) for source in in_order)})"]
    return re.compile("|".join([_KEPT, *in_order]))


def may_name(names: tuple[str, ...], text: str) -> bool:
    """Whether the pattern for these names may match in the text: False only where none of their words is in it."""
    words = _folded(names)
    if not words or (not text.isascii() and any(letter in text for letter in _ODD_I)):
        return True
    folded = text.casefold()
    for word in words:  # noqa: SIM110 - a generator costs as much as all the rest of this
        if word in folded:
            return True
    return False


@lru_cache(maxsize=4_096)
def _folded(names: tuple[str, ...]) -> tuple[str, ...]:
    """Without regard to case, what a match holds one of; empty where that cannot be told."""
    composed = [unicodedata.normalize("NFC", name) for name in names]
    words = {word for name in composed for word in _BETWEEN_WORDS.split(name)}
    parts = {part for word in words for part in (word.strip("."), *_WITHIN_A_WORD.split(word))}
    kept = {form for part in parts if len(part) >= MIN_LETTERS for form in (part, _without_accents(part))}
    odd = any(letter in name for letter in _ODD_I for name in names)
    return () if odd else tuple(form.casefold() for form in kept)


def _sources(name: str) -> Iterator[str]:
    words = [word for word in _BETWEEN_WORDS.split(name) if any(map(str.isalpha, word))]
    if len(words) > 1:
        yield from _anyhow(r"[\s,.]{1,3}".join(map(re.escape, words)), name)
    for word in words:
        for part in {word.strip("."), *_WITHIN_A_WORD.split(word)}:
            yield from _part(part)


def _part(part: str) -> Iterator[str]:
    if len(part) < MIN_LETTERS or part.lower() in _listed("never_alone") or not any(map(str.isalpha, part)):
        return
    if part.lower() in _listed("also_words"):
        yield rf"{_BEGINS}{re.escape(part.lower().capitalize())}(?!\w){_NOT_A_VERB}"
    else:
        yield from _anyhow(re.escape(part), part)
        plain = _without_accents(part)
        if plain != part:
            yield from _anyhow(re.escape(plain), part)


def _anyhow(source: str, name: str) -> Iterator[str]:
    """In capitals or not, as a word by itself; scripts that put no space between words have no such border."""
    spaced = all(character < "\u2e80" for character in name)
    yield rf"{_BEGINS}(?i:{source})(?!\w)" if spaced else source


def _without_accents(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))


@cache
def _listed(kind: str) -> frozenset[str]:
    lists = yaml.load(files("handoff.transcript").joinpath("names.yaml").read_text("utf-8"), Loader=yaml.BaseLoader)
    return frozenset(word for line in lists[kind] for word in line.split())
