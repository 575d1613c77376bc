"""What reads a text best for its price: one classifier on the same sets, by encoder, with and without n-grams.

Single queries by their intent, chats by their newest message and newest reply alone. Nothing is chosen anew for an
encoder, so that only what reads the text differs. The price is milliseconds of processor time for a message
that was not seen before, and megabytes on disk.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from handoff.metrics import Interval, auroc
from handoff.models.encoder import KINDS, Embeds
from handoff.models.wording import Vocabulary
from handoff.quality import hint3, routing, samples
from handoff.quality.intents import accuracy, banking77, claims, clinc150, in_scope
from handoff.quality.queries import ENCODERS, MEANING_WEIGHS, Queries, Reader, learn, make_encoder
from handoff.quality.row import Row
from handoff.quality.samples import Sample
from handoff.quality.settings import QualitySettings
from handoff.training.embeddings import FOLDER, Embeddings
from handoff.training.export_encoder import TorchEncoder, weights_folder
from handoff.training.fit_wording import TextTable, fit, learn_vocabulary

Singles = NDArray[np.float32]

TIMED = 200
NEEDS = ("uss", "betold", "dbdc3", "hint3", "banking77", "clinc150")
# Two of USS, for MiniLM's time.
USS_SETS = ("SGD", "CCPE")
SEEN_OF_A_CALL = 16
PENALTY = 1.0
# An untuned TF-IDF with logistic regression, as the benchmark names it; with MiniLM beside it on BANKING77.
BANKING_FLOOR, CLINC_FLOOR, OUT_OF_SCOPE_FLOOR = 0.938, 0.928, 0.949


class Remembering:
    """An encoder without a file of its own: each text once in a run."""

    def __init__(self, embeds: Embeds) -> None:
        self.embeds, self.dimensions = embeds, embeds.dimensions
        self._known: dict[str, Singles] = {}

    def encode(self, texts: Sequence[str]) -> Singles:
        """Array of shape (n_texts, dimensions)."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        self._known |= dict(zip(new, self.embeds.encode(new), strict=True))
        return np.array([self._known[text] for text in texts], dtype=np.float32).reshape(len(texts), self.dimensions)


def compare_encoders(data: Path, settings: QualitySettings) -> Iterator[Row]:
    """The released routing, by encoder; then a figure a set and reader, and the reader's price."""
    yield from routing.rows(data, settings)
    pool = tuple(chats(data))
    for reader in readers(settings):
        yield from _of_queries(data, reader, settings)
        for sample in pool:
            yield _row(reader.name, sample.name, "AUC", chat_auc(sample, reader), trivial={"by lot": 0.5})
            settings.step()
        if isinstance(reader.embeds, Embeddings):
            reader.embeds.save()
        yield _row(reader.name, "price", "ms a new message", milliseconds(data, reader), lower=True)
        yield _row(reader.name, "price", "MB of the encoder", megabytes(reader, settings), lower=True)
        settings.step()


def readers(settings: QualitySettings) -> Iterator[Reader]:
    """N-grams alone, and each encoder alone and beside them."""
    yield Reader("n-grams", None)
    for kind in KINDS:
        embeddings = Embeddings(make_encoder(kind, settings), settings.work / FOLDER)
        yield Reader(kind, embeddings, grams=False)
        yield Reader(f"{kind} and n-grams", embeddings, MEANING_WEIGHS[kind])
    torch = Remembering(TorchEncoder())
    yield Reader("minilm in torch", torch, grams=False)
    yield Reader("minilm in torch and n-grams", torch, MEANING_WEIGHS["minilm"])


def _of_queries(data: Path, reader: Reader, settings: QualitySettings) -> Iterator[Row]:
    """A figure each for HINT3's bots and BANKING77, and two for CLINC150."""
    train = {bot.name: hint3.side(data, "train", bot.name) for bot in hint3.BOTS}
    for bot in hint3.BOTS:
        called, _, _ = hint3.predict(data, bot.name, train, reader, settings.seed)
        truth = np.array(hint3.side(data, "test", bot.name).intents)
        found = hint3.mcc(truth, called, np.ones(len(truth)))
        yield _row(reader.name, f"HINT3 {bot.name}", "MCC", found, bot.floor, {"always out of scope": 0.0})
    known, asked = banking77(data)
    commonest = _commonest(known, asked)
    yield _row(reader.name, "BANKING77", "accuracy", accuracy(known, asked, reader), BANKING_FLOOR, commonest)
    yield from _clinc(*clinc150(data), reader)


