"""A text as hashed n-grams: single words, pairs of words, and two to five letters inside a word.

The letters catch what words miss (slips of the pen, endings, compounds), the pairs what single words miss ("not
working"). Everything is computed on an array of code points at once, without a loop over n-grams; the same numbers on
every machine, since nothing depends on Python's own salted `hash`.
"""

from __future__ import annotations

import re
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint32]
Sums = NDArray[np.uint64]
Floats = NDArray[np.float32]
Number = TypeVar("Number", bound=np.generic)

# Longer texts are pasted logs; what they are about stands at their beginning. Bounds the cost of a hostile text.
MOST_CHARACTERS = 4000
SHORTEST, LONGEST = 2, 5

# The highest bit of a hash: 1 for words, 0 for letters, so that the two stand apart in a sorted array.
WORDS_FROM = np.uint32(2**31)

_WORD = re.compile(r"\w+|[^\w\s]")
_SPACE, _ONE = np.uint64(32), np.uint64(1)
_LENGTHS = np.arange(SHORTEST, LONGEST + 1)[:, None]
_PADDING = "\0" * LONGEST
# Odd multipliers whose bits look random: the golden ratio, and two of splitmix64 (Steele, Lea, Flood 2014).
_LETTER, _PAIR, _MIX = (np.uint64(m) for m in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


def _powers() -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """The multiplier's powers and their inverses modulo 2^64, by position in a text."""
    base, inverse = int(_LETTER), pow(int(_LETTER), -1, 2**64)
    up, down = [1], [1]
    for _ in range(2 * MOST_CHARACTERS + 2):
        up.append(up[-1] * base % 2**64)
        down.append(down[-1] * inverse % 2**64)
    return np.array(up, dtype=np.uint64), np.array(down, dtype=np.uint64)


_UP, _DOWN = _powers()


def words(text: str) -> list[str]:
    """The words and single marks of a text, in lower case; only its first 4,000 characters are read."""
    return _WORD.findall(text[:MOST_CHARACTERS].lower()[:MOST_CHARACTERS])


def hashed(parts: list[str]) -> tuple[Hashes, Floats]:
    """The n-grams of a text's `words`: distinct hashes, sorted, letters before words, and how often each occurs.

    Two arrays of shape (n_grams,); empty for a text without a word.
    """
    if not parts:
        return np.empty(0, dtype=np.uint32), np.empty(0, dtype=np.float32)
    letters, sums = hashed_letters(parts)
    found = np.concatenate((letters, hashed_words(sums)))
    found.sort()
    return counted(found)


def hashed_letters(parts: list[str]) -> tuple[Hashes, Sums]:
    """The letters of one word at least, each run with its repetitions, and what `hashed_words` makes of each word."""
    spaced = f" {' '.join(parts)} {_PADDING}".encode("utf-32-le", "surrogatepass")
    codes = np.frombuffer(spaced, dtype=np.uint32).astype(np.uint64)
    spaces = np.flatnonzero(codes == _SPACE)
    return _mixed(_letters(codes, spaces)) >> np.uint32(1), _sums(codes, spaces)


def hashed_words(sums: Sums) -> Hashes:
    """Every word and every pair of neighbouring words, with repetitions: array of shape (2 n_words - 1,)."""
    return _mixed(np.concatenate((sums, (sums[:-1] + _ONE) * _PAIR + sums[1:]))) | WORDS_FROM


def counted(found: NDArray[Number]) -> tuple[NDArray[Number], Floats]:
    """The distinct values of a sorted array that is not empty, and how often each occurs."""
    first = np.empty(len(found) + 1, dtype=np.bool_)
    first[0] = first[-1] = True
    np.not_equal(found[1:], found[:-1], out=first[1:-1])
    borders = np.flatnonzero(first)
    return found[borders[:-1]], (borders[1:] - borders[:-1]).astype(np.float32)


def _letters(codes: NDArray[np.uint64], spaces: NDArray[np.intp]) -> NDArray[np.uint64]:
    """Every run of 2 to 5 letters that holds no space except as its first or last."""
    length = int(spaces[-1])
    rolling = np.empty((LONGEST - 1, length), dtype=np.uint64)
    before = codes[:length]
    for row in range(LONGEST - 1):
        before = np.multiply(before, _LETTER, out=rolling[row])
        before += codes[row + 1 : row + 1 + length]
    widths = spaces[1:] - spaces[:-1]
    room = np.repeat(spaces[1:] + 1, widths) - np.arange(length)
    chosen: NDArray[np.uint64] = rolling[room >= _LENGTHS]
    return chosen


def _sums(codes: NDArray[np.uint64], spaces: NDArray[np.intp]) -> Sums:
    """Every word by the sum of its letters' places, wherever in the text it stands."""
    starts, length = spaces[:-1], int(spaces[-1])
    sums: Sums = np.add.reduceat(codes[:length] * _UP[:length], starts)
    sums *= _DOWN[starts]
    return sums


def _mixed(numbers: NDArray[np.uint64]) -> Hashes:
    """The upper half of each number after its bits have been stirred."""
    stirred = (numbers ^ (numbers >> np.uint64(31))) * _MIX
    return (stirred >> np.uint64(32)).astype(np.uint32)
