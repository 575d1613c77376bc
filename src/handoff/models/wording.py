"""Scores of one text: a linear model over its hashed n-grams and its embedding, learnt from labelled texts.

A score is a sum of one coefficient a known n-gram and one a dimension of the embedding. N-grams weigh by how often
they occur and how rare they are (tf-idf), words and letters each brought to length 1, so that a long message counts no
more than a short one. The same code computes the weights for fitting and for serving, and remembers by text.
"""

from __future__ import annotations

import functools
import io
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence, Sized
from itertools import chain
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from handoff.errors import BadModel
from handoff.kept import LONGEST_TEXT, Kept, digest_of
from handoff.models.encoder import Encoder
from handoff.models.ngrams import WORDS_FROM, Hashes, counted, hashed, hashed_letters, hashed_words, words

Floats = NDArray[np.float32]
Positions = NDArray[np.intp]

CACHED_TEXTS = 10_000
# Texts that are read in one go: their n-grams stay in the processor's cache.
TEXTS_AT_ONCE = 128
# A word's letters take 300 bytes. Longer words are nobody's, and do not come twice.
CACHED_WORDS, LONGEST_WORD = 8_192, 40


class Vocabulary(msgspec.Struct, frozen=True, dict=True):
    """The n-grams that a model knows: sorted `hashes` (uint32) and how much each tells (`rarity`, float32), (n,).

    `words_weigh`, `letters_weigh` and `meaning_weighs` (of the embedding) set the three blocks of a text's features off
    against each other.
    """

    hashes: NDArray[np.uint32]
    rarity: Floats
    words_weigh: float = 1.0
    letters_weigh: float = 1.0
    meaning_weighs: float = 1.0

    def __len__(self) -> int:
        return len(self.hashes)

    def read(self, text: str) -> tuple[Positions, Floats]:
        """Which n-grams of the vocabulary a text holds, and their weights: two arrays of shape (n_found,)."""
        found, counts = hashed(words(text))
        positions, known = self.places(found)
        return positions, self.weights(positions, counts[known])

    def places(self, found: Hashes) -> tuple[Positions, NDArray[np.bool_]]:
        """Where the known ones of these hashes stand, in their order, and which ones are known."""
        if not len(self.hashes):
            return np.empty(0, dtype=np.intp), np.zeros(len(found), dtype=np.bool_)
        at = self.hashes.searchsorted(found)
        known = self.hashes.take(at, mode="clip") == found
        return at[known], known

    def weights(self, positions: Positions, counts: Floats) -> Floats:
        """The weights of a text's n-grams, given where they stand, in order, and how often each occurs."""
        values = self.plain_weights(positions, counts)
        self.bring_to_length(values, int(positions.searchsorted(self.words_from)))
        return values

    def plain_weights(self, positions: Positions, counts: Floats) -> Floats:
        """The same, before words and letters are brought to their lengths."""
        values: Floats = (1 + np.log(counts)) * self.rarity.take(positions)
        return values

    def bring_to_length(self, values: Floats, border: int) -> None:
        """Weigh letters, which are the values before `border`, and words, each together, as they should."""
        _to_length(values[:border], self.letters_weigh)
        _to_length(values[border:], self.words_weigh)

    @functools.cached_property
    def words_from(self) -> int:
        """Where the words begin; letters stand before them."""
        return int(np.searchsorted(self.hashes, WORDS_FROM))


def _lengths(of: Sequence[Sized]) -> Positions:
    return np.fromiter(map(len, of), np.intp, len(of))


def _to_length(values: Floats, length: float) -> None:
    total = float(values @ values)
    if total > 0:
        values *= np.float32(length / total**0.5)


