"""What families are worth and what transfers, on samples made here: folds are whole, and held-out labels unused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from handoff.features import FEATURE_NAMES
from handoff.quality import ablation, transfer
from handoff.quality.samples import Sample
from handoff.quality.settings import QualitySettings

SETTINGS = QualitySettings(work=Path("unused"), threads=1)
REPEATS = FEATURE_NAMES.index("customer_repeats_count")


def sample(seed: int, by_text: bool = False) -> Sample:
    """400 rows of 100 conversations, whose label repetition tells, or the words."""
    rng = np.random.default_rng(seed)
    of = np.arange(400) // 4
    y = (rng.random(400) < 0.4).astype(np.int64)
    X = np.full((400, len(FEATURE_NAMES)), np.nan)
    X[:, REPEATS] = rng.normal(size=400) + (0 if by_text else 2 * y)
    X[:, FEATURE_NAMES.index("customer_messages")] = np.arange(400) % 4 + 1
    bad = [f"{'broken again' if by_text and label else 'all fine'} {rng.integers(50)}" for label in y]
    return Sample(f"made {seed}", "nothing", X, tuple(bad), ("hello",) * 400, y, of, of % 5 == 0)


def aucs(made: Sample) -> dict[str, float]:
    return {row.task: row.ours.value or 0.0 for row in ablation.of_sample(made, SETTINGS)}


def test_the_family_that_tells_the_label_is_missed_and_does_alone() -> None:
    found = aucs(sample(1))
    assert found["repetition alone"] > 0.85 and found["without repetition"] < 0.65
    assert found["behaviour alone"] > 0.85 and found["text alone"] < 0.65
    assert found["behaviour alone minus text alone"] > 0.2


def test_where_words_tell_the_label_text_does_alone() -> None:
    found = aucs(sample(2, by_text=True))
    assert found["text alone"] > 0.95 and found["behaviour alone minus text alone"] < -0.2


def test_folds_never_cut_a_conversation() -> None:
    of = np.arange(400) // 4
    fold = ablation.folds_of(of, seed=1)
    assert all(len(set(fold[of == conversation])) == 1 for conversation in range(100))


def test_the_text_score_of_a_training_row_has_not_seen_its_conversation() -> None:
    """Words that occur in one conversation only, and there tell its label, are worth nothing out of fold."""
    made = sample(3)
    y = np.random.default_rng(4).integers(2, size=100)[made.of]
    by_heart = replace(made, y=y, newest=tuple(f"secret{of}" for of in made.of))
    scores = ablation.text_score(by_heart, seed=1)
    learn = ~made.test
    assert np.corrcoef(scores[learn], y[learn])[0, 1] < 0.4


class Nothing:
    dimensions = 2

    def encode(self, texts: object) -> np.ndarray:
        return np.zeros((len(texts), 2), dtype=np.float32)  # type: ignore[arg-type]


POOL = (sample(1), sample(2), sample(3))
INPUTS = [transfer.inputs_of(each, Nothing()) for each in POOL]


def pooled(*pool: Sample) -> np.ndarray:
    return transfer.pooled_scores(0, pool, INPUTS)


def test_a_pooled_model_has_seen_no_label_of_the_set_left_out_and_no_test_label_of_the_others() -> None:
    scores = pooled(*POOL)
    assert np.array_equal(scores, pooled(replace(POOL[0], y=1 - POOL[0].y), *POOL[1:]))
    other = replace(POOL[2], y=np.where(POOL[2].test, 1 - POOL[2].y, POOL[2].y))
    assert np.array_equal(scores, pooled(POOL[0], POOL[1], other))


def test_a_planted_label_in_training_moves_it() -> None:
    other = replace(POOL[2], y=np.where(POOL[2].test, POOL[2].y, 1 - POOL[2].y))
    assert not np.array_equal(pooled(*POOL), pooled(POOL[0], POOL[1], other))


def test_little_data_is_of_the_training_side() -> None:
    few = transfer.few_of(POOL[0])
    assert not POOL[0].test[few].any() and len(np.unique(POOL[0].of[few])) == 80  # all that there are


@pytest.mark.parametrize("y", [np.array([1, 0, 0, 0]), np.array([1, 1, 0])], ids=["one of four", "two of three"])
def test_both_classes_weigh_the_same(y: np.ndarray) -> None:
    weight = transfer.balanced(y)
    assert weight[y == 1].sum() == pytest.approx(0.5) and weight[y == 0].sum() == pytest.approx(0.5)
