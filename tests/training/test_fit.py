"""What fitting chooses, and what it asks for when there is too little."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from handoff.errors import NotEnoughData
from handoff.features import FEATURE_NAMES, FEATURES
from handoff.metrics import auroc
from handoff.simulate import simulate
from handoff.training.fit_escalation import fit_escalation, usable_features
from handoff.training.fit_routing import GRAMS_WEIGH, certain_cut, fit_routing
from handoff.training.labels import EscalationTarget
from handoff.training.rows import Table, routing_table, table
from tests.build import conversation


@pytest.fixture(scope="module")
def rows() -> Table:
    return table(simulate(400, 3), "escalated")


def test_fitting_again_gives_the_same_model(rows: Table) -> None:
    first, second = (fit_escalation(rows, "escalated", seed=5, threads=2) for _ in range(2))
    assert first.booster.model_to_string() == second.booster.model_to_string()
    assert first.calibration == second.calibration


def test_out_of_fold_scores_rank_and_are_calibrated_on_the_whole(rows: Table) -> None:
    fitted = fit_escalation(rows, "escalated", seed=5)
    p = fitted.calibration.probabilities(fitted.out_of_fold)
    assert np.average(p, weights=rows.weight) == pytest.approx(np.average(rows.y, weights=rows.weight), abs=0.02)
    assert auroc(rows.y, p, rows.weight) > 0.65


def test_the_label_is_learnt_from_nothing_when_it_is_noise(rows: Table) -> None:
    shuffled = rows.y[np.random.default_rng(1).permutation(len(rows.y))]
    noise = replace(rows, y=shuffled)
    fitted = fit_escalation(noise, "escalated", seed=5)
    assert fitted.calibration.probabilities(fitted.out_of_fold).std() < 0.05


@pytest.mark.parametrize("target", ["escalated", "dissatisfied_next"])
def test_ratings_do_not_predict_ratings(target: EscalationTarget) -> None:
    X = np.random.default_rng(0).random((50, len(FEATURE_NAMES)))
    ratings = {feature.name for feature in FEATURES if feature.family == "rating"}
    assert bool(ratings & set(usable_features(X, target))) is (target == "escalated")


def test_a_feature_that_never_varies_is_left_out() -> None:
    X = np.random.default_rng(0).random((50, len(FEATURE_NAMES)))
    X[:, 0], X[:, 1] = np.nan, 3.0
    assert set(FEATURE_NAMES) - set(usable_features(X, "escalated")) == set(FEATURE_NAMES[:2])


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("escalated", "0 positive of 50 conversations .* at least 40 conversations, 10 of them positive.*escalated_at"),
        ("label", "0 positive of 0 conversations.*label"),
        ("dissatisfied_next", "0 positive of 0 conversations.*satisfaction"),
    ],
)
def test_too_little_says_what_is_needed(target: EscalationTarget, says: str) -> None:
    calm = [conversation({"customer": "Hi"}, {"assistant": "Hello"}, conversation_id=f"c{i}") for i in range(50)]
    with pytest.raises(NotEnoughData, match=says):
        fit_escalation(table(calm, target), target, seed=1)


@pytest.mark.parametrize(
    ("top", "right", "cut"),
    [
        pytest.param([0.9] * 30 + [0.4] * 30, [1] * 30 + [0] * 30, 0.41, id="over the doubtful half"),
        pytest.param([0.9] * 60, [1] * 60, 0.30, id="always right: as low as cuts go"),
        pytest.param([0.9] * 60, [0, 1] * 30, None, id="never right often enough: never certain"),
        pytest.param([0.95] * 5 + [0.5] * 55, [1] * 5 + [0] * 55, None, id="five lucky cases are no evidence"),
        pytest.param([0.9] * 40, [1] * 34 + [0] * 6, 0.30, id="exactly 85 in 100 is enough"),
    ],
)
def test_the_cut_for_certain_is_the_lowest_that_holds(top: list[float], right: list[int], cut: float | None) -> None:
    probabilities = np.column_stack([top, 1 - np.array(top)])
    probabilities[np.array(top) < 0.5] = (0.4, 0.3)
    y = np.where(np.array(right) == 1, probabilities.argmax(axis=1), 1 - probabilities.argmax(axis=1))
    assert certain_cut(probabilities, y) == cut


class NoMeaning:
    """An encoder that says the same of every text."""

    dimensions = 2

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.zeros((len(texts), self.dimensions), dtype=np.float32)


@pytest.mark.parametrize(("grams_weigh", "learnt"), [(GRAMS_WEIGH, True), (0.0, False)])
def test_routing_learns_from_words_that_mean_nothing_to_its_encoder(grams_weigh: float, learnt: bool) -> None:
    teams = [("billing", "zorp"), ("technical", "quix")] * 30
    chats = [
        conversation(
            {"customer": f"my {word} again, number {n}"},
            {"agent": "Let me see."},
            conversation_id=f"c{n}",
            outcome={"escalated": True, "team": team},
        )
        for n, (team, word) in enumerate(teams)
    ]
    rows = routing_table(chats)
    fitted = fit_routing(rows, np.ones(len(rows.teams), dtype=bool), NoMeaning(), seed=1, grams_weigh=grams_weigh)
    right = np.mean(np.array(fitted.teams)[fitted.out_of_fold.argmax(axis=1)] == rows.teams)
    assert bool(right > 0.95) is learnt


def test_routing_with_too_few_hand_offs_says_what_is_needed() -> None:
    rows = routing_table(simulate(60, 3))
    everyone = np.ones(len(rows.teams), dtype=bool)
    with pytest.raises(NotEnoughData, match=r"routing: \d+ hand-offs .* needs at least 30, of two teams"):
        fit_routing(rows, everyone, encoder=None, seed=1)  # type: ignore[arg-type]
