"""USS: how dissatisfied a user will be with the coming turn, told from the turns before it.

The protocol is that of Sun et al. (SIGIR 2021): every user turn and every OVERALL row is one sample, ten contiguous
folds in file order, figures averaged over the folds. The parts are those of the released model, made to be fitted a
few hundred times: the same features, n-grams and static embeddings in the same slots under one ridge regression, whose
sums by slot the same trees read beside the features. The released model differs: it reads n-grams alone, by logistic
regression; it learns what most raters gave, from all messages and not the replies alone; its score is that of its
trees. `handoff.quality.released` measures it. Here both learn what share of the raters gave less than 3, and what share
more; only what most of them gave is scored. Every cut is chosen on out-of-fold scores of the training folds. What is
learnt from all texts, the vocabulary and its strongest directions, knows no rating.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from handoff.features import FEATURE_NAMES
from handoff.metrics import Interval, auroc
from handoff.quality.rating import fit_head, kappa, ordinary_f1, paper_f1, unweighted_recall
from handoff.quality.row import Row
from handoff.quality.settings import QualitySettings
from handoff.quality.turn_inputs import INNER, Inputs, inputs_of
from handoff.quality.turns import FOLDS, Turns, by_dialogue, contiguous, read_turns
from handoff.training.fit_escalation import PARAMETERS, directions

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

SIDES = (0, 1)
ROUNDS = 100
TREES = PARAMETERS | {"objective": "cross_entropy", "metric": "None", "num_threads": 1}
BINS = {"max_bin": PARAMETERS["max_bin"], "verbosity": -1}
PUBLISHED, WHOLE_DIALOGUES = "published folds", "folds of whole dialogues"
PROXY = "a customer about to be dissatisfied"


@dataclass(frozen=True, slots=True)
class Known:
    """Published figures (the best cell of six models each), the floor and the aim of one set."""

    published: dict[str, float]
    floor: dict[str, float]
    auc: float


SETS = {
    "SGD": Known({"kappa": 0.118, "UAR": 0.293, "F1": 0.086}, {"kappa": 0.143, "UAR": 0.289, "F1": 0.108}, 0.78),
    "MWOZ": Known({"kappa": 0.143, "UAR": 0.256, "F1": 0.238}, {"kappa": 0.078, "UAR": 0.251, "F1": 0.050}, 0.69),
    "ReDial": Known({"kappa": 0.122, "UAR": 0.261, "F1": 0.125}, {"kappa": 0.087, "UAR": 0.237, "F1": 0.031}, 0.66),
    "CCPE": Known({"kappa": 0.167, "UAR": 0.237, "F1": 0.274}, {"kappa": 0.073, "UAR": 0.246, "F1": 0.082}, 0.77),
}
FLOOR_AUC = {"SGD": 0.73, "MWOZ": 0.64, "ReDial": 0.62, "CCPE": 0.72}


def rows(data: Path, settings: QualitySettings) -> Iterator[Row]:
    """The rows of all four sets: contiguous folds as published, then folds of whole dialogues."""
    for name, known in SETS.items():
        turns = read_turns(data / "uss" / f"{name}.txt.gz")
        inputs = inputs_of(turns, settings)
        settings.step()
        for fold, how in ((contiguous(len(turns)), PUBLISHED), (by_dialogue(turns, settings.seed), WHOLE_DIALOGUES)):
            yield from _rows(name, known, turns, fold, cross_validated(turns, inputs, fold, settings), how)


@dataclass(frozen=True, slots=True)
class Predicted:
    """Of every turn, from models that have not seen its fold: log-odds of a rating below 3, the rating, and whether
    the turn is called dissatisfied. Arrays of shape (n_turns,)."""

    low: Floats
    rating: Integers
    dissatisfied: Mask


def cross_validated(turns: Turns, inputs: Inputs, fold: Integers, settings: QualitySettings) -> Predicted:
    """Every fold predicted by a model of the others."""

    def held(part: int) -> Predicted:
        found = predicted_from(turns, inputs, fold == part, settings.seed)
        settings.step()
        return found

    from threadpoolctl import threadpool_limits

    parts = np.unique(fold).tolist()
    # Two folds side by side on one core each: two cores on one product wait for each other.
    with threadpool_limits(1), ThreadPoolExecutor(settings.threads) as pool:
        found = dict(zip(parts, pool.map(held, parts), strict=True))
    everything = Predicted(np.empty(len(turns)), np.empty(len(turns), np.int64), np.empty(len(turns), bool))
    for part, predicted in found.items():
        for whole, one in zip(_arrays(everything), _arrays(predicted), strict=True):
            whole[fold == part] = one
    return everything


def predicted_from(turns: Turns, inputs: Inputs, held: Mask, seed: int) -> Predicted:
    """The turns of `held` predicted by a model of all others; nothing but their inputs is read."""
    linear = inputs.ridge.columns(held, turns.shares)
    scores = np.column_stack([_scores(side, turns, inputs, linear, held, seed) for side in SIDES])
    head = fit_head(scores[~held], turns.rating[~held])
    return Predicted(scores[held, 0], head.rating(scores[held]), head.calls(scores[held]))


def _scores(side: int, turns: Turns, inputs: Inputs, linear: Floats, held: Mask, seed: int) -> Floats:
    """How much speaks for a rating below 3 (side 0) or above: array of shape (n_turns,), out of fold where not `held`.

    The mean of the linear model and of trees that read its parts, each in units of its deviation.
    """
    import lightgbm

    of_side = np.arange(linear.shape[1]) % len(SIDES) == side
    columns = np.hstack([inputs.behaviour, linear, inputs.fit])
    free = [0] * inputs.fit.shape[1]
    parameters = TREES | {
        "seed": seed,
        "monotone_constraints": [*directions(inputs.names), *of_side.astype(int).tolist(), *free],
    }

    def fitted(rows: Mask, asked: Mask) -> Floats:
        learning = lightgbm.Dataset(columns[rows], label=turns.shares[rows, side], params=BINS)
        booster = lightgbm.train(parameters, learning, num_boost_round=ROUNDS)
        return np.asarray(booster.predict(columns[asked], raw_score=True, num_threads=1))

    trees = np.empty(len(turns))
    trees[held] = fitted(~held, held)
    for part in range(INNER):
        out = ~held & (inputs.part == part)
        trees[out] = fitted(~held & ~out, out)
    sums = linear[:, of_side][:, -1]
    together: Floats = (_in_deviations(trees, held) + _in_deviations(sums, held)) / 2
    return together


def _in_deviations(scores: Floats, held: Mask) -> Floats:
    known = scores[~held]
    units: Floats = (scores - known.mean()) / known.std()
    return units


def _arrays(predicted: Predicted) -> tuple[NDArray[np.generic], ...]:
    return predicted.low, predicted.rating, predicted.dissatisfied


Metric = Callable[[Turns, Predicted, Mask], float]


def _auc(turns: Turns, predicted: Predicted, part: Mask) -> float:
    y = (turns.dissatisfied[part]).astype(np.int64)
    return auroc(y, predicted.low[part], np.ones(len(y)))


METRICS: dict[str, Metric] = {
    "kappa": lambda t, p, part: kappa(t.rating[part], p.rating[part]),
    "UAR": lambda t, p, part: unweighted_recall(t.rating[part], p.rating[part]),
    "F1": lambda t, p, part: paper_f1(t.dissatisfied[part], p.dissatisfied[part]),
    "ordinary F1": lambda t, p, part: ordinary_f1(t.dissatisfied[part], p.dissatisfied[part]),
    "AUC": _auc,
}
TITLES = {"F1": "F1 of dissatisfied, 2pr/max(p+r,1)", "ordinary F1": "F1 of dissatisfied, ordinary"}


def _rows(name: str, known: Known, turns: Turns, fold: Integers, predicted: Predicted, how: str) -> Iterator[Row]:
    published = how == PUBLISHED
    floor = known.floor | {"AUC": FLOOR_AUC[name]}
    aim = known.published | {"AUC": known.auc}
    for metric in METRICS:
        for overall in (True, False) if published else (True,):
            headline = published and overall
            yield Row(
                set=f"USS {name}",
                task=f"rating of the coming turn, {how}{'' if overall else ', without OVERALL'}",
                proxy_for=PROXY,
                metric=TITLES.get(metric, metric),
                ours=averaged(metric, turns, predicted, fold, overall=overall),
                interval=f"{FOLDS} folds, ± 2 standard errors",
                published=known.published.get(metric) if headline else None,
                floor=floor.get(metric) if headline else None,
                aim=aim.get(metric) if headline else None,
                trivial=_trivial(metric, turns, fold, overall=overall),
            )


def averaged(metric: str, turns: Turns, predicted: Predicted, fold: Integers, *, overall: bool) -> Interval:
    """The metric's mean over the folds, two standard errors to either side."""
    kept = np.ones(len(turns), dtype=bool) if overall else ~turns.overall
    values = np.array([METRICS[metric](turns, predicted, kept & (fold == part)) for part in np.unique(fold)])
    mean, error = float(np.nanmean(values)), float(np.nanstd(values, ddof=1) / len(values) ** 0.5)
    return Interval(mean, mean - 2 * error, mean + 2 * error)


def _trivial(metric: str, turns: Turns, fold: Integers, *, overall: bool) -> dict[str, float]:
    """Always 3, always dissatisfied, and ranking by how much was said."""
    n = len(turns)
    said = np.nan_to_num(turns.X[:, FEATURE_NAMES.index("customer_messages")])
    never = Predicted(np.zeros(n), np.full(n, 3), np.zeros(n, bool))
    policies = {
        "always 3": never,
        "always dissatisfied": replace(never, rating=np.full(n, 2), dissatisfied=np.ones(n, bool)),
        "more turns": replace(never, low=said),
    }
    wanted = ("always 3", "more turns") if metric == "AUC" else ("always 3", "always dissatisfied")
    return {name: averaged(metric, turns, policies[name], fold, overall=overall).value or 0.0 for name in wanted}
