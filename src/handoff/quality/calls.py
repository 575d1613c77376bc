"""Ways to score a call from its first messages: linear over sequences of intents, trees over counts and behaviour."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handoff.calibration import sigmoid
from handoff.metrics import auroc, macro_f1
from handoff.quality.settings import QualitySettings

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# From so many messages on, every fourth prefix of a training call is a training row of the joint way.
JOINT_FROM, JOINT_STEP = 4, 4
LINEAR_C = (0.1, 1.0)
TREES: dict[str, Any] = {
    "objective": "cross_entropy",
    "learning_rate": 0.05,
    "num_leaves": 7,
    "min_data_in_leaf": 20,
    "feature_fraction": 0.3,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}
ROUNDS = 150
TEACHING_FOLDS, TEACHING_C = 5, 1.0
JOINT_KEPT = 32


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """One call: what was said message by message, by whom, the project's features after each, and its label.

    features: array of shape (n_messages, n_features).
    """

    turns: tuple[str, ...]
    roles: tuple[str, ...]
    features: Floats
    y: int

    @property
    def content(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What makes two calls the same one."""
        return self.turns, self.roles


@dataclass(frozen=True, slots=True)
class Prefix:
    """The first `seen` messages of a call. Nothing here reads further."""

    call: Call
    seen: int

    @property
    def y(self) -> int:
        return self.call.y

    @property
    def sequence(self) -> list[str]:
        """One token a message: who, intent and entities."""
        turns = zip(self.call.roles[: self.seen], self.call.turns[: self.seen], strict=True)
        return [f"{role[0]}:{text.replace(' ', '_')}" for role, text in turns]

    @property
    def behaviour(self) -> Floats:
        """The project's features as of the last message seen: array of shape (n_features,)."""
        row: Floats = self.call.features[self.seen - 1]
        return row


def before_last_exchange(roles: Sequence[str]) -> int:
    """How many messages come before what the customer said last and all after it."""
    seen = len(roles)
    for side in ("assistant", "customer"):
        while seen and roles[seen - 1] == side:
            seen -= 1
    return seen


Scores = Callable[[Sequence[Prefix], Sequence[Prefix], QualitySettings], Floats]


@dataclass(frozen=True, slots=True)
class Way:
    """A way to fit and score, by name. `score` returns log-odds: array of shape (n_scored,)."""

    name: str
    score: Scores


def linear(c: float) -> Scores:
    """Logistic regression over runs of up to three messages and over what stood where, first and last."""
    return lambda learn, held, settings: _linear(c, learn, held)


def _linear(c: float, learn: Sequence[Prefix], held: Sequence[Prefix]) -> Floats:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union

    runs = TfidfVectorizer(analyzer=_runs, min_df=2, sublinear_tf=True)
    places = TfidfVectorizer(analyzer=_places, min_df=2)
    model = make_pipeline(make_union(runs, places), LogisticRegression(C=c, max_iter=2000))
    fitted = model.fit([p.sequence for p in learn], [p.y for p in learn])
    return np.asarray(fitted.decision_function([p.sequence for p in held]), dtype=np.float64)


def trees(learn: Sequence[Prefix], held: Sequence[Prefix], settings: QualitySettings) -> Floats:
    """Boosted trees over counts of intents and entities and the project's features."""
    label = np.array([prefix.y for prefix in learn], dtype=np.float64)
    return _scored(_boosted(learn, label, np.ones(len(label)), settings.seed, settings.threads), held)


def joint_trees(learn: Sequence[Prefix], held: Sequence[Prefix], settings: QualitySettings) -> Floats:
    """The same trees, fitted on prefixes of every length but the last two of a call; each call weighs one."""
    return _scored(_joint(tuple(prefix.call for prefix in learn), False, settings.seed, settings.threads), held)


def taught_trees(learn: Sequence[Prefix], held: Sequence[Prefix], settings: QualitySettings) -> Floats:
    """The joint trees, fitted on what is said of each call by a model that sees nearly all of it.

    How lost a call was by its end tells more of its beginning than a yes or no (learning with privileged information:
    Vapnik and Vashist, 2009). The model that teaches has not seen the call's label.
    """
    return _scored(_joint(tuple(prefix.call for prefix in learn), True, settings.seed, settings.threads), held)


def mean_of(*ways: Scores) -> Scores:
    """The mean of the log-odds of several ways."""

    def scores(learn: Sequence[Prefix], held: Sequence[Prefix], settings: QualitySettings) -> Floats:
        mean: Floats = np.mean([way(learn, held, settings) for way in ways], axis=0)
        return mean

    return scores


WAYS = (
    *(Way(f"linear, C={c}", linear(c)) for c in LINEAR_C),
    Way("trees", trees),
    Way("joint trees", joint_trees),
    Way("taught trees", taught_trees),
)


def score(way: Way, learn: Sequence[Prefix], held: Sequence[Prefix], settings: QualitySettings) -> Floats:
    """Probabilities by that way: array of shape (n_held,)."""
    return sigmoid(way.score(learn, held, settings))


def choose(prefixes: Sequence[Prefix], ways: Sequence[Way], folds: int, settings: QualitySettings) -> tuple[Way, float]:
    """The way of the best AUC in cross-validation, alone or in mean with another, and its best cut for macro-F1.

    Calls that are the same stay in one fold. Only `prefixes` are looked at.
    """
    y = np.array([prefix.y for prefix in prefixes])
    by_way = {way: out_of_fold(way, prefixes, folds, settings) for way in ways}
    pairs = [(a, b) for n, a in enumerate(ways) for b in ways[n + 1 :]]
    for a, b in pairs:
        by_way[Way(f"{a.name} with {b.name}", mean_of(a.score, b.score))] = (by_way[a] + by_way[b]) / 2
    best = max(by_way, key=lambda way: auroc(y, by_way[way], np.ones(len(y))))
    return best, _best_cut(y, sigmoid(by_way[best]))


