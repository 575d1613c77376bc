"""Turns are judged from the chat so far, learnt by whole dialogues of dev, and test labels change nothing."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest

from handoff.quality import breakdown
from handoff.quality.breakdown import BotTurn, by_trees, by_words, dense, shares
from handoff.quality.dbdc3 import BREAKDOWN, choose_shift, dialogue_folds, figures, predict, read_turns
from handoff.quality.settings import QualitySettings

SETTINGS = QualitySettings(work=Path("unused"), threads=1)
GOOD = ("nice to hear", "that sounds like fun", "which film do you like")
BAD = ("banana banana", "no", "i do not know")
ASKED = ("do you like films", "what is your name", "hello there friend")


class Letters:
    """Vectors of letter counts, in place of an encoder."""

    dimensions = 26

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        counts = np.array([[text.count(chr(97 + n)) for n in range(26)] for text in texts], dtype=np.float32)
        return counts / np.maximum(1, np.linalg.norm(counts, axis=1, keepdims=True))


def dialogue(number: int, turns: int = 8) -> dict[str, object]:
    rng = Random(number)
    said: list[dict[str, object]] = []
    for _ in range(turns // 2):
        bad = rng.random() < 0.5
        people = {"O": 3, "T": 7, "X": 20} if bad else {"O": 20, "T": 7, "X": 3}
        said += [
            {"speaker": "user", "text": rng.choice(ASKED)},
            {"speaker": "bot", "text": rng.choice(BAD if bad else GOOD), "breakdown": people},
        ]
    return {"dialogue_id": f"D{number}", "turns": said}


def turns_of(tmp_path: Path, dialogues: Sequence[dict[str, object]]) -> list[BotTurn]:
    path = tmp_path / "dev.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, dialogues)).encode()))
    return read_turns(path)


@pytest.fixture
def dev(tmp_path: Path) -> list[BotTurn]:
    return turns_of(tmp_path, [dialogue(number) for number in range(30)])


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breakdown, "ROUNDS", 8)


def inputs_before(turns: Sequence[BotTurn], last: int) -> list[list[float]]:
    return [list(row) for turn, row in zip(turns, dense(turns, Letters()), strict=True) if len(turn.said) <= last]


def test_no_input_reads_what_comes_after_the_turn(tmp_path: Path) -> None:
    known, other = dialogue(1), dialogue(1)
    other["turns"] = [*known["turns"][:4], *dialogue(2)["turns"][4:]]  # type: ignore[index]
    before, after = (turns_of(tmp_path, [each]) for each in (known, other))
    assert str(inputs_before(before, 4)) == str(inputs_before(after, 4))
    assert str(inputs_before(before, 8)) != str(inputs_before(after, 8)), "the two do differ later on"


@pytest.mark.parametrize("judge", [by_words, by_trees])
def test_shares_of_what_was_learnt_come_back_and_sum_to_one(dev: list[BotTurn], judge: breakdown.Judge) -> None:
    found = judge(dev[:80], dev[80:], Letters(), SETTINGS)
    assert found.sum(axis=1) == pytest.approx(1)
    assert (found.argmax(axis=1) == shares(dev[80:]).argmax(axis=1)).mean() > 0.9


def cut_dialogues(turns: Sequence[BotTurn], folds: Sequence[int]) -> set[int]:
    """The dialogues that lie in two folds."""
    of: dict[int, set[int]] = {}
    for turn, fold in zip(turns, folds, strict=True):
        of.setdefault(turn.dialogue, set()).add(int(fold))
    return {dialogue for dialogue, seen in of.items() if len(seen) > 1}


def test_no_dialogue_is_cut_by_the_folds(dev: list[BotTurn]) -> None:
    assert cut_dialogues(dev, dialogue_folds(dev).tolist()) == set()


def test_planted_folds_by_turn_are_caught(dev: list[BotTurn]) -> None:
    assert cut_dialogues(dev, [n % 5 for n in range(len(dev))]) != set()


def test_neither_shares_nor_shift_depend_on_the_labels_of_test(dev: list[BotTurn]) -> None:
    learn, test = dev[:80], dev[80:]
    flipped = [replace(turn, shares=turn.shares[::-1].copy()) for turn in test]
    p, shift = predict(learn, test, Letters(), SETTINGS)
    again, other = predict(learn, flipped, Letters(), SETTINGS)
    assert np.array_equal(p, again) and np.array_equal(shift, other)


def test_a_planted_shift_chosen_on_test_is_caught(dev: list[BotTurn]) -> None:
    given = shares(dev)
    unsure = np.clip(given, 0.3, 0.36)
    flipped = given[:, ::-1]
    assert not np.array_equal(choose_shift(unsure, given), choose_shift(unsure, flipped[:, [2, 0, 1]]))


def test_the_figures_are_those_of_the_definitions(dev: list[BotTurn]) -> None:
    given = shares(dev)
    perfect = {row.metric: row for row in figures(dev, given, np.zeros(3), given, seed=1)}
    assert perfect["accuracy"].ours.value == 1 and perfect["F1 of breakdown"].ours.value == 1
    assert perfect["squared error of the shares"].ours.value == 0
    wrong = np.tile([0.0, 0.0, 1.0], (len(dev), 1))
    rows = {row.metric: row for row in figures(dev, wrong, np.zeros(3), given, seed=1)}
    rate = float((given.argmax(axis=1) == BREAKDOWN).mean())
    assert rows["accuracy"].ours.value == pytest.approx(rate)
    assert rows["F1 of breakdown"].ours.value == pytest.approx(2 * rate / (1 + rate))
    assert rows["F1 of breakdown"].trivial["always breakdown"] == pytest.approx(2 * rate / (1 + rate))
    assert rows["squared error of the shares"].ours.value == pytest.approx(((wrong - given) ** 2).mean())
