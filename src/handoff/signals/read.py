"""One message read: everything that it says by itself, computed once and kept by text, role and language."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import compress, repeat
from typing import NamedTuple

import msgspec

from handoff.kept import LONGEST_TEXT, Kept
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
    TURNING,
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

# Of a longer message the first and the last words are kept, which is where a sentence may go on in another message.
MAX_WORDS = 400

# Sentiment is measured in this language. It is assumed where neither the message nor the locale tells another.
SENTIMENT_LANGUAGE = "en"

# Text, role, the language that is assumed, and whether its tone is asked for.
_Asked = tuple[str, str, str, bool]


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


_readings: Kept[_Asked, Reading] = Kept(READINGS_KEPT // 2)
_lookups = {False: 0, True: 0}  # by whether there was nothing


def read(text: str, role: str, locale: str | None = None, *, tone: bool = True) -> Reading:
    """What a message says. Pure: the same text, role and locale always give the same reading.

    The text should be redacted already. Of a text above 10,000 characters the first 7,000 and the last 3,000 are read.
    Without `tone`, language, sentiment and capitals are None and punctuation is 0: nobody asks an assistant's for them.
    """
    asked = (text, role, _assumed(locale, tone), tone)
    known = _looked_up(asked)
    return _kept(asked, _read_all([asked])[0]) if known is None else known


def read_all(
    asked: Iterable[tuple[str, str | None]], role: str, *, tone: bool = True, keep: bool = False
) -> list[Reading]:
    """What many messages of one role say, in order, each as `read` says it; `asked` are texts with their locales.

    The same ones are read once. Without `keep` nothing is looked up or kept, for texts that do not come again. Step
    after step is taken for all texts, since a step that follows itself is done in two thirds of the time: code and word
    lists stay close to the processor.
    """
    each: list[_Asked] = [(text, role, _assumed(locale, tone), tone) for text, locale in asked]
    found = {one: _looked_up(one) if keep else None for one in dict.fromkeys(each)}
    new = [one for one, reading in found.items() if reading is None]
    for one, reading in zip(new, _read_all(new), strict=True):
        found[one] = _kept(one, reading) if keep else reading
    return [found[one] for one in each]  # type: ignore[misc]


def spanning(tail: tuple[str, ...], words: tuple[str, ...], role: str) -> dict[str, int]:
    """Lexicon hits that begin in an earlier message and end in the next one: people split a sentence over several.

    `tail` and `words` are the `words` of two readings, in order. A full stop between them ends the sentence.
    """
    return hits_across(tail, words, role, lexicon())


def denied(tail: tuple[str, ...], words: tuple[str, ...], found: Iterable[str], role: str) -> frozenset[str]:
    """Those lexicon entries among `found` that the words of an earlier message deny: "it's not", then "urgent"."""
    return denied_across(tail, words, found, role, lexicon())


def _assumed(locale: str | None, tone: bool) -> str:
    """The language of a text that does not tell it, where anything depends on that."""
    return (locale or SENTIMENT_LANGUAGE)[:2].lower() if tone else SENTIMENT_LANGUAGE


def _looked_up(asked: _Asked) -> Reading | None:
    reading = _readings.get(asked)
    _lookups[reading is None] += 1
    return reading


def _kept(asked: _Asked, reading: Reading) -> Reading:
    return _readings.put(asked, reading) if len(asked[0]) <= LONGEST_TEXT else reading


def _read_all(asked: Sequence[_Asked]) -> list[Reading]:
    """For messages of one role, with or without tone."""
    if not asked:
        return []
    _, role, _, tone = asked[0]
    owns = [own_text(text) for text, *_ in asked]
    found = [pieces(own) for own in owns]
    shown = [_shown(text, one) for (text, *_), one in zip(asked, found, strict=True)]
    mentioned = [hits(one.words, role, lexicon(), one.held) for one in shown]
    how = _tone(owns, found, [assumed for _, _, assumed, _ in asked]) if tone else _NO_TONE
    return [
        Reading(
            words=_bounded(said.words),
            content=frozenset(one.stems),
            language=language,
            hits=mentions,
            characters=len(own.strip()),
            word_count=one.counted,
            sentiment=sentiment,
            capital_ratio=shouted.ratio,
            shouted_words=shouted.words,
            exclamation_run=marks.exclamation_run,
            question_run=marks.question_run,
            questions=marks.questions,
        )
        for own, one, said, mentions, language, sentiment, shouted, marks in zip(
            owns,
            found,
            shown,
            mentioned,
            *how,
            strict=False,  # without tone the last four have no end
        )
    ]


def _shown(text: str, found: Pieces) -> Pieces:
    """The pieces of what a browser shows."""
    return pieces(own_text(without_markup(text))) if may_hold_markup(text) else found


class _Tone(NamedTuple):
    """How each of some texts is said."""

    languages: Iterable[str | None]
    sentiments: Iterable[float | None]
    shouted: Iterable[Shouting]
    marks: Iterable[Punctuation]


_NO_TONE = _Tone(repeat(None), repeat(None), repeat(Shouting(None, 0)), repeat(Punctuation(0, 0, 0)))


def _tone(owns: Sequence[str], found: Sequence[Pieces], assumed: Sequence[str]) -> _Tone:
    languages = [guess(own, one.small()) for own, one in zip(owns, found, strict=True)]
    known = [told or language for told, language in zip(languages, assumed, strict=True)]
    return _Tone(
        languages,
        list(map(_sentiment, owns, found, known)),
        [_shouted(own, one.marks) for own, one in zip(owns, found, strict=True)],
        [punctuation(own, one.words) for own, one in zip(owns, found, strict=True)],
    )


def cache_lookups() -> tuple[int, int]:
    """How many texts this process had read before, and how many it had not."""
    return _lookups[False], _lookups[True]


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


def _sentiment(own: str, found: Pieces, language: str) -> float | None:
    if language != SENTIMENT_LANGUAGE:
        return None
    if described(own) is not own:  # emoji make pieces of their own
        return compound(own)
    if not found.marks & LOADED:
        return 0.0 if found.marks & ALPHANUMERIC else None
    lowered, capitals = list(found.lowered), found.capitals
    if "\n" in own:  # line breaks, which are no words here
        lowered, capitals = list(filter(None, lowered)), list(compress(capitals, lowered))
    return score(lowered, capitals, own, turns=bool(found.marks & TURNING))
