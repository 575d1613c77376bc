"""USS: how dissatisfied a user will be with the coming turn, told from the turns before it.

The protocol is that of Sun et al. (SIGIR 2021): every user turn and every OVERALL row is one sample, ten contiguous
folds in file order, figures averaged over the folds. The model is the released one (`handoff.training`): the same
features, the same model of wordings fitted out of fold inside the training folds, the same trees; one for ratings
below 3 and one for ratings above 3. A small head on their two scores tells the five ratings apart. Every threshold is
chosen on out-of-fold scores of the training folds. Only the vocabulary, which knows no label, sees all texts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from handoff.features import FEATURE_NAMES
from handoff.features.follower import Moment, follow
from handoff.formats.record import Found
from handoff.formats.uss import read_uss
from handoff.metrics import Interval, auroc
from handoff.models.escalation import Recent
from handoff.models.slots import WORDING_NAMES, with_sum
from handoff.quality.rating import Head, fit_head, kappa, ordinary_f1, paper_f1, unweighted_recall
from handoff.quality.row import Row
from handoff.quality.settings import QualitySettings
from handoff.training.fit_escalation import PARAMETERS, dataset, directions, positions, train_trees, usable_features
from handoff.training.fit_slots import SlotTable, slot_table
from handoff.training.rows import Table
from handoff.training.text_folds import TextFolds

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

FOLDS, INNER = 10, 3
# Fixed beforehand on SGD and CCPE in three folds of whole dialogues: .1 to .2 points of AUROC between 1 and 10.
PENALTY, ROUNDS = 3.0, 100
LOW, HIGH = 3, 3
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


@dataclass(frozen=True, slots=True)
class Turns:
    """The samples of a set in file order. `X` and `recent` are what was known before the turn; `overall` marks the
    rows that rate a whole dialogue. Arrays have one entry a sample."""

    X: Floats
    recent: tuple[Recent, ...]
    rating: Integers
    dialogue: Integers
    overall: Mask

    def __len__(self) -> int:
        return len(self.rating)


def rows(data: Path, settings: QualitySettings) -> Iterator[Row]:
    """The rows of all four sets: contiguous folds as published, then folds of whole dialogues."""
    for name, known in SETS.items():
        turns = read_turns(data / "uss" / f"{name}.txt.gz")
        slots = slot_table(turns.recent)
        settings.step()
        for fold, how in ((contiguous(len(turns)), "published folds"), (by_dialogue(turns, settings.seed), "")):
            predicted = cross_validated(turns, slots, fold, settings)
            yield from _rows(name, known, turns, fold, predicted, how or "folds of whole dialogues")


def read_turns(path: Path) -> Turns:
    """Every rated user turn with what was said before it, and the OVERALL row with all that was said."""
    nothing = (tuple([np.nan] * len(FEATURE_NAMES)), ())
    seen: list[tuple[tuple[float, ...], Recent]] = []
    facts: list[tuple[int, int, bool]] = []
    for dialogue, record in enumerate(read_uss(path)):
        assert isinstance(record, Found), f"{path}: dialogue {dialogue} cannot be read"
        before: Moment | None = None
        for moment in follow(record.conversation):
            if moment.message.role == "customer" and moment.message.satisfaction is not None:
                seen.append(nothing if before is None else (before.row, before.recent))
                facts.append((int(moment.message.satisfaction), dialogue, False))
            before = moment
        if record.conversation.satisfaction is not None and before is not None:
            seen.append((before.row, before.recent))
            facts.append((int(record.conversation.satisfaction), dialogue, True))
    rating, of, overall = np.array(facts, dtype=np.int64).T
    X = without_ratings(np.array([row for row, _ in seen]))
    return Turns(X, tuple(recent for _, recent in seen), rating, of, overall.astype(bool))


def without_ratings(X: Floats) -> Floats:
    """The rows with every rating missing: what users rated before all but tells what they rate next."""
    hidden = X.copy()
    hidden[:, FEATURE_NAMES.index("rating")] = np.nan
    return hidden


def contiguous(count: int) -> Integers:
    """Ten folds in file order: array of shape (count,)."""
    return np.arange(count) * FOLDS // count


def by_dialogue(turns: Turns, seed: int, folds: int = FOLDS) -> Integers:
    """Folds of whole dialogues, dealt at random: array of shape (n_turns,)."""
    dealt = np.random.default_rng(seed).permutation(int(turns.dialogue.max()) + 1) % folds
    return dealt[turns.dialogue].astype(np.int64)


def torn(turns: Turns, fold: Integers) -> list[int]:
    """The dialogues that are in more than one fold: their turns are all but duplicates of each other."""
    return [d for d in np.unique(turns.dialogue).tolist() if len(np.unique(fold[turns.dialogue == d])) > 1]


@dataclass(frozen=True, slots=True)
class Predicted:
    """Of every turn, from models that have not seen its fold: log-odds of a rating below 3, the rating, and whether
    the turn is called dissatisfied. Arrays of shape (n_turns,)."""

    low: Floats
    rating: Integers
    dissatisfied: Mask


def cross_validated(
    turns: Turns, slots: SlotTable, fold: Integers, settings: QualitySettings, features: tuple[str, ...] = ()
) -> Predicted:
    """Every fold predicted by a model of the others. `features` keeps only those (an ablation; all by default)."""

    def held(part: int) -> Predicted:
        found = predicted_from(turns, slots, fold != part, fold == part, settings.seed, features)
        settings.step()
        return found

    parts = np.unique(fold).tolist()
    with ThreadPoolExecutor(settings.threads) as pool:
        found = dict(zip(parts, pool.map(held, parts), strict=True))
    everything = Predicted(np.empty(len(turns)), np.empty(len(turns), np.int64), np.empty(len(turns), bool))
    for part, predicted in found.items():
        for whole, one in zip(_arrays(everything), _arrays(predicted), strict=True):
            whole[fold == part] = one
    return everything


def predicted_from(
    turns: Turns, slots: SlotTable, train: Mask, test: Mask, seed: int, features: tuple[str, ...] = ()
) -> Predicted:
    """The turns of `test` predicted by a model of those of `train`; nothing but their inputs is read."""
    inner = by_dialogue(turns, seed, INNER)[train]
    low, low_test = _scores(turns, slots, train, test, turns.rating < LOW, inner, seed, features)
    high, high_test = _scores(turns, slots, train, test, turns.rating > HIGH, inner, seed, features)
    head: Head = fit_head(np.column_stack([low, high]), turns.rating[train])
    scores = np.column_stack([low_test, high_test])
    return Predicted(low_test, head.rating(scores), low_test >= head.cut)


def _scores(
    turns: Turns,
    slots: SlotTable,
    train: Mask,
    test: Mask,
    label: Mask,
    inner: Integers,
    seed: int,
    features: tuple[str, ...],
) -> tuple[Floats, Floats]:
    """Raw log-odds of the label: out of fold on the training side, and on the test side."""
    table = _table(turns, train, label)
    names = tuple(n for n in usable_features(table.X, "dissatisfied_next") if not features or n in features)
    own, new = table.X[:, positions(names)], turns.X[test][:, positions(names)]
    if not features or set(features) & set(WORDING_NAMES):
        text = TextFolds(table, inner, (PENALTY,), slots.take(train))
        names = (*names, *WORDING_NAMES)
        own, new = np.hstack([own, text.out_of_fold()]), np.hstack([new, with_sum(text.fitted().parts(slots, test))])
    parameters = PARAMETERS | {"seed": seed, "num_threads": 1, "monotone_constraints": directions(names)}

    def fit(rows: Mask) -> Callable[[Floats], Floats]:
        booster = train_trees(parameters, dataset(own, table, names, rows), ROUNDS)
        return lambda inputs: np.asarray(booster.predict(inputs, raw_score=True, num_threads=1))

    out_of_fold = np.empty(len(table))
    for part in range(INNER):
        out_of_fold[inner == part] = fit(inner != part)(own[inner == part])
    return out_of_fold, fit(np.ones(len(table), dtype=bool))(new)


def _table(turns: Turns, chosen: Mask, label: Mask) -> Table:
    count = int(chosen.sum())
    recent = tuple(turns.recent[row] for row in np.flatnonzero(chosen).tolist())
    none = np.zeros(count, dtype=np.int64)
    y = label[chosen].astype(np.int64)
    return Table(turns.X[chosen], y, np.ones(count), none, none, np.full(count, ""), recent, (), "", count)


def _arrays(predicted: Predicted) -> tuple[NDArray[np.generic], ...]:
    return predicted.low, predicted.rating, predicted.dissatisfied


Metric = Callable[[Turns, Predicted, Mask], float]


def _auc(turns: Turns, predicted: Predicted, part: Mask) -> float:
    y = (turns.rating[part] < LOW).astype(np.int64)
    return auroc(y, predicted.low[part], np.ones(len(y)))


METRICS: dict[str, Metric] = {
    "kappa": lambda t, p, part: kappa(t.rating[part], p.rating[part]),
    "UAR": lambda t, p, part: unweighted_recall(t.rating[part], p.rating[part]),
    "F1": lambda t, p, part: paper_f1(t.rating[part] < LOW, p.dissatisfied[part]),
    "ordinary F1": lambda t, p, part: ordinary_f1(t.rating[part] < LOW, p.dissatisfied[part]),
    "AUC": _auc,
}
TITLES = {"F1": "F1 of dissatisfied, 2pr/max(p+r,1)", "ordinary F1": "F1 of dissatisfied, ordinary"}


def _rows(name: str, known: Known, turns: Turns, fold: Integers, predicted: Predicted, how: str) -> Iterator[Row]:
    published = how == "published folds"
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
