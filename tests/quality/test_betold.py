"""Calls are scored from what was said so far, chosen on valid alone, and a planted leak makes these tests fail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest

from handoff.quality import betold, calls
from handoff.quality.betold import Task, first, in_both, predict, prefixes, without_last_exchange
from handoff.quality.calls import WAYS, Call, Prefix, call_folds
from handoff.quality.settings import QualitySettings

SETTINGS = QualitySettings(work=Path("unused"), threads=1)
INTENTS = ("inform", "confirm", "negate", "ask date", "repeat", "offer slot")
TASK = Task("first 6 messages", first(6))


def call(seed: int, y: int | None = None) -> Call:
    """A call of 8 to 14 messages; lost ones say "repeat" more often."""
    rng = Random(seed)
    lost = rng.randrange(2) if y is None else y
    length = rng.randrange(8, 15)
    turns = tuple(rng.choice(INTENTS) if rng.random() > 0.3 * lost else "repeat" for _ in range(length))
    roles = tuple("assistant" if n % 2 == 0 else "customer" for n in range(length))
    return Call(turns, roles, np.array([[turns[: n + 1].count("repeat"), n] for n in range(length)], dtype=float), lost)


CALLS = [call(seed) for seed in range(120)]
HELD = [call(seed) for seed in range(200, 240)]


def with_another_end(known: Call, seen: int) -> Call:
    """The same call up to `seen`; after it everything is said otherwise."""
    turns = known.turns[:seen] + ("forward call",) * (len(known.turns) - seen)
    features = np.vstack([known.features[:seen], np.full((len(known.turns) - seen, 2), 99.0)])
    return replace(known, turns=turns, features=features)


def ends_change_scores(way: calls.Way, see: Callable[[Call], int] = first(6)) -> bool:
    """Whether what comes after the messages seen moves any score."""
    learn, held = prefixes(CALLS, see), prefixes(HELD, see)
    others = [Prefix(with_another_end(p.call, p.seen), p.seen) for p in held]
    return not np.array_equal(way.score(learn, held, SETTINGS), way.score(learn, others, SETTINGS))


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_no_feature_reads_past_the_messages_seen(way: calls.Way) -> None:
    assert not ends_change_scores(way)


def test_a_planted_feature_that_reads_the_last_message_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def leaky(prefix: Prefix) -> list[str]:
        return [f"a:{text}" for text in (*prefix.call.turns[: prefix.seen], prefix.call.turns[-1])]

    monkeypatch.setattr(Prefix, "sequence", property(leaky))
    assert ends_change_scores(calls.Way("leaky", lambda learn, held, _: np.array([len(set(p.sequence)) for p in held])))


def test_without_its_last_exchange_a_call_ends_with_the_bot_and_before_the_customers_last_words() -> None:
    roles = ("assistant", "assistant", "customer", "assistant", "customer", "customer", "assistant")
    known = Call(tuple("abcdefg"), roles, np.zeros((7, 2)), 1)
    assert without_last_exchange(known) == 4
    assert without_last_exchange(replace(known, turns=known.turns[:6], roles=roles[:6])) == 4


def test_a_call_shorter_than_the_prefix_is_seen_whole() -> None:
    assert first(16)(CALLS[0]) == len(CALLS[0].turns) and first(4)(CALLS[0]) == 4


def straddles(folds: Sequence[int], known: Sequence[Call]) -> bool:
    """Whether two equal calls are in different folds."""
    by_content: dict[object, set[int]] = {}
    for fold, each in zip(folds, known, strict=True):
        by_content.setdefault(each.content, set()).add(int(fold))
    return any(len(of) > 1 for of in by_content.values())


def test_equal_calls_share_a_fold() -> None:
    twice = CALLS + [replace(each) for each in CALLS]
    assert not straddles(call_folds(twice, 5, seed=1).tolist(), twice)


def test_a_planted_duplicate_across_folds_is_caught() -> None:
    twice = CALLS + [replace(each) for each in CALLS]
    assert straddles([n % 7 for n in range(len(twice))], twice)


def test_test_calls_that_equal_valid_ones_are_found() -> None:
    assert in_both([CALLS[3], HELD[0]], CALLS).tolist() == [True, False]


def test_neither_scores_nor_cut_depend_on_the_labels_of_test() -> None:
    p, cut = predict(TASK, CALLS, prefixes(HELD, TASK.see), SETTINGS)
    upside_down = [replace(each, y=1 - each.y) for each in HELD]
    again, other_cut = predict(TASK, CALLS, prefixes(upside_down, TASK.see), SETTINGS)
    assert np.array_equal(p, again) and cut == other_cut


def test_a_planted_cut_chosen_on_test_is_caught() -> None:
    p, _ = predict(TASK, CALLS, prefixes(HELD, TASK.see), SETTINGS)
    y = np.array([each.y for each in HELD])
    assert calls._best_cut(y, p) != calls._best_cut(1 - y, p)


def test_every_valid_call_is_scored_by_a_model_that_has_not_seen_it() -> None:
    """A way that knows its training calls by heart is right on all of them, and out of fold on none."""

    def by_heart(learn: Sequence[Prefix], held: Sequence[Prefix], settings: QualitySettings) -> np.ndarray:
        known = {prefix.call.content for prefix in learn}
        return np.array([float(prefix.call.content in known) for prefix in held])

    twice = prefixes(CALLS + [replace(each) for each in CALLS], TASK.see)
    assert calls.out_of_fold(calls.Way("by heart", by_heart), twice, 5, SETTINGS).max() == 0
    assert betold.FOLDS == 5
