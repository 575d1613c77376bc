"""An id that comes again is known, however long ago it came, in a few bytes."""

from __future__ import annotations

import tracemalloc
from random import Random

import pytest

from handoff.formats import seen
from handoff.formats.seen import SeenIds


def test_it_answers_as_a_set_of_all_ids_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seen, "MIN_NEW", 10)
    rng, ids, known = Random(4), SeenIds(), set[str]()
    for _ in range(3_000):
        name = f"c-{rng.randrange(2_000)}"
        assert ids.comes_again(name) == (name in known)
        known.add(name)


def test_an_id_takes_a_few_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seen, "MIN_NEW", 1_000)
    ids = SeenIds()
    tracemalloc.start()
    try:
        for number in range(50_000):
            ids.comes_again(f"c-{number}")
        assert tracemalloc.get_traced_memory()[0] < 30 * 50_000
    finally:
        tracemalloc.stop()
