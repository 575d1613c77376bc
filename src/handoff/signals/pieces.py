"""What stands between two spaces, read once: its words and all that they say without their neighbours.

People write a few thousand different words. So the reading of a text is mostly a look-up a piece, and what is left is
what depends on neighbours: phrases, denials, sentiment. `read.py` puts the pieces together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from itertools import chain
from operator import or_
from typing import Final, NamedTuple

from handoff.kept import Kept
from handoff.signals.capitals import (
    has_capital_word,
    has_cased_letter,
    has_letter,
    has_loud_word,
    has_small_word,
    has_two_capitals,
)
from handoff.signals.language import small_words
from handoff.signals.lexicon import lexicon
from handoff.signals.repetition import stems
from handoff.signals.sentiment import stripped, vader
from handoff.signals.words import ends_in_currency, merged, split, word_count

# So many pieces are kept at least, about 500 bytes each; longer ones do not come twice.
PIECES_KEPT, MAX_CHARACTERS_KEPT = 8_192, 40

LOADED: Final = 1  # a word of VADER's lexicon
ALPHANUMERIC: Final = 2
LETTER: Final = 4
TWO_CAPITALS: Final = 8
BEGINS_WITH_MARK: Final = 16
CASED: Final = 32  # a letter of which there are capitals
CAPITAL_WORD: Final = 64
CURRENCY: Final = 128  # "$", which a number may follow after a space
LOUD_WORD: Final = 256  # one that is shouted beside small ones
SMALL_WORD: Final = 512  # one that is not all in capitals


class Piece(NamedTuple):
    """One piece, or a line break. `words`, `stems` and `small` as `split`, `stems` and `small_words` have them, `held`
    as the lexicon has it; `counted` is the number of words as they were written, `marks` the sum of the above that
    hold; `lowered` is what VADER sees of it, empty for a line break, and `capital` whether that is all in capitals."""

    words: tuple[str, ...]
    stems: tuple[str, ...]
    small: tuple[str, ...]
    held: int
    counted: int
    marks: int
    lowered: str
    capital: bool


class Pieces(NamedTuple):
    """All pieces of a text together, field by field."""

    words: list[str]
    stems: Iterable[str]
    small: list[str]
    held: int
    counted: int
    marks: int
    lowered: Sequence[str]
    capitals: Sequence[bool]


_kept: Kept[str, Piece] = Kept(PIECES_KEPT)


def pieces(own: str) -> Pieces:
    """The pieces of a text as `own_text` gives it, put together."""
    parts = own.split()
    if "\n" in own:
        parts = [part for line in own.split("\n") for part in (*line.split(), "\n")][:-1]
    get = _kept.newer.get
    found = [get(part) or _piece(part) for part in parts]
    if not found:
        return Pieces([], (), [], 0, 0, 0, (), ())
    words, stems_of, small, held_by, counted, marks_of, lowered, capitals = zip(*found, strict=True)
    marks, held = reduce(or_, marks_of), reduce(or_, held_by)
    together = merged(words) if marks & BEGINS_WITH_MARK else list(chain.from_iterable(words))
    content: Iterable[str] = chain.from_iterable(stems_of)
    telling = list(chain.from_iterable(small))
    if marks & CURRENCY:  # a number may go on in the next piece
        vocabulary = lexicon()
        together = split(own, vocabulary.spelling, vocabulary.known)
        content, telling, held = stems(together), small_words(together), vocabulary.held(together)
    return Pieces(together, content, telling, held, sum(counted), marks, lowered, capitals)


def _piece(part: str) -> Piece:
    if len(part) > MAX_CHARACTERS_KEPT:
        return _read(part)
    return _kept.get(part) or _kept.put(part, _read(part))


def _read(part: str) -> Piece:
    vocabulary = lexicon()
    words = split(part, vocabulary.spelling, vocabulary.known)
    if part == "\n":
        return Piece(tuple(words), (), (), 0, 0, BEGINS_WITH_MARK, "", False)
    bare = stripped(part)
    return Piece(
        words=tuple(words),
        stems=tuple(stems(words)),
        small=tuple(small_words(words)),
        held=vocabulary.held(words),
        counted=word_count(part),
        marks=_marks(part, words, bare.lower()),
        lowered=bare.lower(),
        capital=bare.isupper(),
    )


def _marks(part: str, words: list[str], lowered: str) -> int:
    loaded = LOADED if lowered in vader().loaded else 0
    if part.isascii() and part.isalpha():  # as most are
        usual = loaded + ALPHANUMERIC + LETTER + CASED
        if not part.isupper():
            return usual + SMALL_WORD + TWO_CAPITALS * has_two_capitals(part)
        return usual + CAPITAL_WORD + TWO_CAPITALS * has_two_capitals(part) + LOUD_WORD * has_loud_word(part)
    says = {
        ALPHANUMERIC: any(map(str.isalnum, part)),
        LETTER: has_letter(part),
        TWO_CAPITALS: has_two_capitals(part),
        BEGINS_WITH_MARK: words[:1] in (["."], [","]),
        CASED: has_cased_letter(part),
        CAPITAL_WORD: has_capital_word(part),
        LOUD_WORD: has_loud_word(part),
        SMALL_WORD: has_small_word(part),
        CURRENCY: ends_in_currency(part),
    }
    return loaded + sum(bit for bit, is_so in says.items() if is_so)
