"""HINT3: queries to three live support bots, most of which their training never foresaw.

Fitted on the official training file of each bot, scored on its test file as it is published: the multi-class
Matthews correlation over all intents with "out of scope" as one more. What is out of scope is taught by texts from
elsewhere (CLINC's out-of-scope queries, the other bots' training queries); a query is out of scope when no intent's
margin reaches a threshold. Published figures take the threshold that is best on test; ours is chosen before
(`choose_threshold`), without looking at a test query. (Arora et al. 2020, "HINT3: Raising the bar for Intent Detection
in the Wild".)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from handoff.formats.queries import NEEDS_AGENT, read_hint3
from handoff.metrics import average_precision, f1, resampled_interval
from handoff.quality.intents import clinc150_sides
from handoff.quality.queries import Classifier, Queries, Reader, learn, make_reader, read, text_folds, together
from handoff.quality.row import Row
from handoff.quality.settings import QualitySettings

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Strings = NDArray[np.str_]

OUT_OF_SCOPE = "NO_NODES_DETECTED"
INTERVAL = "bootstrap over queries"
# Of the pool that the threshold is chosen on, in-scope queries make up half: fixed before any test query was scored.
# Test sides turned out to hold 42 to 72 % out of scope.
SHARE_IN_SCOPE = 0.5


@dataclass(frozen=True, slots=True)
class Bot:
    """One bot, with the yardsticks of its MCC: best of five systems at its best threshold on test, floor, aim."""

    name: str
    published: float
    floor: float
    aim: float


BOTS = (
    Bot("curekart", 0.603, 0.650, 0.68),
    Bot("powerplay11", 0.425, 0.472, 0.50),
    Bot("sofmattress", 0.638, 0.634, 0.68),
)
AGENT_F1 = {"powerplay11": (0.27, 0.36, 0.40)}


def rows(data: Path, settings: QualitySettings) -> Iterator[Row]:
    """MCC of each bot, and of the two that have one, F1 of the intent that asks for an agent."""
    reader, embeddings = make_reader(settings)
    train = {bot.name: side(data, "train", bot.name) for bot in BOTS}
    for bot in BOTS:
        called, margins, intents = predict(data, bot.name, train, reader, settings.seed)
        test = np.array(side(data, "test", bot.name).intents)
        settings.step()
        yield _mcc_row(bot, test, called, settings)
        agents = [intent for intent in intents if intent in NEEDS_AGENT]
        for agent in agents:
            yield from _agent_rows(bot.name, agent, test, called, margins[:, intents.index(agent)], settings)
    embeddings.save()


def predict(
    data: Path, name: str, train: dict[str, Queries], reader: Reader, seed: int
) -> tuple[Strings, Floats, tuple[str, ...]]:
    """The intent called for each test query, its margins, and the intents that these belong to."""
    own, outside = train[name], out_of_scope(name, train, clinc_out_of_scope(data))
    threshold = choose_threshold(own, outside, reader, seed)
    margins = in_scope_margins(learn(together(own, outside), reader), side(data, "test", name).texts)
    intents = tuple(sorted(set(own.intents)))
    return call(margins, intents, threshold), margins, intents


def side(data: Path, which: str, name: str) -> Queries:
    """The official train or test file of a bot."""
    return read(data / "hint3" / which / f"{name}_{which}.csv", read_hint3)


def clinc_out_of_scope(data: Path) -> tuple[str, ...]:
    """CLINC's out-of-scope queries: texts that none of the bots was made for. None where the set is not there."""
    if not (data / "clinc150").is_dir():
        return ()
    return tuple(text for name, part in clinc150_sides(data).items() if name.startswith("oos") for text in part.texts)


def out_of_scope(name: str, train: dict[str, Queries], elsewhere: tuple[str, ...]) -> Queries:
    """Texts that are not this bot's business, as one more class: CLINC's out-of-scope and the other bots' training."""
    others = tuple(text for other, part in train.items() if other != name for text in part.texts)
    texts = tuple(dict.fromkeys(elsewhere + others))
    return Queries(texts, (OUT_OF_SCOPE,) * len(texts))


def choose_threshold(own: Queries, outside: Queries, reader: Reader, seed: int) -> float:
    """The threshold with the best MCC on a pool made of training queries and of texts from elsewhere.

    In scope: the bot's own training queries. Out of scope, half each: the texts from elsewhere, and the bot's own
    queries by models that were not taught their intent, which are the nearest to what nobody foresaw. Each is scored by
    a model that did not see it.
    """
    intents = tuple(sorted(set(own.intents)))
    inside, far = out_of_fold(own, outside, reader, seed)
    pools = [inside, far, unforeseen(own, outside, reader, seed)]
    margins = np.vstack(pools)
    truth = np.array([*own.intents, *[OUT_OF_SCOPE] * (len(margins) - len(own))])
    shares = (SHARE_IN_SCOPE, (1 - SHARE_IN_SCOPE) / 2, (1 - SHARE_IN_SCOPE) / 2)
    weight = np.concatenate([np.full(len(p), s / max(1, len(p))) for p, s in zip(pools, shares, strict=True)])
    cuts = np.unique(np.quantile(margins.max(axis=1), np.linspace(0, 1, 201)))
    return float(max(cuts, key=lambda cut: mcc(truth, call(margins, intents, float(cut)), weight)))


