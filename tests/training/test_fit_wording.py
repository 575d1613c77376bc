"""Fitting wordings: what is fitted is what is served, alone and in several slots, and nothing sees its own fold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from handoff.models.encoder import Encoder
from handoff.models.wording import Wording
from handoff.training.fit_wording import (
    TextTable,
    by_slot,
    coefficients,
    fit,
    learn_vocabulary,
    log_loss,
    out_of_fold,
)

MONEY = ["I want a refund", "refund my money please", "you charged me twice", "charged twice, want my money"]
ERRORS = ["the api returns an error", "error in the widget", "api error again", "the widget shows an error"]
PARCEL = ["where is my parcel", "the parcel is late", "my parcel never came", "track my parcel please"]
TEXTS = [*MONEY, *ERRORS, *PARCEL]
TEAMS = np.repeat([0, 1, 2], 4)
FOLD = np.tile([0, 1, 2, 3], 3)


@pytest.fixture(scope="module")
def encoder(trained_models: Path) -> Encoder:
    (folder,) = (trained_models / "encoders").iterdir()
    return Encoder.load(folder)


@pytest.mark.parametrize("classes", [2, 3], ids=["two classes", "three classes"])
def test_served_scores_are_the_fitted_ones(encoder: Encoder, classes: int) -> None:
    y = np.minimum(TEAMS, classes - 1)
    vocabulary = learn_vocabulary(TEXTS, least_texts=1, meaning_weighs=0.7)
    X = TextTable(vocabulary, TEXTS, encoder).rows(TEXTS)
    fitted = fit(X, y, penalty=0.1)
    served = Wording(vocabulary, coefficients(fitted.coefficients.T, vocabulary), encoder).scores(TEXTS)
    raw = fitted.log_odds(X)
    assert served + fitted.intercepts == pytest.approx(raw.reshape(served.shape), abs=1e-5)
    assert ((raw > 0).astype(int) if classes == 2 else raw.argmax(axis=1)) == pytest.approx(y)


def test_slots_fitted_jointly_add_up_to_the_joint_log_odds(encoder: Encoder) -> None:
    vocabulary = learn_vocabulary(TEXTS, least_texts=1)
    table = TextTable(vocabulary, TEXTS, encoder)
    newest, before = TEXTS, [None, *TEXTS[:-1]]
    X = sparse.hstack([table.rows(newest), table.rows(before)], format="csr")
    y = (TEAMS == 1).astype(np.int64)
    fitted = fit(X, y, penalty=0.1)
    slots = coefficients(by_slot(fitted, table.matrix.shape[1]), vocabulary)
    wording = Wording(vocabulary, slots, encoder)
    summed = wording.scores(newest)[:, 0] + [0.0 if text is None else wording.score(text)[1] for text in before]
    assert summed + fitted.intercepts[0] == pytest.approx(fitted.log_odds(X), abs=1e-5)


def test_a_row_without_a_text_is_empty() -> None:
    table = TextTable(learn_vocabulary(TEXTS), TEXTS, None)
    assert table.rows([None, TEXTS[0]]).getnnz(axis=1)[0] == 0


@pytest.mark.parametrize(
    ("least", "most", "kept"),
    [
        pytest.param(1, 10**6, "all", id="every n-gram"),
        pytest.param(2, 10**6, "fewer", id="only those that two texts share"),
        pytest.param(1, 50, "at most 50", id="the most frequent when there are too many"),
    ],
)
def test_which_ngrams_are_kept(least: int, most: int, kept: str) -> None:
    everything = len(learn_vocabulary(TEXTS, least_texts=1))
    found = len(learn_vocabulary(TEXTS, least_texts=least, most=most))
    assert {"all": found == everything, "fewer": 0 < found < everything, "at most 50": 0 < found <= 50}[kept]


def test_the_same_text_twice_does_not_make_its_words_more_frequent() -> None:
    once, twice = learn_vocabulary(TEXTS), learn_vocabulary([*TEXTS, *TEXTS])
    assert (once.hashes == twice.hashes).all()
    assert (once.rarity == twice.rarity).all()


def test_out_of_fold_no_row_is_scored_by_a_model_that_saw_it() -> None:
    """Labels drawn by lot: in the fold they are learnt by heart, out of fold they cannot be."""
    y = np.random.default_rng(0).permutation(TEAMS == 0).astype(np.int64)
    X = TextTable(learn_vocabulary(TEXTS, least_texts=1), TEXTS, None).rows(TEXTS)
    fair = out_of_fold(X, FOLD, lambda learn: fit(X[learn], y[learn], 0.01))
    assert log_loss(fair, y) > 2 * log_loss(fit(X, y, 0.01).log_odds(X), y)


def test_a_row_of_weight_zero_teaches_nothing() -> None:
    X = TextTable(learn_vocabulary(TEXTS), TEXTS, None).rows(TEXTS)
    y = (TEAMS == 1).astype(np.int64)
    wrong, weight = y.copy(), np.ones(len(y))
    wrong[0], weight[0] = 1, 0.0
    kept = weight > 0
    # Weights are brought to an average of 1 over all 12 rows, of which 11 are left.
    one, other = fit(X, wrong, 0.1, weight), fit(X[kept], y[kept], 0.1 * 11 / 12)
    assert one.coefficients == pytest.approx(other.coefficients, abs=0.01)