def out_of_fold(way: Way, prefixes: Sequence[Prefix], folds: int, settings: QualitySettings) -> Floats:
    """Log-odds of every prefix by a model that has not seen its call, nor one of the same content."""
    scores = np.empty(len(prefixes))
    fold = call_folds([prefix.call for prefix in prefixes], folds, settings.seed)
    for held in range(folds):
        learn = [prefix for prefix, of in zip(prefixes, fold, strict=True) if of != held]
        scores[fold == held] = way.score(
            learn, [prefix for prefix, of in zip(prefixes, fold, strict=True) if of == held], settings
        )
    settings.step()
    return scores


def call_folds(calls: Sequence[Call], folds: int, seed: int) -> Integers:
    """The fold of each call: array of shape (n_calls,). Equal calls share one, and both labels are dealt evenly."""
    rng = np.random.default_rng(seed)
    contents: dict[object, list[int]] = {}
    for position, call in enumerate(calls):
        contents.setdefault(call.content, []).append(position)
    groups = list(contents.values())
    order = sorted(rng.permutation(len(groups)), key=lambda g: calls[groups[g][0]].y)
    fold = np.empty(len(calls), dtype=np.int64)
    for number, group in enumerate(order):
        fold[groups[group]] = number % folds
    return fold


def _best_cut(y: Integers, p: Floats) -> float:
    """The probability from which calling a call lost gives the best macro-F1 on these rows."""
    cuts = np.unique(np.quantile(p, np.linspace(0.2, 0.95, 76)))
    return float(max(cuts, key=lambda cut: macro_f1(y, p >= cut, np.ones(len(y)))))


@dataclass(frozen=True, slots=True)
class _Trees:
    """Fitted trees, and what counts the messages and words that they read beside the project's features."""

    booster: Any
    counter: Any


@functools.lru_cache(maxsize=JOINT_KEPT)
def _joint(calls: tuple[Call, ...], taught: bool, seed: int, threads: int) -> _Trees:
    """Trees on prefixes of every length of the calls: the same whatever is scored by them, so they are kept."""
    y = _taught(calls, seed) if taught else np.array([call.y for call in calls], dtype=np.float64)
    prefixes, label, weight = [], [], []
    for call, value in zip(calls, y.tolist(), strict=True):
        seen = range(JOINT_FROM, max(len(call.turns) - 1, JOINT_FROM + 1), JOINT_STEP)
        prefixes += [Prefix(call, count) for count in seen]
        label += [value] * len(seen)
        weight += [1 / len(seen)] * len(seen)
    return _boosted(prefixes, np.array(label), np.array(weight) * len(weight) / sum(weight), seed, threads)


def _taught(calls: Sequence[Call], seed: int) -> Floats:
    """How likely each call is to be lost as seen without its last exchange, out of fold: array of shape (n_calls,)."""
    prefixes = [Prefix(call, before_last_exchange(call.roles)) for call in calls]
    fold = call_folds(calls, TEACHING_FOLDS, seed)
    found = np.empty(len(calls))
    for held in range(TEACHING_FOLDS):
        learn = [prefix for prefix, of in zip(prefixes, fold, strict=True) if of != held]
        asked = [prefix for prefix, of in zip(prefixes, fold, strict=True) if of == held]
        found[fold == held] = sigmoid(_linear(TEACHING_C, learn, asked))
    return found


def _boosted(prefixes: Sequence[Prefix], label: Floats, weight: Floats, seed: int, threads: int) -> _Trees:
    import lightgbm
    from sklearn.feature_extraction.text import CountVectorizer

    counter = CountVectorizer(analyzer=_names, min_df=10).fit([prefix.sequence for prefix in prefixes])
    dataset = lightgbm.Dataset(_tree_inputs(counter, prefixes), label=label, weight=weight)
    parameters = TREES | {"seed": seed, "num_threads": threads}
    return _Trees(lightgbm.train(parameters, dataset, num_boost_round=ROUNDS), counter)


def _tree_inputs(counter: Any, prefixes: Sequence[Prefix]) -> Floats:
    counted = counter.transform([prefix.sequence for prefix in prefixes]).toarray()
    return np.hstack([counted, [prefix.behaviour for prefix in prefixes]]).astype(np.float64)


def _scored(trees: _Trees, held: Sequence[Prefix]) -> Floats:
    inputs = _tree_inputs(trees.counter, held)
    return np.asarray(trees.booster.predict(inputs, raw_score=True, num_threads=1), dtype=np.float64)


def _runs(sequence: list[str]) -> list[str]:
    return ["→".join(sequence[at : at + n]) for n in (1, 2, 3) for at in range(len(sequence) - n + 1)]


def _places(sequence: list[str]) -> list[str]:
    from_start = [f"{place}={token}" for place, token in enumerate(sequence[:16])]
    return from_start + [f"-{place}={token}" for place, token in enumerate(reversed(sequence[-4:]))]


def _names(sequence: list[str]) -> list[str]:
    """Each message as a whole, and each of its words with who said it."""
    return sequence + [f"{token[0]}+{word}" for token in sequence for word in token[2:].split("_")]
