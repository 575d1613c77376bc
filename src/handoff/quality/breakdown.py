"""From a chat so far to how 30 people would judge the bot's newest turn: features, and ways to learn from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handoff.models.encoder import Embeds
from handoff.quality.reply_fit import fit_of
from handoff.quality.settings import QualitySettings
from handoff.training.fit_wording import TextTable, learn_vocabulary

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

RIDGE = 4.0
TREES: dict[str, Any] = {
    "objective": "l2",
    "learning_rate": 0.04,
    "num_leaves": 15,
    "min_data_in_leaf": 20,
    "feature_fraction": 0.3,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}
ROUNDS = 200
LEAST_SHARE = 0.001


@dataclass(frozen=True, slots=True, eq=False)
class BotTurn:
    """A judged turn of the bot and the chat up to and including it; nothing later.

    `said` and `roles` are the messages so far, this turn last; `features` (n_features,) the project's after it;
    `shares` (3,) of those who said no breakdown, possible, breakdown.
    """

    dialogue: int
    said: tuple[str, ...]
    roles: tuple[str, ...]
    features: Floats
    shares: Floats

    @property
    def text(self) -> str:
        return self.said[-1]

    @property
    def asked(self) -> str:
        """What the person said last; empty before they said anything."""
        return next((text for text in reversed(self.by("customer"))), "")

    def by(self, role: str) -> list[str]:
        """What that side said before this turn, oldest first."""
        return [text for text, of in zip(self.said[:-1], self.roles[:-1], strict=True) if of == role]


# Learns from some turns and returns the shares of others: array of shape (n_held, 3).
Judge = Callable[[Sequence[BotTurn], Sequence[BotTurn], Embeds, QualitySettings], Floats]


def by_words(learn: Sequence[BotTurn], held: Sequence[BotTurn], vectors: Embeds, _: QualitySettings) -> Floats:
    """Ridge regression on the n-grams and embeddings of the turn and of what it answers."""
    from scipy.sparse import hstack
    from sklearn.linear_model import Ridge

    vocabulary = learn_vocabulary([text for turn in learn for text in (turn.text, turn.asked)])
    table = TextTable(vocabulary, [text for turn in (*learn, *held) for text in (turn.text, turn.asked)], vectors)

    def inputs(turns: Sequence[BotTurn]) -> Any:
        return hstack([table.rows([t.text for t in turns]), table.rows([t.asked for t in turns])], format="csr")

    fitted = Ridge(alpha=RIDGE).fit(inputs(learn), shares(learn))
    return as_shares(fitted.predict(inputs(held)))


def by_trees(learn: Sequence[BotTurn], held: Sequence[BotTurn], vectors: Embeds, settings: QualitySettings) -> Floats:
    """Boosted trees, one for each judgement, on the project's features, on how turns fit together, and embeddings."""
    import lightgbm

    known, asked = dense(learn, vectors), dense(held, vectors)
    targets = shares(learn)
    parameters = TREES | {"seed": settings.seed, "num_threads": settings.threads}
    columns = []
    for judgement in range(targets.shape[1]):
        dataset = lightgbm.Dataset(known, label=targets[:, judgement])
        booster = lightgbm.train(parameters, dataset, num_boost_round=ROUNDS)
        columns.append(booster.predict(asked, num_threads=settings.threads))
    settings.step()
    return as_shares(np.stack(columns, axis=1))


def mean_of(*judges: Judge) -> Judge:
    """The mean of several judges."""

    def judged(learn: Sequence[BotTurn], held: Sequence[BotTurn], vectors: Embeds, settings: QualitySettings) -> Floats:
        mean: Floats = np.mean([judge(learn, held, vectors, settings) for judge in judges], axis=0)
        return mean

    return judged


def shares(turns: Sequence[BotTurn]) -> Floats:
    """What people said of each turn: array of shape (n_turns, 3)."""
    return np.array([turn.shares for turn in turns])


def as_shares(raw: Any) -> Floats:
    """Positive numbers that sum to one a row."""
    positive = np.clip(np.asarray(raw, dtype=np.float64), LEAST_SHARE, 1)
    normed: Floats = positive / positive.sum(axis=1, keepdims=True)
    return normed


def dense(turns: Sequence[BotTurn], vectors: Embeds) -> Floats:
    """The inputs of the trees: array of shape (n_turns, n_inputs)."""
    meaning = np.hstack([vectors.encode([t.text for t in turns]), vectors.encode([t.asked for t in turns])])
    behaviour = np.array([turn.features for turn in turns])
    return np.hstack([behaviour, [_fit(turn, vectors) for turn in turns], meaning]).astype(np.float64)


def _fit(turn: BotTurn, vectors: Embeds) -> list[float]:
    return fit_of(turn.text, turn.by("assistant"), turn.by("customer"), vectors)
