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
SEVERAL: Final = 1_024  # another number of words than one
TURNING: Final = 2_048  # a word that changes what VADER makes of its neighbours
_MARK_BITS: Final = 12
_MARKS: Final = 2**_MARK_BITS - 1


class Piece(NamedTuple):
    """One piece, or a line break. `words`, `stems` and `small` as `split`, `stems` and `small_words` have them; `bits`
    are the sum of the above that hold and, above them, what `Lexicon.held` says; `counted` is the number of words as
    they were written; `lowered` is what VADER sees of it, empty for a line break, and `capital` whether that is all in
    capitals."""

    words: tuple[str, ...]
    stems: tuple[str, ...]
    small: tuple[str, ...]
    bits: int
    counted: int
    lowered: str
    capital: bool


class Pieces(NamedTuple):
    """All pieces of a text together: the same, in `marks` and `held` apart; `telling` are by piece its `small`."""

    words: list[str]
    stems: Iterable[str]
    telling: Iterable[Iterable[str]]
    held: int
    counted: int
    marks: int
    lowered: Sequence[str]
    capitals: Sequence[bool]

    def small(self) -> list[str]:
        """The words that tell a language."""
        return list(chain.from_iterable(self.telling))


_kept: Kept[str, Piece] = Kept(PIECES_KEPT)


def pieces(own: str) -> Pieces:
    """The pieces of a text as `own_text` gives it, put together."""
    parts = own.split()
    if "\n" in own:
        parts = [part for line in own.split("\n") for part in (*line.split(), "\n")][:-1]
    get = _kept.newer.get
    found = [get(part) or _piece(part) for part in parts]
    if not found:
        return Pieces([], (), (), 0, 0, 0, (), ())
    words, stems_of, telling, bits_of, counted, lowered, capitals = zip(*found, strict=True)
    bits = reduce(or_, bits_of)
    together = merged(words) if bits & BEGINS_WITH_MARK else list(chain.from_iterable(words))
    content: Iterable[str] = chain.from_iterable(stems_of)
    held = bits >> _MARK_BITS
    if bits & CURRENCY:  # a number may go on in the next piece
        vocabulary = lexicon()
        together = split(own, vocabulary.spelling, vocabulary.known)
        content, telling, held = stems(together), (small_words(together),), vocabulary.held(together)
    number = sum(counted) if bits & SEVERAL else len(found)
    return Pieces(together, content, telling, held, number, bits & _MARKS, lowered, capitals)


def _piece(part: str) -> Piece:
    if len(part) > MAX_CHARACTERS_KEPT:
        return _read(part)
    return _kept.get(part) or _kept.put(part, _read(part))


def _read(part: str) -> Piece:
    vocabulary = lexicon()
    words = split(part, vocabulary.spelling, vocabulary.known)
    if part == "\n":
        return Piece(tuple(words), (), (), BEGINS_WITH_MARK + SEVERAL, 0, "", False)
    bare, counted = stripped(part), word_count(part)
    lowered = bare.lower()
    marks = _marks(part, words, lowered) + SEVERAL * (counted != 1)
    return Piece(
        words=tuple(words),
        stems=tuple(stems(words)),
        small=tuple(small_words(words)),
        bits=vocabulary.held(words) << _MARK_BITS | marks,
        counted=counted,
        lowered=lowered,
        capital=bare.isupper(),
    )


def _marks(part: str, words: list[str], lowered: str) -> int:
    turning = lowered in vader().turning or "n't" in part.lower()
    loaded = (LOADED if lowered in vader().loaded else 0) + TURNING * turning
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
