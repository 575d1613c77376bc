"""BANKING77 and CLINC150: which of many intents a query has, and whether it has none of them.

Official splits, fitted on train. CLINC150's 100 out-of-scope training queries are one more class: a query is the more
out of scope, the further that class is above the best intent. (Casanueva et al. 2020; Larson et al. 2019.)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from handoff.formats.queries import read_banking77, read_clinc150
from handoff.formats.record import Found
from handoff.metrics import auroc, resampled_interval, share
from handoff.quality.queries import Classifier, Queries, Reader, learn, make_reader, plain, read, together
from handoff.quality.row import Row
from handoff.quality.settings import QualitySettings

Mask = NDArray[np.bool_]

OUT_OF_SCOPE = "oos"
INTERVAL = "bootstrap over queries"
PROXY = "which team a query belongs to"


def banking77_rows(data: Path, settings: QualitySettings) -> Iterator[Row]:
    """Accuracy on the test side, and without the texts that train holds too."""
    reader, embeddings = make_reader(settings)
    train, test = banking77(data)
    hits = _hits(learn(train, reader), test)
    settings.step()
    known = {plain(text) for text in train.texts}
    new = np.array([plain(text) not in known for text in test.texts])
    yield _accuracy("BANKING77", "77 intents", train, test, hits, settings, (0.931, 0.938, 0.945))
    yield _accuracy("BANKING77", "77 intents, without texts of train", train, test.take(new), hits[new], settings)
    embeddings.save()


def clinc150_rows(data: Path, settings: QualitySettings) -> Iterator[Row]:
    """Accuracy in scope, and how well `claims` tells what is out of scope."""
    reader, embeddings = make_reader(settings)
    train, test = clinc150(data)
    intents, doubt = claims(learn(train, reader), test)
    settings.step()
    inside = in_scope(test)
    scoped, hits = test.take(inside), (intents == np.array(test.intents))[inside]
    yield _accuracy("CLINC150", "150 intents, in scope", train, scoped, hits, settings, (0.969, 0.928, 0.965))
    outside = (~inside).astype(np.int64)
    yield Row(
        set="CLINC150",
        task="out of scope",
        proxy_for="a query that no team is known for",
        metric="AUC",
        ours=resampled_interval(lambda w: auroc(outside, doubt, w), np.arange(len(test)), settings.seed),
        interval=INTERVAL,
        floor=0.949,
        aim=0.975,
        trivial={"always": 0.5, "fewest words": auroc(outside, -_lengths(test), np.ones(len(test)))},
    )
    embeddings.save()


def banking77(data: Path) -> tuple[Queries, Queries]:
    """Train and test side."""
    train, test = (read(data / "banking77" / f"{side}.csv", read_banking77) for side in ("train", "test"))
    return train, test


def clinc150(data: Path, test: str = "test") -> tuple[Queries, Queries]:
    """The train and the test side, each with its out-of-scope queries."""
    sides = clinc150_sides(data)
    return together(sides["train"], sides["oos_train"]), together(sides[test], sides[f"oos_{test}"])


def claims(fitted: Classifier, queries: Queries) -> tuple[NDArray[np.str_], NDArray[np.float64]]:
    """The likeliest intent of each query, and how far "out of scope" is above it: two arrays of shape (n_queries,)."""
    margins, names = fitted.margins(queries.texts), np.array(fitted.intents)
    known = names != OUT_OF_SCOPE
    inside = margins[:, known]
    return names[known][inside.argmax(axis=1)], margins[:, ~known][:, 0] - inside.max(axis=1)


def clinc150_sides(data: Path) -> dict[str, Queries]:
    """Every part of the file by its name: "train", "oos_val" …"""
    parts: dict[str, list[tuple[str, str]]] = {}
    for record in read_clinc150(data / "clinc150" / "data_full.json.gz"):
        if isinstance(record, Found):
            conversation = record.conversation
            side = conversation.conversation_id.removeprefix("clinc150-").rpartition("-")[0]
            reason = conversation.outcome.reason if conversation.outcome is not None else None
            parts.setdefault(side, []).append((conversation.messages[0].text, str(reason)))
    return {side: Queries(*map(tuple, zip(*rows, strict=True))) for side, rows in parts.items()}


def in_scope(queries: Queries) -> Mask:
    """Which queries have an intent: array of shape (n_queries,)."""
    inside: Mask = np.array(queries.intents) != OUT_OF_SCOPE
    return inside


def accuracy(train: Queries, test: Queries, reader: Reader) -> float:
    """The share of `test` whose intent has the highest margin, fitted on `train`."""
    return float(_hits(learn(train, reader), test).mean())


def _hits(fitted: Classifier, test: Queries) -> Mask:
    called = np.array(fitted.intents)[fitted.margins(test.texts).argmax(axis=1)]
    hits: Mask = called == np.array(test.intents)
    return hits


def _lengths(queries: Queries) -> NDArray[np.float64]:
    return np.array([len(text.split()) for text in queries.texts], dtype=np.float64)


def _accuracy(
    name: str,
    task: str,
    train: Queries,
    test: Queries,
    hits: Mask,
    settings: QualitySettings,
    yardsticks: tuple[float | None, float | None, float | None] = (None, None, None),
) -> Row:
    """`yardsticks`: best published, floor, aim."""
    commonest = Counter(train.intents).most_common(1)[0][0]
    published, floor, aim = yardsticks
    return Row(
        set=name,
        task=task,
        proxy_for=PROXY,
        metric="accuracy",
        ours=share(hits, np.arange(len(test)), settings.seed),
        interval=INTERVAL,
        published=published,
        floor=floor,
        aim=aim,
        trivial={"always the commonest": float(np.mean([intent == commonest for intent in test.intents]))},
    )
