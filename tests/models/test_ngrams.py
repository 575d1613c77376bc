"""Hashed n-grams: equal to the slow and obvious version, the same on every run, and bounded."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoff.models.ngrams import MOST_CHARACTERS, WORDS_FROM, hashed, words

LETTER, PAIR, MIX, ALL = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 2**64


def obvious(parts: list[str]) -> dict[int, int]:
    """Hash by hash, as the module's docstring says it."""
    text = f" {' '.join(parts)} " if parts else ""
    found: Counter[int] = Counter()
    for start in range(len(text)):
        for length in range(2, 6):
            gram = text[start : start + length]
            if len(gram) == length and " " not in gram[1:-1]:
                found[_mixed(_falling(gram)) >> 1] += 1
    each = [_rising(f" {part}") for part in parts]
    for number in each:
        found[_mixed(number) | 2**31] += 1
    for left, right in itertools.pairwise(each):
        found[_mixed(((left + 1) * PAIR + right) % ALL) | 2**31] += 1
    return dict(found)


def _falling(gram: str) -> int:
    number = 0
    for letter in gram:
        number = (number * LETTER + ord(letter)) % ALL
    return number


def _rising(word: str) -> int:
    return sum(ord(letter) * pow(LETTER, place, ALL) for place, letter in enumerate(word)) % ALL


def _mixed(number: int) -> int:
    return ((number ^ (number >> 31)) * MIX % ALL) >> 32


@given(st.text(max_size=60))
def test_they_equal_the_obvious_version(text: str) -> None:
    hashes, counts = hashed(words(text))
    assert dict(zip(hashes.tolist(), counts.tolist(), strict=True)) == obvious(words(text))
    assert (np.diff(hashes.astype(np.int64)) > 0).all()


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        pytest.param("Isn't it?", ["isn", "'", "t", "it", "?"], id="marks stand alone"),
        pytest.param("REFUND", ["refund"], id="capitals do not count"),
        pytest.param("  \n ", [], id="without a word there is nothing"),
        pytest.param("ok 😀", ["ok", "😀"], id="an emoji is a word"),
        pytest.param("x" * 9_000, ["x" * MOST_CHARACTERS], id="only the beginning of a very long text is read"),
    ],
)
def test_words(text: str, parts: list[str]) -> None:
    assert words(text) == parts


@pytest.mark.parametrize(
    "text", ["İ" * 10_000, "?" * 10_000, "a " * 10_000], ids=["letters that grow", "marks", "letters"]
)
def test_the_longest_texts_stay_within_the_tables(text: str) -> None:
    assert len("".join(words(text))) <= MOST_CHARACTERS
    hashes, counts = hashed(words(text))
    assert len(hashes) < 20 < counts.max()


def test_alike_texts_share_more_than_others() -> None:
    shared = _shared("I want a refund", "i wnat a refund!"), _shared("I want a refund", "the widget is broken")
    assert shared[0] > 0.4 > 0.2 > shared[1]


def test_words_and_letters_stand_apart() -> None:
    hashes, _ = hashed(["a", "bc"])
    assert (hashes >= WORDS_FROM).sum() == 3  # "a", "bc", "a bc"


def test_another_process_gives_the_same_hashes() -> None:
    code = "from handoff.models.ngrams import *; print(hashed(words('Refund me, por favor! 😀'))[0].tolist())"
    runs = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed} | {"PYTHONPATH": ":".join(sys.path)},
        ).stdout
        for seed in ("1", "2")
    }
    assert runs == {f"{hashed(words('Refund me, por favor! 😀'))[0].tolist()}\n"}


def _shared(one: str, other: str) -> float:
    a, b = set(hashed(words(one))[0].tolist()), set(hashed(words(other))[0].tolist())
    return len(a & b) / len(a | b)
