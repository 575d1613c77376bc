"""Single queries: folds keep like texts together, thresholds come from training alone, and figures are hand-checked."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import matthews_corrcoef

from handoff.quality import encoders, hint3, intents, queries
from handoff.quality.queries import Queries, Reader, learn, text_folds
from handoff.quality.samples import Sample
from handoff.quality.settings import QualitySettings

GRAMS = Reader("n-grams", None)
SETTINGS = QualitySettings(work=Path("unused"), threads=1)
SUBJECTS = {
    "REFUND": ("refund my order", "money back please", "i want a refund", "refund the money"),
    "TRACK": ("where is my parcel", "track the parcel", "parcel status please", "has my parcel shipped"),
    "CHAT_WITH_AN_AGENT": ("talk to an agent", "human agent please", "connect me to a person", "agent now"),
}
PLACES = ("in paris", "in rome", "today", "again", "urgently")
TRAIN = Queries(
    *zip(
        *[(f"{text} {place}", intent) for intent, texts in SUBJECTS.items() for text in texts for place in PLACES],
        strict=True,
    )
)
ELSEWHERE = ("how tall is everest", "play some jazz", "what is the weather", "tell me a joke")

OUTSIDE = Queries(tuple(f"{text} {n}" for text in ELSEWHERE for n in range(4)), (hint3.OUT_OF_SCOPE,) * 16)


def write_sets(data: Path) -> None:
    """The three sets in small: official files, as their readers expect them."""
    for which in ("train", "test"):
        (data / "hint3" / which).mkdir(parents=True)
        for bot in hint3.BOTS:
            rows = [*zip(TRAIN.texts, TRAIN.intents, strict=True)]
            if which == "test":
                rows = [*rows[::7], *((text, hint3.OUT_OF_SCOPE) for text in ELSEWHERE)]
            _write(data / "hint3" / which / f"{bot.name}_{which}.csv", ("sentence", "label"), rows)
    (data / "banking77").mkdir()
    rows = [*zip(TRAIN.texts, TRAIN.intents, strict=True)]
    _write(data / "banking77" / "train.csv", ("text", "category"), rows)
    _write(data / "banking77" / "test.csv", ("text", "category"), [("  Refund my ORDER in paris", "REFUND"), *_new()])
    (data / "clinc150").mkdir()
    parts = {"train": rows, "test": _new(), "val": _new(), "oos_test": [(text, "oos") for text in ELSEWHERE]}
    with gzip.open(data / "clinc150" / "data_full.json.gz", "wt") as file:
        json.dump({**parts, "oos_train": parts["oos_test"], "oos_val": parts["oos_test"]}, file)


def _new() -> list[tuple[str, str]]:
    return [(f"{text} tomorrow", intent) for intent, texts in SUBJECTS.items() for text in texts[:2]]


def _write(path: Path, header: tuple[str, str], rows: Sequence[tuple[str, str]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the sets; queries are read by n-grams alone."""
    write_sets(tmp_path)
    for module in (hint3, intents):
        monkeypatch.setattr(module, "make_reader", lambda settings: (GRAMS, Unsaved()))
    return tmp_path


class Lengths:
    """An encoder that knows how long a text is, and no more."""

    dimensions = 1

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.array([[len(text)] for text in texts], dtype=np.float32)


class Unsaved:
    def save(self) -> None:
        pass


def test_hint3_gives_a_figure_a_bot_and_one_for_the_agent(data: Path) -> None:
    rows = list(hint3.rows(data, SETTINGS))
    assert [row.set for row in rows if row.metric == "MCC"] == [f"HINT3 {bot.name}" for bot in hint3.BOTS]
    assert all(row.ours.value is not None and row.ours.value > 0.5 for row in rows if row.metric == "MCC")
    assert sum(row.metric == "F1" and row.task == "needs an agent (3 of 13)" for row in rows) == 3


def test_banking77_is_scored_without_the_texts_of_train_too(data: Path) -> None:
    whole, fresh = intents.banking77_rows(data, SETTINGS)
    assert (whole.ours.value, fresh.ours.value) == (1.0, 1.0)
    assert whole.trivial["always the commonest"] == pytest.approx(3 / 7)
    assert fresh.trivial["always the commonest"] == pytest.approx(2 / 6)  # the copy in other capitals is left out


def test_clinc150_tells_what_is_out_of_scope(data: Path) -> None:
    inside, outside = intents.clinc150_rows(data, SETTINGS)
    assert inside.ours.value == 1.0
    assert outside.ours.value is not None
    assert outside.ours.value > 0.9