def out_of_fold(own: Queries, outside: Queries, reader: Reader, seed: int) -> tuple[Floats, Floats]:
    """Margins of each query by a model that saw neither it nor its like: of the bot's own, and of those outside."""
    everything = together(own, outside)
    margins = _held_out(everything, reader, text_folds(everything.texts, seed))
    return margins[: len(own)], margins[len(own) :]


def unforeseen(own: Queries, outside: Queries, reader: Reader, seed: int) -> Floats:
    """Margins of each of the bot's own queries by a model that was not taught its intent: (n_queries, n_intents)."""
    never = np.full(len(outside), -1)
    fold = np.concatenate([text_folds(own.intents, seed), never])
    return _held_out(together(own, outside), reader, fold)[: len(own)]


def _held_out(queries: Queries, reader: Reader, fold: Integers) -> Floats:
    intents = sorted(set(queries.intents) - {OUT_OF_SCOPE})
    found = np.full((len(queries), len(intents)), -np.inf)
    for held in np.unique(fold[fold >= 0]):
        fitted = learn(queries.take(fold != held), reader)
        at = [intents.index(intent) for intent in fitted.intents if intent != OUT_OF_SCOPE]
        found[np.ix_(fold == held, at)] = in_scope_margins(fitted, queries.take(fold == held).texts)
    return found


def in_scope_margins(fitted: Classifier, texts: Sequence[str]) -> Floats:
    """Margins of the intents, the class of what is out of scope left out: array of shape (n_texts, n_intents)."""
    return fitted.margins(texts)[:, [intent != OUT_OF_SCOPE for intent in fitted.intents]]


def call(margins: Floats, intents: tuple[str, ...], threshold: float) -> Strings:
    """The intent with the highest margin, or out of scope where that is under the threshold."""
    best: Strings = np.array(intents)[margins.argmax(axis=1)]
    called: Strings = np.where(margins.max(axis=1) >= threshold, best, OUT_OF_SCOPE)
    return called


def mcc(truth: Strings, called: Strings, weight: Floats) -> float:
    """Matthews correlation for many classes, R_K (Gorodkin 2004): 1 is perfect, 0 chance or constant."""
    _, numbers = np.unique(np.concatenate([truth, called]), return_inverse=True)
    t, c = numbers[: len(truth)], numbers[len(truth) :]
    size = int(numbers.max()) + 1
    of_truth, of_called = np.bincount(t, weight, size), np.bincount(c, weight, size)
    total, hit = float(weight.sum()), float(weight[t == c].sum())
    spread = (total**2 - of_called @ of_called) * (total**2 - of_truth @ of_truth)
    return float((hit * total - of_truth @ of_called) / np.sqrt(spread)) if spread > 0 else 0.0


def _mcc_row(bot: Bot, test: Strings, called: Strings, settings: QualitySettings) -> Row:
    everything = np.full(len(test), OUT_OF_SCOPE)
    return Row(
        set=f"HINT3 {bot.name}",
        task="intent, or out of scope",
        proxy_for="whether the assistant knows what is asked",
        metric="MCC",
        ours=resampled_interval(lambda w: mcc(test, called, w), np.arange(len(test)), settings.seed),
        interval=INTERVAL,
        published=bot.published,
        floor=bot.floor,
        aim=bot.aim,
        trivial={"always out of scope": mcc(test, everything, np.ones(len(test)))},
    )


def _agent_rows(
    name: str, agent: str, test: Strings, called: Strings, margins: Floats, settings: QualitySettings
) -> Iterator[Row]:
    y, found = (test == agent).astype(np.int64), called == agent
    published, floor, aim = AGENT_F1.get(name, (None, None, None))
    task = f"needs an agent ({int(y.sum())} of {len(y)})"
    of, ones = np.arange(len(y)), np.ones(len(y))
    always = f1(y, np.ones(len(y), dtype=np.bool_), ones)
    proxy = "the query needs a human, asked for or not"
    yield Row(
        set=f"HINT3 {name}",
        task=task,
        interval=INTERVAL,
        proxy_for=proxy,
        metric="F1",
        ours=resampled_interval(lambda w: f1(y, found, w), of, settings.seed),
        published=published,
        floor=floor,
        aim=aim,
        trivial={"always": always, "never": 0.0},
    )
    yield Row(
        set=f"HINT3 {name}",
        task=task,
        interval=INTERVAL,
        proxy_for=proxy,
        metric="average precision",
        ours=resampled_interval(lambda w: average_precision(y, margins, w), of, settings.seed),
        floor=0.34 if name in AGENT_F1 else None,
        trivial={"by lot": float(y.mean())},
    )