def chats(data: Path) -> Iterator[Sample]:
    """Conversations, read up to a message: their newest message and newest reply are what is read."""
    for name in USS_SETS:
        yield samples.uss(data, name)
    yield samples.betold(data, f"first {SEEN_OF_A_CALL} messages", lambda c: min(SEEN_OF_A_CALL, len(c.messages)))
    yield samples.dbdc3(data)


def chat_auc(sample: Sample, reader: Reader) -> float:
    """Of a logistic regression on the newest message and the newest reply side by side, on the test rows."""
    from scipy.sparse import hstack

    known = np.flatnonzero(~sample.test).tolist()
    taught = [side[row] for side in (sample.newest, sample.reply) for row in known] if reader.grams else []
    vocabulary = learn_vocabulary(taught, meaning_weighs=reader.meaning_weighs)
    table = TextTable(vocabulary, (*sample.newest, *sample.reply), reader.embeds)
    X = hstack([table.rows(sample.newest), table.rows(sample.reply)], format="csr")
    log_odds = fit(X[known], sample.y[known], PENALTY).log_odds(X[sample.test])
    return auroc(sample.y[sample.test], log_odds, np.ones(len(log_odds)))


def _clinc(train: Queries, test: Queries, reader: Reader) -> Iterator[Row]:
    intents, doubt = claims(learn(train, reader), test)
    inside = in_scope(test)
    accurate, commonest = (
        float((intents == np.array(test.intents))[inside].mean()),
        _commonest(train, test.take(inside)),
    )
    yield _row(reader.name, "CLINC150", "accuracy in scope", accurate, CLINC_FLOOR, commonest)
    outside = (~inside).astype(np.int64)
    auc = auroc(outside, doubt, np.ones(len(test)))
    yield _row(reader.name, "CLINC150", "AUC out of scope", auc, OUT_OF_SCOPE_FLOOR, {"by lot": 0.5})


def _commonest(train: Queries, test: Queries) -> dict[str, float]:
    """The accuracy of naming the commonest intent of `train` always."""
    commonest = Counter(train.intents).most_common(1)[0][0]
    return {"always the commonest": float(np.mean([intent == commonest for intent in test.intents]))}


def milliseconds(data: Path, reader: Reader) -> float:
    """Median processor time to read one message, each a new one: n-grams looked up, and the embedding."""
    train, test = banking77(data)
    vocabulary = learn_vocabulary(train.texts if reader.grams else ())
    embeds = _uncached(reader.embeds)
    return 1000 * float(np.median([_seconds(vocabulary, embeds, text) for text in test.texts[:TIMED]]))


def _seconds(vocabulary: Vocabulary, embeds: Embeds | None, text: str) -> float:
    begun = time.process_time()
    if len(vocabulary):
        vocabulary.read(text)
    if embeds is not None:
        embeds.encode([text])
    return time.process_time() - begun


def _uncached(embeds: Embeds | None) -> Embeds | None:
    """The encoder itself, without what was remembered of these texts."""
    if isinstance(embeds, Embeddings):
        return type(embeds.encoder)(embeds.encoder.settings, embeds.encoder.embed)
    return embeds.embeds if isinstance(embeds, Remembering) else None


def megabytes(reader: Reader, settings: QualitySettings) -> float:
    """Size of what the encoder loads; 0 without one."""
    if isinstance(reader.embeds, Embeddings):
        encoder = reader.embeds.encoder
        folder = settings.work / ENCODERS / f"{encoder.name}-{encoder.version}"
    elif isinstance(reader.embeds, Remembering):
        folder = weights_folder()
    else:
        return 0.0
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


def _row(
    reader: str,
    name: str,
    metric: str,
    value: float,
    floor: float | None = None,
    trivial: dict[str, float] | None = None,
    lower: bool = False,
) -> Row:
    return Row(
        set=name,
        task=reader,
        proxy_for="",
        metric=metric,
        ours=Interval(value, None, None),
        interval="",
        floor=floor,
        trivial=trivial or {},
        lower_is_better=lower,
    )
