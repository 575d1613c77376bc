"""One message read: everything that it says by itself, computed once and kept by text, role and language."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import compress
from typing import NamedTuple

import msgspec

from handoff.signals.capitals import Shouting, calm, may_be_printed, shouting
from handoff.signals.language import guess
from handoff.signals.lexicon import lexicon
from handoff.signals.markup import may_hold_markup, without_markup
from handoff.signals.match import denied_across, hits, hits_across
from handoff.signals.pieces import (
    ALPHANUMERIC,
    CAPITAL_WORD,
    CASED,
    LETTER,
    LOADED,
    LOUD_WORD,
    SMALL_WORD,
    TWO_CAPITALS,
    Pieces,
    pieces,
)
from handoff.signals.punctuation import Punctuation, punctuation
from handoff.signals.sentiment import compound, described, score
from handoff.signals.text import own_text

# A conversation that comes again is followed on without reading it again (`handoff.memory`). A reading takes about
# 3 KB. Long messages do not come twice and are not kept.
READINGS_KEPT = 4_096
MAX_CHARACTERS_KEPT = 1_000

# Of a longer message the first and the last words are kept, which is where a sentence may go on in another message.
MAX_WORDS = 400

# Sentiment is measured in this language. It is assumed where neither the message nor the locale tells another.
SENTIMENT_LANGUAGE = "en"


class Reading(msgspec.Struct, frozen=True):
    """What one message says, without its history. Missing is None.

    words            words and marks (see `words.py`), at most 400; of HTML what a browser shows, here and for the hits
    content          stems of the words that carry content, synonyms folded, to recognise a question asked again
    language         "en", "es", ...; None when the message is too short to tell
    hits             number of matches by lexicon entry, entries without one left out
    characters, word_count   of the message itself, quoted earlier text left out; code and addresses are no words
    sentiment        VADER's compound score from -1 to 1; None unless English, and for a message without a word or emoji
    capital_ratio    letters of shouted words / letters; acronyms do not count; None without letters
    shouted_words    number of shouted words
    exclamation_run, question_run   longest run of "!" and of "?"; "?!?!" counts as four for both
    questions        number of questions asked
    """

    words: tuple[str, ...]
    content: frozenset[str]
    language: str | None
    hits: dict[str, int]
    characters: int
    word_count: int
    sentiment: float | None
    capital_ratio: float | None
    shouted_words: int
    exclamation_run: int
    question_run: int
    questions: int


def read(text: str, role: str, locale: str | None = None, *, tone: bool = True) -> Reading:
    """What a message says. Pure: the same text, role and locale always give the same reading.

    The text should be redacted already. Of a text above 10,000 characters the first 7,000 and the last 3,000 are read.
    Without `tone`, language, sentiment and capitals are None and punctuation is 0: nobody asks an assistant's for them.
    """
    if len(text) <= MAX_CHARACTERS_KEPT:
        return _kept(text, role, locale, tone)
    return _read(text, role, locale, tone)


def spanning(tail: tuple[str, ...], words: tuple[str, ...], role: str) -> dict[str, int]:
    """Lexicon hits that begin in an earlier message and end in the next one: people split a sentence over several.

    `tail` and `words` are the `words` of two readings, in order. A full stop between them ends the sentence.
    """
    return hits_across(tail, words, role, lexicon())


def denied(tail: tuple[str, ...], words: tuple[str, ...], found: Iterable[str], role: str) -> frozenset[str]:
    """Those lexicon entries among `found` that the words of an earlier message deny: "it's not", then "urgent"."""
    return denied_across(tail, words, found, role, lexicon())


def _read(text: str, role: str, locale: str | None, tone: bool = True) -> Reading:
    own = own_text(text)
    found = pieces(own)
    heard = _tone(own, found, locale) if tone else _NO_TONE
    said = pieces(own_text(without_markup(text))) if may_hold_markup(text) else found
    return Reading(
        words=_bounded(said.words),
        content=frozenset(found.stems),
        language=heard.language,
        hits=hits(said.words, role, lexicon(), said.held),
        characters=len(own.strip()),
        word_count=found.counted,
        sentiment=heard.sentiment,
        capital_ratio=heard.shouted.ratio,
        shouted_words=heard.shouted.words,
        exclamation_run=heard.punctuation.exclamation_run,
        question_run=heard.punctuation.question_run,
        questions=heard.punctuation.questions,
    )


class _Tone(NamedTuple):
    """How something is said."""

    language: str | None
    sentiment: float | None
    shouted: Shouting
    punctuation: Punctuation


_NO_TONE = _Tone(None, None, Shouting(None, 0), Punctuation(0, 0, 0))


def _tone(own: str, found: Pieces, locale: str | None) -> _Tone:
    language = guess(own, found.small)
    sentiment = _sentiment(own, found, language, locale)
    return _Tone(language, sentiment, _shouted(own, found.marks), punctuation(own, found.words))


_kept = lru_cache(maxsize=READINGS_KEPT)(_read)


def cache_lookups() -> tuple[int, int]:
    """How many texts this process had read before, and how many it had not."""
    info = _kept.cache_info()
    return info.hits, info.misses


def _bounded(words: list[str]) -> tuple[str, ...]:
    if len(words) <= MAX_WORDS:
        return tuple(words)
    half = MAX_WORDS // 2
    return (*words[:half], ".", *words[1 - half :])


def _shouted(own: str, marks: int) -> Shouting:
    if own.isascii() and not marks & TWO_CAPITALS:
        return calm(bool(marks & LETTER))
    if not (own.isascii() or marks & CAPITAL_WORD or "/" in own):
        return calm(bool(marks & CASED))
    if marks & SMALL_WORD and not marks & LOUD_WORD and not may_be_printed(own):
        return calm(bool(marks & CASED))
    return shouting(own)


def _sentiment(own: str, found: Pieces, language: str | None, locale: str | None) -> float | None:
    if (language or (locale or SENTIMENT_LANGUAGE)[:2].lower()) != SENTIMENT_LANGUAGE:
        return None
    if described(own) is not own:  # emoji make pieces of their own
        return compound(own)
    if not found.marks & LOADED:
        return 0.0 if found.marks & ALPHANUMERIC else None
    lowered, capitals = list(found.lowered), found.capitals
    if "\n" in own:  # line breaks, which are no words here
        lowered, capitals = list(filter(None, lowered)), list(compress(capitals, lowered))
    return score(lowered, capitals, own)
