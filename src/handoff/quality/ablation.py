"""What each family of features is worth: the AUC without it, and of it alone, on every set.

The families are those of the feature table, and "text": the score of a linear model over the words of the newest
message and reply, learnt out of fold so that the trees see it as they will in use. Everything is fitted on the
training rows of a set and scored once on its test rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handoff.features import FEATURES
from handoff.metrics import Interval, auroc, resampled_interval
from handoff.quality import samples
from handoff.quality.calls import before_last_exchange
from handoff.quality.row import Row
from handoff.quality.samples import Sample
from handoff.quality.settings import QualitySettings
from handoff.training.fit_wording import TextTable, fit, learn_vocabulary, out_of_fold
from handoff.transcript import Conversation

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

TEXT, BEHAVIOUR = "text", "behaviour"
# What the words themselves say; all else is how the conversation goes.
WORDS = ("wording", TEXT)
PENALTY, FOLDS, ROUNDS, RESAMPLES = 1.0, 5, 80, 200
TREES: dict[str, Any] = {
    "objective": "binary",
    "learning_rate": 0.05,
    "num_leaves": 7,
    "min_data_in_leaf": 30,
    "feature_fraction": 0.6,
    "lambda_l2": 1.0,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}


def rows(data: Path, settings: QualitySettings) -> Iterator[Row]:
    """All families, each left out and alone, and behaviour against text, set by set."""
    for load in _sets(data, settings.seed):
        yield from of_sample(load(), settings)
        settings.step()


def of_sample(sample: Sample, settings: QualitySettings) -> Iterator[Row]:
    """The rows of one set. A family that does not vary in it is left out."""
    X = np.hstack([sample.X, text_score(sample, settings.seed)[:, None]])
    families = varying(X[~sample.test])
    scored = {"all families": auc_scores(X, sample, list(range(X.shape[1])), settings)}
    for name, columns in families.items():
        others = [at for family, kept in families.items() if family != name for at in kept]
        scored[f"without {name}"] = auc_scores(X, sample, others, settings)
        scored[f"{name} alone"] = auc_scores(X, sample, columns, settings)
    behaviour = [at for family, kept in families.items() if family not in WORDS for at in kept]
    scored[f"{BEHAVIOUR} alone"] = auc_scores(X, sample, behaviour, settings)
    y, of = sample.y[sample.test], sample.of[sample.test]
    whole = auroc(y, scored["all families"], np.ones(len(y)))
    for name, scores in scored.items():
        trivial = {"by lot": 0.5} if name == "all families" else {"by lot": 0.5, "all families": whole}
        yield _row(sample, name, "AUC", _interval(y, of, settings.seed, scores), trivial)
    gap = _interval(y, of, settings.seed, scored[f"{BEHAVIOUR} alone"], scored[f"{TEXT} alone"])
    yield _row(sample, "behaviour alone minus text alone", "difference of AUC", gap, {})


def varying(X: Floats) -> dict[str, list[int]]:
    """Family to the columns of it that take two values at least; "text" is the last column."""
    names = [*(feature.family for feature in FEATURES), TEXT]
    found: dict[str, list[int]] = {}
    for at, family in enumerate(names):
        # The newest rating all but tells the next one.
        if family != "rating" and len(np.unique(X[:, at])) > 1:
            found.setdefault(family, []).append(at)
    return found


def text_score(sample: Sample, seed: int) -> Floats:
    """Log-odds by the words alone, array of shape (n_rows,): training rows out of fold, test rows by all of them."""
    learn = ~sample.test
    texts = sample.texts
    vocabulary = learn_vocabulary([text for text, kept in zip(texts, learn, strict=True) if kept])
    X = TextTable(vocabulary, texts, None).rows(texts)
    fold = folds_of(sample.of[learn], seed)
    known, y = X[learn], sample.y[learn]
    scores = np.empty(len(texts))
    scores[learn] = out_of_fold(known, fold, lambda rows: fit(known[rows], y[rows], PENALTY))
    scores[sample.test] = fit(known, y, PENALTY).log_odds(X[sample.test])
    return scores


def folds_of(of: Integers, seed: int) -> Integers:
    """The fold of each row: array of the shape of `of`. The rows of one conversation share it."""
    conversations, position = np.unique(of, return_inverse=True)
    dealt: Integers = np.random.default_rng(seed).permutation(len(conversations))[position] % FOLDS
    return dealt


def auc_scores(X: Floats, sample: Sample, columns: list[int], settings: QualitySettings) -> Floats:
    """Log-odds of the test rows by trees on those columns, fitted on the training rows: array of shape (n_test,)."""
    import lightgbm

    learn = ~sample.test
    parameters = TREES | {"seed": settings.seed, "num_threads": settings.threads}
    dataset = lightgbm.Dataset(X[learn][:, columns], label=sample.y[learn])
    booster = lightgbm.train(parameters, dataset, num_boost_round=ROUNDS)
    return np.asarray(booster.predict(X[sample.test][:, columns], raw_score=True, num_threads=1), dtype=np.float64)


def _interval(y: Integers, of: Integers, seed: int, scores: Floats, minus: Floats | None = None) -> Interval:
    def measure(weight: Floats) -> float:
        kept = weight > 0
        auc = auroc(y[kept], scores[kept], weight[kept])
        return auc if minus is None else auc - auroc(y[kept], minus[kept], weight[kept])

    return resampled_interval(measure, of, seed, RESAMPLES)


def _row(sample: Sample, task: str, metric: str, ours: Interval, trivial: dict[str, float]) -> Row:
    return Row(
        set=sample.name,
        task=task,
        proxy_for=sample.proxy,
        metric=metric,
        ours=ours,
        interval="bootstrap over conversations",
        trivial=trivial,
    )


def _sets(data: Path, seed: int) -> Iterator[Callable[[], Sample]]:
    """Every set that is there, not yet read."""
    if (data / "uss").is_dir():
        for name in samples.USS_SETS:
            yield lambda name=name: samples.uss(data, name)  # type: ignore[misc]
    if (data / "betold").is_dir():
        yield lambda: samples.betold(data, "first 16 messages", lambda c: min(16, len(c.messages)))
        yield lambda: samples.betold(data, "last exchange removed", _before_last_exchange)
    if (data / "dbdc3").is_dir():
        yield lambda: samples.dbdc3(data)
    yield lambda: samples.simulated(seed)


def _before_last_exchange(conversation: Conversation) -> int:
    return before_last_exchange([message.role for message in conversation.messages])
