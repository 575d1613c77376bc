"""Fit a model of wordings (`handoff.models.wording`): from texts to a sparse matrix, from there to coefficients.

    texts = [...]                                     redacted, as the models see them
    vocabulary = learn_vocabulary(texts)              which n-grams count, and how much; no labels
    table = TextTable(vocabulary, texts, embeddings)  each distinct text read once
    X = table.rows(texts)                             scipy CSR; a None text is a row of zeros
    fitted = fit(X, y, penalty, weight)               logistic regression, two classes or more
    wording = Wording(vocabulary, coefficients(fitted.coefficients.T, vocabulary), encoder)

Several slots (the newest message, the reply before it …) are stacked: `hstack([table.rows(newest), table.rows(reply)])`
fitted jointly gives one coefficient a feature and slot; `by_slot` turns them back into one score a slot, so that the
sum over the slots of each text's score is the joint model's log-odds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handoff.models.encoder import Embeds
from handoff.models.ngrams import hashed, words
from handoff.models.wording import Coefficients, Vocabulary

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Sparse = Any  # scipy.sparse.csr_matrix: scipy ships no types

MOST_GRAMS = 200_000
MOST_STEPS = 200


@dataclass(frozen=True, slots=True)
class Fitted:
    """A logistic regression: `coefficients` (n_classes, n_features), one row for two classes, `intercepts` to match."""

    coefficients: Floats
    intercepts: Floats

    def log_odds(self, X: Sparse) -> Floats:
        """Array of shape (n_rows, n_classes), or (n_rows,) for two classes."""
        raw: Floats = X @ self.coefficients.T + self.intercepts
        return raw[:, 0] if raw.shape[1] == 1 else raw


def learn_vocabulary(
    texts: Iterable[str],
    least_texts: int = 2,
    most: int = MOST_GRAMS,
    words_weigh: float = 1.0,
    letters_weigh: float = 1.0,
    meaning_weighs: float = 1.0,
) -> Vocabulary:
    """The n-grams that at least so many distinct texts hold, the most frequent first if there are too many.

    Rarity is log((1 + n) / (1 + texts with it)) + 1, as scikit-learn smooths it.
    """
    distinct = dict.fromkeys(texts)
    found = [hashed(words(text))[0] for text in distinct]
    hashes, counts = np.unique(np.concatenate([*found, np.empty(0, np.uint32)]), return_counts=True)
    kept = counts >= least_texts
    if kept.sum() > most:
        kept &= counts > np.partition(counts[kept], -most)[-most]
    rarity = np.log((1 + len(distinct)) / (1 + counts[kept])) + 1
    return Vocabulary(hashes[kept], rarity.astype(np.float32), words_weigh, letters_weigh, meaning_weighs)


class TextTable:
    """The features of each distinct text, read once: a CSR matrix of shape (n_distinct, n_grams + n_dimensions)."""

    def __init__(self, vocabulary: Vocabulary, texts: Iterable[str | None], embeddings: Embeds | None) -> None:
        from scipy import sparse

        distinct = [text for text in dict.fromkeys(texts) if text is not None]
        grams = _grams(vocabulary, distinct)
        parts = [grams]
        if embeddings is not None:
            parts.append(sparse.csr_matrix(embeddings.encode(distinct) * np.float32(vocabulary.meaning_weighs)))
        read = sparse.hstack(parts, format="csr", dtype=np.float32)
        # The last row stands for "no text".
        self.matrix = sparse.vstack([read, sparse.csr_matrix((1, read.shape[1]), dtype=np.float32)], format="csr")
        self._row = {text: row for row, text in enumerate(distinct)}

    def rows(self, texts: Iterable[str | None]) -> Sparse:
        """The features of `texts`, a row each: CSR of shape (n_texts, n_features). KeyError for an unknown text."""
        nothing = self.matrix.shape[0] - 1
        return self.matrix[[nothing if text is None else self._row[text] for text in texts]]


def _grams(vocabulary: Vocabulary, texts: Sequence[str]) -> Sparse:
    from scipy import sparse

    read = [vocabulary.read(text) for text in texts]
    starts = np.cumsum([0, *(len(positions) for positions, _ in read)])
    positions = np.concatenate([*(positions for positions, _ in read), np.empty(0, np.intp)])
    values = np.concatenate([*(values for _, values in read), np.empty(0, np.float32)])
    return sparse.csr_matrix((values, positions, starts), shape=(len(texts), len(vocabulary)))


def fit(X: Sparse, y: Integers, penalty: float, weight: Floats | None = None) -> Fitted:
    """Logistic regression with a squared penalty on `y` (n_rows,), classes numbered from 0, weights averaging 1."""
    from sklearn.linear_model import LogisticRegression

    scaled = None if weight is None else weight * (len(weight) / weight.sum())
    fitted = LogisticRegression(C=1 / penalty, max_iter=MOST_STEPS, tol=1e-3).fit(X, y, sample_weight=scaled)
    return Fitted(fitted.coef_.astype(np.float64), fitted.intercept_.astype(np.float64))


def fit_margins(X: Sparse, y: Integers, strength: float) -> Fitted:
    """One linear margin a class against all others (a support vector machine), for many classes of few texts.

    As good as logistic regression there and a few times faster: .910 in 31 s against .904 in 46 s on BANKING77's 77
    intents. No probabilities: whoever needs some calibrates.
    """
    from sklearn.svm import LinearSVC

    fitted = LinearSVC(C=strength, random_state=0).fit(X, y)
    return Fitted(fitted.coef_.astype(np.float64), fitted.intercept_.astype(np.float64))


def out_of_fold(X: Sparse, fold: Integers, train: Callable[[NDArray[np.bool_]], Fitted]) -> Floats:
    """Log-odds of every row by a model that did not see its fold; `train` fits on the rows of a mask."""
    parts = [(fold == held, train(fold != held).log_odds(X[fold == held])) for held in np.unique(fold)]
    found = np.zeros((X.shape[0], *parts[0][1].shape[1:]))
    for held_out, log_odds in parts:
        found[held_out] = log_odds
    return found


def log_loss(log_odds: Floats, y: Integers, weight: Floats | None = None) -> float:
    """Mean of -log of the probability of what happened; `log_odds` (n,) for two classes, else (n, n_classes)."""
    logits = np.stack([np.zeros_like(log_odds), log_odds], axis=1) if log_odds.ndim == 1 else log_odds
    total = np.logaddexp.reduce(logits, axis=1)
    return float(np.average(total - logits[np.arange(len(y)), y], weights=weight))


def by_slot(fitted: Fitted, features: int) -> Floats:
    """A jointly fitted model's coefficients as (features, n_slots x n_classes), slot by slot."""
    slots = fitted.coefficients.shape[1] // features
    blocks = [fitted.coefficients[:, slot * features : (slot + 1) * features].T for slot in range(slots)]
    return np.hstack(blocks)


def coefficients(by_feature: Floats, vocabulary: Vocabulary) -> Coefficients:
    """Split coefficients (n_grams + n_dimensions, n_scores) for `Wording`."""
    singles = by_feature.astype(np.float32)
    return Coefficients(singles[: len(vocabulary)], singles[len(vocabulary) :])
