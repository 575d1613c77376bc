"""Triggers on public queries: the map is whole, and what counts on a small set made by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from handoff.decision import Judge
from handoff.quality.settings import QualitySettings
from handoff.quality.triggers import Calls, QuerySet, marks_of, query_sets, rows
from handoff.rules import load_rules

TEXTS = {
    "Can I get my money back?": "request_refund",
    "Where is my card?": "card_arrival",
    "I want a refund": "card_arrival",
    "refund me": "extra_charge",
}
OF = QuerySet(
    "banking77", "test.csv", {"dispute_or_refund": Calls(frozenset({"request_refund"}), frozenset({"extra_charge"}))}
)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "banking77").mkdir()
    lines = ["text,category", *(f"{text},{intent}" for text, intent in TEXTS.items())]
    (tmp_path / "banking77" / "test.csv").write_text("\n".join(lines) + "\n", "utf-8")
    return tmp_path


def test_an_intent_calls_for_a_trigger_or_does_not_or_counts_for_nothing(data: Path) -> None:
    marks = list(marks_of(OF, data, Judge.by_rules()))
    assert [(mark.expected, mark.fired) for mark in marks] == [(True, True), (False, False), (False, True)]


def test_rows_show_numerator_and_denominator(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handoff.quality.triggers.query_sets", lambda: {"banking77": OF})
    found = {row.metric: (row.task, row.ours.value) for row in rows(data, QualitySettings(work=data))}
    assert found == {
        "recall": ("dispute_or_refund, 1 of 1", 1.0),
        "precision": ("dispute_or_refund, 1 of 2", 0.5),
        "quiet where it must be": ("dispute_or_refund, 1 of 2", 0.5),
    }


def test_the_map_names_rules_and_no_intent_twice() -> None:
    known = {rule.id for rule in load_rules().rules}
    for of in query_sets().values():
        assert set(of.triggers) <= known
        assert all(intents.calls.isdisjoint(intents.may) for intents in of.triggers.values())
