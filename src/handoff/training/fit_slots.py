"""Fit one score a slot for every n-gram, all slots at once, on distinct texts instead of rows.

A row's log-odds are the sum of its slots' scores. Texts recur in many rows (message 3 is in the rows of messages 3 to
10), so that the n-grams are multiplied once a distinct text and the scores are handed to the rows by a small sparse
matrix a slot: a tenth of the work of stacking the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handoff.models.slots import SLOTS, slotted
from handoff.models.wording import Coefficients, Vocabulary, Wording
from handoff.training.fit_wording import TextTable, learn_vocabulary
from handoff.transcript import Message

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]
Sparse = Any  # scipy.sparse.csr_matrix: scipy ships no types

# Further steps follow noise: on USS they change the third decimal of the AUROC.
MOST_STEPS = 15


@dataclass(frozen=True, slots=True)
class SlotTable:
    """Texts and where they stand. `grams`: (n_texts, n_grams); each of `slots`: (n_rows, n_texts)."""

    vocabulary: Vocabulary
    texts: tuple[str, ...]
    grams: Sparse
    slots: tuple[Sparse, ...]


@dataclass(frozen=True, slots=True)
class SlotFit:
    """`coefficients` of shape (n_grams, n_slots), and the `intercept`."""

    coefficients: Floats
    intercept: float

    def parts(self, table: SlotTable, rows: Mask) -> Floats:
        """What each slot adds in the rows of the mask: array of shape (n_rows, n_slots)."""
        scores = table.grams @ self.coefficients.astype(np.float32)
        return np.stack([slot[rows] @ scores[:, k] for k, slot in enumerate(table.slots)], axis=1).astype(np.float64)

    def wording(self, vocabulary: Vocabulary) -> Wording:
        """The same as the service reads it."""
        none = np.empty((0, self.coefficients.shape[1]), dtype=np.float32)
        return Wording(vocabulary, Coefficients(self.coefficients.astype(np.float32), none), None)


def slot_table(recent: Sequence[Sequence[Message]]) -> SlotTable:
    """The table of these rows, and the vocabulary of their texts."""
    from scipy import sparse

    ids: dict[str, int] = {}
    entries: tuple[list[tuple[int, int, float]], ...] = tuple([] for _ in range(SLOTS))
    for row, messages in enumerate(recent):
        for slot, text, weight in slotted(messages):
            entries[slot].append((row, ids.setdefault(text, len(ids)), weight))
    vocabulary = learn_vocabulary(ids)
    grams = TextTable(vocabulary, ids, None).rows(ids)
    slots = []
    for found in entries:
        at, of, weights = np.array(found).T if found else np.empty((3, 0))
        slots.append(sparse.csr_matrix((weights, (at.astype(int), of.astype(int))), shape=(len(recent), len(ids))))
    return SlotTable(vocabulary, tuple(ids), grams, tuple(slots))


def fit_slots(table: SlotTable, rows: Mask, y: Integers, weight: Floats, penalty: float) -> SlotFit:
    """Logistic regression with a squared penalty on the rows of the mask, by L-BFGS; the intercept is free."""
    from scipy.optimize import minimize

    slots = [slot[rows] for slot in table.slots]
    used = np.unique(np.concatenate([slot.indices for slot in slots]))
    slots = [slot[:, used] for slot in slots]
    back, grams = [slot.T.tocsr() for slot in slots], table.grams[used]
    down, shape = grams.T.tocsr(), (grams.shape[1], len(slots))
    target, share = y[rows].astype(np.float64), weight[rows]

    def loss(theta: Floats) -> tuple[float, Floats]:
        coefficients = theta[:-1].reshape(shape)
        scores = grams @ coefficients.astype(np.float32)
        log_odds = theta[-1] + np.sum([slot @ scores[:, k] for k, slot in enumerate(slots)], axis=0)
        missed = share * (1 / (1 + np.exp(-log_odds)) - target)
        value = float((share * (np.logaddexp(0, log_odds) - target * log_odds)).sum())
        value += penalty / 2 * float(theta[:-1] @ theta[:-1])
        by_text = np.stack([matrix @ missed for matrix in back], axis=1).astype(np.float32)
        slope = (down @ by_text).ravel() + penalty * theta[:-1]
        return value, np.append(slope, missed.sum())

    mean = float(np.clip(np.average(target, weights=share), 1e-4, 1 - 1e-4))
    start = np.append(np.zeros(shape[0] * shape[1]), np.log(mean / (1 - mean)))
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": MOST_STEPS, "ftol": 1e-6})
    return SlotFit(found.x[:-1].reshape(shape), float(found.x[-1]))