class Spelling:
    """Reads texts as its vocabulary does, to the last bit, but looks up the letters of a word only once: people use few
    words."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._letters: Kept[str, Positions] = Kept(CACHED_WORDS // 2)

    def read(self, text: str) -> tuple[Positions, Floats]:
        """As `Vocabulary.read`."""
        parts, whole = _word_hashes(text)
        get = self._letters.newer.get
        letters = [known if (known := get(word)) is not None else self._known(word) for word in parts]
        positions = np.concatenate([*letters, self._vocabulary.places(whole)[0]])
        if not len(positions):
            return positions, np.empty(0, dtype=np.float32)
        positions.sort()
        positions, counts = counted(positions)
        return positions, self._vocabulary.weights(positions, counts)

    def read_all(self, texts: Sequence[str]) -> Iterator[tuple[Positions, Floats]]:
        """The same of many texts, for half of what they cost one by one."""
        known, parts = self._vocabulary, list(map(words, texts))
        every = list(chain.from_iterable(parts))
        get, sum_of = self._letters.newer.get, _sums.newer.get
        letters = [found if (found := get(word)) is not None else self._known(word) for word in every]
        sums = np.array([sum_of(word) or _sum_of(word) for word in every], dtype=np.uint64)
        places, is_known = known.places(hashed_words(sums))
        whose = np.repeat(np.arange(len(texts)), _lengths(parts))
        # A pair is of one text, and the last word of one and the first of the next are none.
        of_words = np.concatenate((whose, np.where(whose[1:] == whose[:-1], whose[1:], -1)))[is_known]
        is_whole = of_words >= 0
        found = np.concatenate((*letters, places[is_whole]))
        found += len(known) * np.concatenate((np.repeat(whose, _lengths(letters)), of_words[is_whole]))
        found.sort()
        yield from self._by_text(found, len(texts))

    def _by_text(self, found: Positions, texts: int) -> Iterator[tuple[Positions, Floats]]:
        """From places in the vocabulary, sorted, those of each text moved on by as many vocabularies as its number."""
        known, begins = self._vocabulary, len(self._vocabulary) * np.arange(texts + 1)
        found, counts = counted(found) if len(found) else (found, np.empty(0, dtype=np.float32))
        positions = found - np.repeat(begins[:-1], np.diff(found.searchsorted(begins)))
        values = known.plain_weights(positions, counts)
        ends = found.searchsorted(begins).tolist()
        borders = found.searchsorted(begins[:-1] + known.words_from).tolist()
        for first, border, end in zip(ends, borders, ends[1:], strict=False):
            known.bring_to_length(values[first:end], border - first)
            yield positions[first:end], values[first:end]

    def _known(self, word: str) -> Positions:
        known = self._letters.get(word)
        if known is None:
            known = self._vocabulary.places(hashed_letters([word])[0])[0]
            if len(word) <= LONGEST_WORD:
                self._letters.put(word, known)
        return known


@functools.lru_cache(maxsize=16)  # the models read the newest text one after another
def _word_hashes(text: str) -> tuple[list[str], Hashes]:
    """A text's words, and the hashes of its words and pairs, which are the same for every vocabulary."""
    parts = words(text)
    if not parts:
        return parts, np.empty(0, dtype=np.uint32)
    get = _sums.newer.get
    return parts, hashed_words(np.array([get(word) or _sum_of(word) for word in parts], dtype=np.uint64))


def _sum_of(word: str) -> int:
    known = _sums.get(word)
    if known is None:
        known = int(hashed_letters([word])[1][0])
        if len(word) <= LONGEST_WORD:
            _sums.put(word, known)
    return known


