"""Agreement of ratings, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from handoff.quality.rating import Head, fit_head, kappa, ordinary_f1, paper_f1, unweighted_recall


@pytest.mark.parametrize(
    ("truth", "found", "value"),
    [
        pytest.param([1, 2, 3], [1, 2, 3], 1.0, id="all the same"),
        # Half agree; by chance 2/4 * 2/4 + 2/4 * 2/4 = 1/2 would.
        pytest.param([3, 3, 2, 2], [3, 2, 3, 2], 0.0, id="as chance would have it"),
        # 3 of 4 agree, chance 3/4 * 2/4 + 1/4 * 2/4 = 1/2.
        pytest.param([3, 3, 3, 2], [3, 3, 2, 2], 0.5, id="half way beyond chance"),
        pytest.param([3, 3], [3, 3], 0.0, id="only one rating: nothing beyond chance"),
    ],
)
def test_kappa(truth: list[int], found: list[int], value: float) -> None:
    assert kappa(np.array(truth), np.array(found)) == pytest.approx(value)


def test_unweighted_recall_counts_every_rating_that_occurs_once() -> None:
    # Recall of 2 is 1/2, of 3 is 1, of 4, which was never given but said, 0.
    assert unweighted_recall(np.array([2, 2, 3]), np.array([2, 4, 3])) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("truth", "found", "paper", "ordinary"),
    [
        # Precision 1/2, recall 1/4: the sum is below 1, so the paper divides by 1.
        pytest.param([1, 1, 1, 1, 0], [1, 0, 0, 0, 1], 0.25, 1 / 3, id="below one the paper's is smaller"),
        pytest.param([1, 1, 0], [1, 1, 1], 0.8, 0.8, id="above one they agree"),
        pytest.param([1, 0], [0, 0], 0.0, 0.0, id="nothing called"),
    ],
)
def test_both_formulas_of_f1(truth: list[int], found: list[int], paper: float, ordinary: float) -> None:
    given, called = np.array(truth, bool), np.array(found, bool)
    assert paper_f1(given, called) == pytest.approx(paper)
    assert ordinary_f1(given, called) == pytest.approx(ordinary)


def scored(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Ratings as rare as real ones, and scores that tell them apart with some noise."""
    rating = rng.choice([2, 3, 4], 3_000, p=[0.06, 0.84, 0.10])
    scores = np.column_stack([(rating == 2) * 2.0, (rating == 4) * 2.0]) + rng.normal(0, 0.7, (3_000, 2))
    return scores, rating


def test_a_head_finds_rare_ratings() -> None:
    rng = np.random.default_rng(3)
    head = fit_head(*scored(rng))
    scores, rating = scored(rng)
    decided = head.rating(scores)
    assert unweighted_recall(rating, decided) > 0.6 and kappa(rating, decided) > 0.5
    assert ordinary_f1(rating < 3, head.calls(scores)) > 0.5


def test_a_score_is_called_dissatisfied_from_the_cut_on() -> None:
    head = Head(model=None, added=np.zeros(3), cut=0.5)
    assert head.calls(np.array([[0.4, 9.0], [0.5, 0.0]])).tolist() == [False, True]
