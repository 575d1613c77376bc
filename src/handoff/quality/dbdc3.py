"""DBDC3: does this turn of a chit-chat bot break the conversation down?

Learnt from the 415 dialogues of dev and scored on the 200 of eval, each turn of the bot from the chat up to and
including it. Thirty people judged each turn: the figures are the accuracy of the judgement that most gave, the F1 of
"breakdown", and the mean squared distance of the three shares. The way of learning and the shift of the shares that
decides which judgement is named come from cross-validation by dialogue on dev.
(Higashinaka et al., "Overview of Dialogue Breakdown Detection Challenge 3", 2017.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from handoff.features.follower import follow
from handoff.formats.dbdc3 import read_dbdc3, read_judgements
from handoff.formats.record import Found
from handoff.metrics import f1, resampled_interval
from handoff.models.encoder import Embeds
from handoff.quality.breakdown import BotTurn, Judge, by_trees, by_words, mean_of, shares
from handoff.quality.row import Row
from handoff.quality.settings import QualitySettings
from handoff.quality.texts import embeddings_of

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

SET, PROXY = "DBDC3", "the assistant cannot help (chit-chat, not support)"
INTERVAL = "bootstrap over dialogues"
BREAKDOWN = 2
FOLDS = 5
JUDGES: dict[str, Judge] = {"words": by_words, "trees": by_trees, "both": mean_of(by_words, by_trees)}
# How much the shares of "possible" and "breakdown" may be moved before the largest is named.
SHIFTS = np.round(np.arange(-0.1, 0.101, 0.02), 2)
# Untuned TF-IDF and logistic regression (the data's README); the aim is to be better by more than the interval.
FLOORS = {"accuracy": 0.453, "F1 of breakdown": 0.450, "squared error of the shares": 0.0200}


def rows(data: Path, settings: QualitySettings) -> Iterator[Row]:
    """Accuracy, F1 of breakdown and squared error on eval, beside policies that look at nothing."""
    dev, test = read_turns(data / "dbdc3" / "dev.jsonl.gz"), read_turns(data / "dbdc3" / "eval.jsonl.gz")
    vectors = embeddings_of((text for turn in (*dev, *test) for text in turn.said), settings)
    predicted, shift = predict(dev, test, vectors, settings)
    yield from figures(test, predicted, shift, np.tile(shares(dev).mean(axis=0), (len(test), 1)), settings.seed)


def read_turns(path: Path) -> list[BotTurn]:
    """Every judged turn of the bot in one file, dialogue by dialogue."""
    found = [record.conversation for record in read_dbdc3(path) if isinstance(record, Found)]
    turns = []
    for number, (conversation, judgements) in enumerate(zip(found, read_judgements(path), strict=True)):
        texts = tuple(message.text for message in conversation.messages)
        roles = tuple(message.role for message in conversation.messages)
        for index, (moment, counts) in enumerate(zip(follow(conversation), judgements, strict=True)):
            if counts is not None:
                given = np.array([counts.O, counts.T, counts.X], dtype=np.float64)
                row = np.array(moment.row)
                turns.append(BotTurn(number, texts[: index + 1], roles[: index + 1], row, given / given.sum()))
    return turns


def predict(
    dev: Sequence[BotTurn], test: Sequence[BotTurn], vectors: Embeds, settings: QualitySettings
) -> tuple[Floats, Floats]:
    """Shares of the turns of test, array of shape (n_test, 3), and the shift to name one by, of shape (3,).

    The labels of test are not looked at.
    """
    scored = {name: out_of_fold(judge, dev, vectors, settings) for name, judge in JUDGES.items() if name != "both"}
    scored["both"] = np.mean(list(scored.values()), axis=0)
    best = min(scored, key=lambda name: float(((scored[name] - shares(dev)) ** 2).mean()))
    return JUDGES[best](dev, test, vectors, settings), choose_shift(scored[best], shares(dev))


def dialogue_folds(turns: Sequence[BotTurn]) -> Integers:
    """The fold of each turn, array of shape (n_turns,): a dialogue is never cut."""
    return np.array([turn.dialogue for turn in turns]) % FOLDS


def out_of_fold(judge: Judge, turns: Sequence[BotTurn], vectors: Embeds, settings: QualitySettings) -> Floats:
    """Shares of every turn by a judge that has seen nothing of its dialogue: array of shape (n_turns, 3)."""
    fold = dialogue_folds(turns)
    found = np.empty((len(turns), 3))
    for held in range(FOLDS):
        learn = [turn for turn, of in zip(turns, fold, strict=True) if of != held]
        asked = [turn for turn, of in zip(turns, fold, strict=True) if of == held]
        found[fold == held] = judge(learn, asked, vectors, settings)
    return found


def choose_shift(predicted: Floats, given: Floats) -> Floats:
    """What to add to the shares so that the largest is most often the judgement that most people gave."""
    truth = given.argmax(axis=1)
    shifts = [np.array([0.0, possible, breakdown]) for possible in SHIFTS for breakdown in SHIFTS]
    return max(shifts, key=lambda shift: float(((predicted + shift).argmax(axis=1) == truth).mean()))


def figures(test: Sequence[BotTurn], predicted: Floats, shift: Floats, constant: Floats, seed: int) -> Iterator[Row]:
    """One row a metric, with the same metric of always and never calling a breakdown and of the mean of dev."""
    given = shares(test)
    truth = given.argmax(axis=1)
    named, usual = (predicted + shift).argmax(axis=1), constant.argmax(axis=1)
    is_breakdown = (truth == BREAKDOWN).astype(np.int64)

    def hits(calls: Integers, weight: Floats) -> float:
        return float(np.average(calls == truth, weights=weight))

    def found(calls: Integers, weight: Floats) -> float:
        return f1(is_breakdown, calls == BREAKDOWN, weight)

    def distance(values: Floats, weight: Floats) -> float:
        return float(np.average(((values - given) ** 2).mean(axis=1), weights=weight))

    of = np.array([turn.dialogue for turn in test])
    always = np.full(len(test), BREAKDOWN)
    ones = np.ones(len(test))
    yield _row("accuracy", lambda w: hits(named, w), of, seed, {"most frequent of dev": hits(usual, ones)})
    trivial = {"always breakdown": found(always, ones), "never": 0.0}
    yield _row("F1 of breakdown", lambda w: found(named, w), of, seed, trivial)
    mean = {"mean of dev": distance(constant, ones)}
    yield _row("squared error of the shares", lambda w: distance(predicted, w), of, seed, mean, lower=True)


def _row(
    metric: str,
    measure: Callable[[Floats], float],
    of: Integers,
    seed: int,
    trivial: dict[str, float],
    lower: bool = False,
) -> Row:
    ours = resampled_interval(measure, of, seed)
    half = 0.0 if ours.low is None or ours.high is None else (ours.high - ours.low) / 2
    floor = FLOORS[metric]
    return Row(
        set=SET,
        task="judgement of each turn of the bot, eval",
        proxy_for=PROXY,
        metric=metric,
        ours=ours,
        interval=INTERVAL,
        floor=floor,
        aim=floor - half if lower else floor + half,
        trivial=trivial,
        lower_is_better=lower,
    )
