"""Rules in words."""

from __future__ import annotations

import pytest

from handoff.rules import load_rules
from handoff.rules.words import condition_in_words


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("confidence_low", "confidence_min below 0.6"),
        ("enterprise_outage", "outage_count at least 1 and enterprise at least 1"),
        ("region", "region is one of a list that is empty"),
    ],
)
def test_a_condition_reads(rule: str, words: str) -> None:
    assert condition_in_words(load_rules()[rule]) == words


def test_alternatives_read() -> None:
    rule = load_rules()["confidence_low"]
    twice = type(rule)(**{f: getattr(rule, f) for f in rule.__struct_fields__} | {"when": rule.when * 2})
    assert condition_in_words(twice) == "confidence_min below 0.6; or confidence_min below 0.6"