_sums: Kept[str, int] = Kept(CACHED_WORDS // 2)


class Coefficients(msgspec.Struct, frozen=True):
    """`grams` (n_grams, n_scores) and `meaning` (n_dimensions, n_scores; no rows without an encoder), float32."""

    grams: Floats
    meaning: Floats

    @property
    def scores(self) -> int:
        """How many scores a text gets."""
        return int(self.grams.shape[1])


class Wording:
    """A fitted model of wordings: texts to scores. An intercept is the caller's: a text without words scores 0."""

    def __init__(self, vocabulary: Vocabulary, coefficients: Coefficients, encoder: Encoder | None) -> None:
        self.vocabulary, self.coefficients, self.encoder = vocabulary, coefficients, encoder
        self._spelling = Spelling(vocabulary)
        self._scores: Kept[str | bytes, tuple[float, ...]] = Kept(CACHED_TEXTS // 2)

    def score(self, text: str) -> tuple[float, ...]:
        """One text's scores, which are remembered."""
        key = text if len(text) <= LONGEST_TEXT else digest_of(text)
        known = self._scores.get(key)
        return self._scores.put(key, self._weighed(text, *self._spelling.read(text))) if known is None else known

    def scores(self, texts: Sequence[str]) -> Floats:
        """Array of shape (n_texts, n_scores), float32."""
        found = np.empty((len(texts), self.coefficients.scores), dtype=np.float32)
        for row, text in enumerate(texts):
            found[row] = self.score(text)
        return found

    def learn(self, texts: Iterable[str]) -> None:
        """Have the scores of these texts remembered: for whoever asks for many of them, a third cheaper."""
        new = [text for text in dict.fromkeys(texts) if len(text) <= LONGEST_TEXT and self._scores.get(text) is None]
        for first in range(0, len(new), TEXTS_AT_ONCE):
            some = new[first : first + TEXTS_AT_ONCE]
            for text, (positions, values) in zip(some, self._spelling.read_all(some), strict=True):
                self._scores.put(text, self._weighed(text, positions, values))

    def _weighed(self, text: str, positions: Positions, values: Floats) -> tuple[float, ...]:
        total: Floats = values @ self.coefficients.grams.take(positions, axis=0)
        if self.encoder is not None:
            vector = self.encoder.encode([text])[0] * np.float32(self.vocabulary.meaning_weighs)
            total = total + vector @ self.coefficients.meaning
        return tuple(total.tolist())


def wording_bytes(vocabulary: Vocabulary, coefficients: Coefficients) -> bytes:
    """Vocabulary and coefficients as an .npz file."""
    buffer = io.BytesIO()
    np.savez(buffer, **msgspec.structs.asdict(vocabulary), **msgspec.structs.asdict(coefficients))
    return buffer.getvalue()


def read_wording(path: Path, encoder: Encoder | None) -> Wording:
    """The model in `path`; never unpickles. Raises `BadModel` when its arrays cannot be read or do not fit."""
    try:
        # From memory: given a path to a broken archive, NumPy leaves the file open.
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in _FIELDS}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise BadModel(f"{path}: cannot be read ({error}); train again") from error
    vocabulary = Vocabulary(found["hashes"], found["rarity"], *(float(found[name]) for name in _WEIGHTS))
    coefficients = Coefficients(found["grams"], found["meaning"])
    _check(path, vocabulary, coefficients, encoder)
    return Wording(vocabulary, coefficients, encoder)


_WEIGHTS = ("words_weigh", "letters_weigh", "meaning_weighs")
_FIELDS = ("hashes", "rarity", *_WEIGHTS, "grams", "meaning")


def _check(path: Path, vocabulary: Vocabulary, coefficients: Coefficients, encoder: Encoder | None) -> None:
    grams, dimensions = len(vocabulary.hashes), 0 if encoder is None else encoder.dimensions
    expected = {
        "hashes": (vocabulary.hashes, np.uint32, (grams,)),
        "rarity": (vocabulary.rarity, np.float32, (grams,)),
        "grams": (coefficients.grams, np.float32, (grams, coefficients.grams.shape[-1])),
        "meaning": (coefficients.meaning, np.float32, (dimensions, coefficients.grams.shape[-1])),
    }
    for name, (array, kind, shape) in expected.items():
        if array.dtype != kind or array.shape != shape:
            raise BadModel(f"{path}: {name} is {array.dtype} {array.shape}; expected {np.dtype(kind)} {shape}")
        if not np.isfinite(array).all():
            raise BadModel(f"{path}: {name} holds numbers that are not finite; train again")
    if (np.diff(vocabulary.hashes.astype(np.int64)) <= 0).any():
        raise BadModel(f"{path}: the hashes are not sorted; train again")
