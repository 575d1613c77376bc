"""What the wording says of a row comes from models that have seen neither its fold nor the one held out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from handoff.models.slots import SLOTS, slotted, wording_columns
from handoff.simulate import simulate
from handoff.training import text_folds
from handoff.training.rows import Table, table
from handoff.training.text_folds import TextFolds
from handoff.transcript import Message


@pytest.fixture(scope="module")
def rows() -> Table:
    return table(simulate(60, 3), "escalated")


def read(rows: Table, held: int | None) -> np.ndarray:
    folds = TextFolds(rows, rows.of % 3, penalties=(1.0,))
    return folds.out_of_fold() if held is None else folds.without(held)


def with_other_labels(rows: Table, fold: int) -> Table:
    """The same table, the labels of one fold turned round."""
    return replace(rows, y=np.where(rows.of % 3 == fold, 1 - rows.y, rows.y))


def leaks(rows: Table) -> list[str]:
    """Where a score depends on labels that it must not know."""
    turned, own = with_other_labels(rows, 1), rows.of % 3 == 1
    found = []
    if not np.array_equal(read(rows, None)[own], read(turned, None)[own]):
        found.append("a row's own fold")
    if not np.array_equal(read(rows, 1), read(turned, 1)):
        found.append("the fold held out")
    return found


def test_no_score_knows_its_own_label_nor_one_held_out(rows: Table) -> None:
    assert leaks(rows) == []
    turned = with_other_labels(rows, 1)
    assert not np.array_equal(read(rows, 0), read(turned, 0)), "the other folds' labels must count"


def test_a_planted_leak_into_the_wording_is_caught(rows: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = TextFolds._fit
    monkeypatch.setattr(TextFolds, "_fit", lambda self, left_out, penalty: honest(self, frozenset(), penalty))
    assert leaks(rows) == ["a row's own fold", "the fold held out"]


def test_the_serving_model_gives_a_row_what_the_table_gave_it(rows: Table) -> None:
    folds = TextFolds(rows, rows.of % 3, penalties=(1.0,))
    fitted = folds._fit(frozenset(), 1.0)
    everything = np.ones(len(rows), dtype=bool)
    expected = text_folds.with_sum(fitted.parts(folds._table, everything))
    assert wording_columns(folds.wording(), rows.recent) == pytest.approx(expected, abs=1e-4)


def test_each_text_stands_in_one_slot_and_earlier_ones_fade() -> None:
    said = [("customer", "a"), ("assistant", "b"), ("customer", "c"), ("customer", "d"), ("assistant", "e")]
    placed = list(slotted([Message(role=role, text=text) for role, text in said]))  # type: ignore[arg-type]
    assert placed == [(1, "e", 1.0), (0, "d", 1.0), (2, "c", 0.5), (3, "b", 0.5), (2, "a", 0.25)]
    assert max(slot for slot, _, _ in placed) < SLOTS


def test_while_the_customer_waits_no_reply_is_the_newest() -> None:
    said = [("customer", "a"), ("assistant", "b"), ("assistant", "c"), ("customer", "d")]
    placed = list(slotted([Message(role=role, text=text) for role, text in said]))  # type: ignore[arg-type]
    assert placed == [(0, "d", 1.0), (3, "c", 0.5), (3, "b", 0.25), (2, "a", 0.5)]


def test_nothing_said_adds_nothing(rows: Table) -> None:
    wording = TextFolds(rows, rows.of % 3, penalties=(1.0,)).wording()
    assert wording_columns(wording, [()]).tolist() == [[0.0] * (SLOTS + 1)]
