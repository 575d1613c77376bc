"""USS: what a sample may know, which folds it is in, and leaks that a planted mistake shows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest
from msgspec.structs import replace as replace_in

from handoff.features.follower import Moment
from handoff.quality import turns as turns_module
from handoff.quality import uss
from handoff.quality.settings import QualitySettings
from handoff.quality.turn_inputs import Inputs, inputs_of
from handoff.quality.turns import FOLDS, Turns, by_dialogue, contiguous, read_turns, torn
from handoff.transcript import Conversation

GOOD, BAD = "Here is what you asked for.", "Sorry, I found nothing."
DIALOGUES = 60


def written(path: Path, coming: str = "and a table for {n}", rating: str = "") -> Path:
    """A small set in the format: users are dissatisfied after a reply that found nothing."""
    rng, lines = Random(5), []
    for dialogue in range(DIALOGUES):
        lines.append("USER\thello, I need help\tX\t3,3,3")
        for turn in range(4):
            found = rng.random() < 0.7
            lines.append(f"SYSTEM\t{GOOD if found else BAD}\tX\t")
            last = dialogue == DIALOGUES - 1 and turn == 3
            text = coming.format(n=turn) if last else f"and a table for {turn}"
            lines.append(f"USER\t{text}\tX\t{rating if last and rating else '3,3,4' if found else '2,2,3'}")
        lines += ["USER\tOVERALL\t\t3,3,3", ""]
    path.write_text("\n".join(lines), "utf-8")
    return path


@pytest.fixture(scope="module")
def turns(tmp_path_factory: pytest.TempPathFactory) -> Turns:
    return read_turns(written(tmp_path_factory.mktemp("uss") / "SGD.txt"))


def test_every_user_turn_and_every_overall_row_is_a_sample(turns: Turns) -> None:
    assert len(turns) == DIALOGUES * 6 and turns.overall.sum() == DIALOGUES
    assert turns.recent[0] == () and np.isnan(turns.X[0]).all(), "nothing is known before the first turn"
    assert turns.recent[1][0].text == "hello, I need help"


def knows_the_coming_turn(folder: Path) -> list[str]:
    """What a sample knows of the turn that it predicts: its words, or its rating."""
    plain = read_turns(written(folder / "SGD.txt"))
    reworded = read_turns(written(folder / "SGD.txt", coming="I WANT TO TALK TO A HUMAN!!!"))
    rerated = read_turns(written(folder / "SGD.txt", rating="1,1,1"))
    sample = len(plain) - 2  # the last is the OVERALL row, which comes after the whole dialogue
    known = {"words": reworded, "rating": rerated}
    return [
        what
        for what, other in known.items()
        if not np.array_equal(plain.X[sample], other.X[sample], equal_nan=True)
        or plain.recent[sample] != other.recent[sample]
    ]


def test_a_sample_knows_nothing_of_the_coming_turn(tmp_path: Path) -> None:
    assert knows_the_coming_turn(tmp_path) == []


def test_a_feature_that_reads_the_coming_message_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = turns_module.follow

    def leaking(conversation: Conversation) -> list[Moment]:
        """Each moment with the row and the texts of the one after it."""
        moments = list(honest(conversation))
        later = [*moments[1:], moments[-1]]
        return [replace_in(m, row=n.row, recent=n.recent) for m, n in zip(moments, later, strict=True)]

    monkeypatch.setattr(turns_module, "follow", leaking)
    assert "words" in knows_the_coming_turn(tmp_path)


def test_folds_are_contiguous_in_file_order_and_of_one_size() -> None:
    fold = contiguous(1_003)
    assert (np.diff(fold) >= 0).all() and set(np.bincount(fold)) == {100, 101}


def test_no_dialogue_is_on_both_sides_of_grouped_folds(turns: Turns) -> None:
    assert torn(turns, by_dialogue(turns, 7)) == []
    assert len(torn(turns, contiguous(len(turns)))) <= FOLDS - 1


def test_a_duplicate_across_folds_is_caught(turns: Turns) -> None:
    fold = by_dialogue(turns, 7)
    fold[0] = (fold[0] + 1) % FOLDS
    assert torn(turns, fold) == [0]


@pytest.fixture(scope="module")
def inputs(turns: Turns, trained_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    work = tmp_path_factory.mktemp("work")
    (work / "encoders").symlink_to(trained_models / "encoders")
    return inputs_of(turns, QualitySettings(work=work, threads=1))


def test_labels_of_the_test_fold_change_nothing_and_those_of_the_others_do(turns: Turns, inputs: Inputs) -> None:
    test = by_dialogue(turns, 7) == 0
    before = uss.predicted_from(turns, inputs, test, seed=7)
    for kept, same in ((test, True), (~test, False)):
        swapped = np.where(kept[:, None], turns.shares[:, ::-1], turns.shares)
        other = replace(turns, rating=np.where(kept, 6 - turns.rating, turns.rating), shares=swapped)
        after = uss.predicted_from(other, inputs, test, seed=7)
        assert np.array_equal(before.low, after.low) is same
        if same:
            assert np.array_equal(before.rating, after.rating)
            assert np.array_equal(before.dissatisfied, after.dissatisfied)


def test_it_learns_what_is_there_to_learn(turns: Turns, inputs: Inputs) -> None:
    test = by_dialogue(turns, 7) < 3
    found = uss.predicted_from(turns, inputs, test, seed=7)
    low = turns.dissatisfied[test]
    assert found.dissatisfied[low].mean() > 0.9 and found.dissatisfied[~low].mean() < 0.1
    assert set(found.rating[low].tolist()) == {2}