def test_out_of_scope_is_the_further_its_class_is_above_the_best_intent() -> None:
    texts = ("refund my order", "where is my parcel", "play some jazz")
    fitted = learn(Queries((*TRAIN.texts, *OUTSIDE.texts), (*TRAIN.intents, *[intents.OUT_OF_SCOPE] * 16)), GRAMS)
    named, doubt = intents.claims(fitted, Queries(texts, ("?",) * 3))
    assert named[:2].tolist() == ["REFUND", "TRACK"]
    assert named[2] != intents.OUT_OF_SCOPE
    assert doubt[2] > 0 > max(doubt[:2])
    margins = dict(zip(fitted.intents, fitted.margins(texts)[0], strict=True))
    assert doubt[0] == pytest.approx(margins.pop(intents.OUT_OF_SCOPE) - max(margins.values()))


def chats_about_failures() -> Sample:
    """Chats that fail after a reply that found nothing."""
    y = np.arange(40) % 2
    reply = tuple("Sorry, I found nothing." if bad else "Here it is." for bad in y)
    newest = tuple(f"and number {n % 5}" for n in range(40))
    return Sample("chats", "a failure", np.zeros((40, 1)), newest, reply, y, np.arange(40), np.arange(40) >= 30)


def test_every_reader_gets_a_figure_a_set_and_a_price(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_grams = Reader("static", Lengths(), grams=False)
    monkeypatch.setattr(encoders, "readers", lambda settings: [GRAMS, no_grams])
    monkeypatch.setattr(encoders.routing, "rows", lambda data, settings: ())
    monkeypatch.setattr(encoders, "chats", lambda data: [chats_about_failures()])
    rows = list(encoders.compare_encoders(data, SETTINGS))
    sets = {*(f"HINT3 {bot.name}" for bot in hint3.BOTS), "BANKING77", "CLINC150", "chats", "price"}
    assert {row.set for row in rows} == sets
    of_a_reader = [row.set for row in rows[: len(rows) // 2]]
    assert [(row.task, row.set) for row in rows] == [*product(("n-grams", "static"), of_a_reader)]
    assert next(row.ours.value for row in rows if row.set == "chats") == 1.0
    assert all(row.trivial for row in rows if row.set != "price")
    assert all(row.ours.value is not None for row in rows)
    assert all((row.ours.value or 0.0) >= 0 for row in rows if row.set == "price")


@pytest.mark.parametrize("seed", range(3))
def test_like_texts_share_a_fold(seed: int) -> None:
    fold = text_folds(["Hi there", "hi  THERE", "refund", "parcel", "agent", "human"], seed)
    assert fold[0] == fold[1]
    assert len(set(fold)) == 5


class Asks:
    """Notes which texts a model was taught."""

    def __init__(self) -> None:
        self.taught: list[frozenset[str]] = []

    def learn(self, given: Queries, reader: Reader) -> queries.Classifier:
        self.taught.append(frozenset(given.texts))
        return learn(given, reader)


def test_no_query_is_scored_by_a_model_that_was_taught_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asks = Asks()
    monkeypatch.setattr(hint3, "learn", asks.learn)
    inside, far = hint3.out_of_fold(TRAIN, OUTSIDE, GRAMS, 7)
    assert (len(inside), len(far)) == (len(TRAIN), len(OUTSIDE))
    assert np.isfinite(inside).all()
    for text in (*TRAIN.texts, *OUTSIDE.texts):
        assert sum(text not in taught for taught in asks.taught) == 1


def test_an_intent_that_was_not_taught_is_never_called() -> None:
    margins = hint3.unforeseen(TRAIN, OUTSIDE, GRAMS, 7)
    called = np.array(sorted(set(TRAIN.intents)))[margins.argmax(axis=1)]
    assert not (called == np.array(TRAIN.intents)).any()


def test_the_threshold_looks_at_no_test_query(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted leak would show: with the test files gone, the threshold is the same."""
    train = {bot.name: hint3.side(data, "train", bot.name) for bot in hint3.BOTS}
    outside = hint3.out_of_scope("curekart", {**train, "powerplay11": OUTSIDE}, hint3.clinc_out_of_scope(data))
    arguments = (train["curekart"], outside, GRAMS, 7)
    before = hint3.choose_threshold(*arguments)
    for file in (data / "hint3" / "test").iterdir():
        file.unlink()
    assert hint3.choose_threshold(*arguments) == before


@pytest.mark.parametrize("seed", range(5))
def test_mcc_is_scikit_learns(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, called = (rng.choice(["a", "b", "c", "out"], 60) for _ in range(2))
    weight: NDArray[np.float64] = rng.random(60)
    expected = matthews_corrcoef(truth, called, sample_weight=weight)
    assert hint3.mcc(truth, called, weight) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("threshold", "called"),
    [
        pytest.param(0.0, ["a", "b"], id="over the threshold the highest margin decides"),
        pytest.param(0.5, ["a", "out"], id="under it the query is out of scope"),
        pytest.param(0.9, ["a", "out"], id="at the threshold it is in scope"),
    ],
)
def test_calls(threshold: float, called: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hint3, "OUT_OF_SCOPE", "out")
    assert hint3.call(np.array([[0.9, 0.1], [-1.0, 0.2]]), ("a", "b"), threshold).tolist() == called
