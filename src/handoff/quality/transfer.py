"""What one pooled model is worth on a set that it has never seen, and beside a little data of that set's own.

USS (the next turn is rated dissatisfied), DBDC3 (the turn breaks down) and CLINC150 (the query is out of scope) stand
for "needs a human". The model is a logistic regression over the project's features and the embeddings of the newest
message and reply. Leaving one set out at a time says what to expect of data that nobody here has seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handoff.metrics import Interval, auroc, resampled_interval
from handoff.models.encoder import Embeds
from handoff.quality import samples
from handoff.quality.row import Row
from handoff.quality.samples import Sample
from handoff.quality.settings import QualitySettings
from handoff.quality.texts import embeddings_of

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

SET = "pooled"
FEW = 100  # labelled conversations of the set's own
STEPS, STRENGTH = 300, 0.05


def rows(data: Path, settings: QualitySettings) -> Iterator[Row]:
    """For each set: the model of the two others, the model of its own, and what the first adds to little data."""
    pool = (_all_of_uss(data), samples.dbdc3(data), samples.clinc(data))
    vectors = embeddings_of((text for each in pool for text in (*each.newest, *each.reply)), settings)
    inputs = [inputs_of(each, vectors) for each in pool]
    for held in range(len(pool)):
        yield from _leaving_out(held, pool, inputs, settings)
        settings.step()


def inputs_of(sample: Sample, vectors: Embeds) -> Floats:
    """Features, whether they are missing, and both texts' embeddings: array of shape (n_rows, n_inputs)."""
    missing = np.isnan(sample.X)
    known = np.sign(np.nan_to_num(sample.X)) * np.log1p(np.abs(np.nan_to_num(sample.X)))
    return np.hstack([known, missing, vectors.encode(sample.newest), vectors.encode(sample.reply)]).astype(np.float64)


def pooled_scores(held: int, pool: Sequence[Sample], inputs: Sequence[Floats]) -> Floats:
    """Log-odds of every row of one set by a model of the training rows of all others: array of shape (n_rows,).

    In the fit each set weighs the same, and so do its two classes.
    """
    others = [at for at in range(len(pool)) if at != held]
    X = np.vstack([inputs[at][~pool[at].test] for at in others])
    y = np.concatenate([pool[at].y[~pool[at].test] for at in others])
    weight = np.concatenate([balanced(pool[at].y[~pool[at].test]) for at in others])
    return log_odds(X, y, weight, inputs[held])


def balanced(y: Integers) -> Floats:
    """Weights that sum to one, half of it for each class: array of the shape of `y`."""
    positives = max(1, int(y.sum()))
    return np.where(y == 1, 0.5 / positives, 0.5 / max(1, len(y) - positives))


def log_odds(X: Floats, y: Integers, weight: Floats, scored: Floats) -> Floats:
    """Logistic regression on standardised inputs: array of shape (n_scored,)."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(X)
    model: Any = LogisticRegression(C=STRENGTH / X.shape[1] * 10, max_iter=STEPS, tol=1e-3)
    model.fit(scaler.transform(X), y, sample_weight=weight * len(y) / weight.sum())
    return np.asarray(model.decision_function(np.clip(scaler.transform(scored), -5, 5)), dtype=np.float64)


def few_of(sample: Sample) -> Integers:
    """Training rows of about so many conversations, evenly spaced through the set: positions, (n_kept,)."""
    conversations = np.unique(sample.of[~sample.test])
    kept = conversations[np.linspace(0, len(conversations) - 1, FEW).astype(int)]
    return np.flatnonzero(np.isin(sample.of, kept) & ~sample.test)


def _leaving_out(
    held: int, pool: Sequence[Sample], inputs: Sequence[Floats], settings: QualitySettings
) -> Iterator[Row]:
    sample, X = pool[held], inputs[held]
    test, learn = sample.test, ~sample.test
    pooled = pooled_scores(held, pool, inputs)
    own = log_odds(X[learn], sample.y[learn], balanced(sample.y[learn]), X[test])
    others = ", ".join(each.name for at, each in enumerate(pool) if at != held)
    length = sample.X[test][:, _messages_at()]
    simple = {"a model of its own": own, "messages so far": np.nan_to_num(length)}
    yield _row(sample, f"learnt on {others} alone", pooled[test], simple, settings.seed)
    few = few_of(sample)
    alone = log_odds(X[few], sample.y[few], balanced(sample.y[few]), X[test])
    with_pooled = np.hstack([X, pooled[:, None] * np.sqrt(X.shape[1])])
    helped = log_odds(with_pooled[few], sample.y[few], balanced(sample.y[few]), with_pooled[test])
    task = f"{FEW} conversations of its own"
    yield _row(sample, f"{task}, with the pooled score", helped, {"without": alone}, settings.seed)
    mean = alone / alone.std() + pooled[test] / pooled[test].std()
    yield _row(sample, f"{task}, in mean with the pooled score", mean, {"without": alone}, settings.seed)


def _row(sample: Sample, task: str, scores: Floats, others: dict[str, Floats], seed: int) -> Row:
    y, of = sample.y[sample.test], sample.of[sample.test]
    return Row(
        set=f"{SET}: {sample.name}",
        task=task,
        proxy_for=sample.proxy,
        metric="AUC",
        ours=_interval(y, of, scores, seed),
        interval="bootstrap over conversations",
        trivial={name: auroc(y, values, np.ones(len(y))) for name, values in others.items()},
    )


def _interval(y: Integers, of: Integers, scores: Floats, seed: int) -> Interval:
    def measure(weight: Floats) -> float:
        kept = weight > 0
        return auroc(y[kept], scores[kept], weight[kept])

    return resampled_interval(measure, of, seed)


def _messages_at() -> int:
    from handoff.features import FEATURE_NAMES

    return FEATURE_NAMES.index("customer_messages")


def _all_of_uss(data: Path) -> Sample:
    """The four sets of USS as one."""
    parts = [samples.uss(data, name) for name in samples.USS_SETS]
    starts = np.cumsum([0, *(int(part.of.max()) + 1 for part in parts)])
    return Sample(
        "USS",
        parts[0].proxy,
        np.vstack([part.X for part in parts]),
        tuple(text for part in parts for text in part.newest),
        tuple(text for part in parts for text in part.reply),
        np.concatenate([part.y for part in parts]),
        np.concatenate([part.of + start for part, start in zip(parts, starts, strict=False)]),
        np.concatenate([part.test for part in parts]),
    )
