"""Single queries with an intent: what reads them, and the classifier that all three sets are scored with.

N-grams and embedding side by side (`handoff.models.wording`), one linear margin an intent. Weights and strength were
chosen once, by cross-validation on the training sides, and are the same for every set (docs/decisions.md, "Text").
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from handoff.formats.record import Found, Record
from handoff.models.encoder import Embeds, Encoder, Kind
from handoff.models.wording import Vocabulary
from handoff.quality.settings import QualitySettings
from handoff.training.embeddings import FOLDER, Embeddings
from handoff.training.export_encoder import ensure_encoder
from handoff.training.fit_wording import Fitted, TextTable, fit_margins, learn_vocabulary

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

ENCODERS = "encoders"
FOLDS = 5
# An embedding beside n-grams of words and of letters, each block of length 1: .861 (static, 1.4) and .900 (minilm, 2)
# against .844 without any, mean accuracy over five training sets, leaving one out.
MEANING_WEIGHS: dict[Kind, float] = {"static": 1.4, "minilm": 2.0}
STRENGTH = 0.3


@dataclass(frozen=True, slots=True)
class Queries:
    """Texts and their intents, in the set's own words."""

    texts: tuple[str, ...]
    intents: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, kept: Mask) -> Queries:
        """Those that the mask keeps."""
        return Queries(*(tuple(np.array(part, dtype=object)[kept]) for part in (self.texts, self.intents)))


@dataclass(frozen=True, slots=True)
class Reader:
    """What turns a query into numbers: an embedding, n-grams, or both."""

    name: str
    embeds: Embeds | None
    meaning_weighs: float = 1.0
    grams: bool = True


@dataclass(frozen=True, slots=True)
class Classifier:
    """Margins of each intent: over 0 it is more this one than all others together."""

    intents: tuple[str, ...]
    vocabulary: Vocabulary
    reader: Reader
    fitted: Fitted

    def margins(self, texts: Sequence[str]) -> Floats:
        """Array of shape (n_texts, n_intents)."""
        raw = self.fitted.log_odds(TextTable(self.vocabulary, texts, self.reader.embeds).rows(texts))
        return raw if raw.ndim == 2 else np.stack([-raw, raw], axis=1)


def together(one: Queries, other: Queries) -> Queries:
    """Both, one after the other."""
    return Queries(one.texts + other.texts, one.intents + other.intents)


def read(path: Path, reader: Callable[[Path], Iterator[Record]]) -> Queries:
    """The queries of a file, those left out that are not usable."""
    found = [record.conversation for record in reader(path) if isinstance(record, Found)]
    texts = tuple(conversation.messages[0].text for conversation in found)
    return Queries(texts, tuple(str(c.outcome.reason) if c.outcome is not None else "" for c in found))


def make_encoder(kind: Kind, settings: QualitySettings) -> Encoder:
    """The encoder, exported into the work folder when it is not there yet."""
    return ensure_encoder(settings.work / ENCODERS, kind)


def make_reader(settings: QualitySettings) -> tuple[Reader, Embeddings]:
    """N-grams with the embedding that the settings name, and the embeddings, to be saved at the end."""
    kind = settings.encoder
    embeddings = Embeddings(make_encoder(kind, settings), settings.work / FOLDER)
    return Reader(f"{kind} and n-grams", embeddings, MEANING_WEIGHS[kind]), embeddings


def learn(queries: Queries, reader: Reader) -> Classifier:
    """Fit on all `queries`."""
    intents = tuple(sorted(set(queries.intents)))
    number = {intent: position for position, intent in enumerate(intents)}
    grams = learn_vocabulary(queries.texts if reader.grams else (), meaning_weighs=reader.meaning_weighs)
    X = TextTable(grams, queries.texts, reader.embeds).rows(queries.texts)
    y = np.array([number[intent] for intent in queries.intents], dtype=np.int64)
    return Classifier(intents, grams, reader, fit_margins(X, y, STRENGTH))


def text_folds(texts: Sequence[str], seed: int, folds: int = FOLDS) -> Integers:
    """A fold for each text, the same for texts that differ in capitals and spaces only: array of shape (n_texts,)."""
    alike = [plain(text) for text in texts]
    distinct = {text: number for number, text in enumerate(dict.fromkeys(alike))}
    drawn = np.random.default_rng(seed).permutation(len(distinct)) % folds
    return drawn[[distinct[text] for text in alike]].astype(np.int64)


def plain(text: str) -> str:
    """A text without what two copies of it may differ in: capitals, and spaces."""
    return " ".join(text.lower().split())
