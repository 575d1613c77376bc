"""Conditions made ready say what the tests of the file say, for every number and every change."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoff.features import FEATURE_NAMES, follow
from handoff.rules import RuleBook, Watch, load_rules, name_facts
from handoff.rules.book import DECIMALS, NUMBER_TESTS, NumberTest, Rule
from handoff.rules.condition import conditions
from handoff.transcript import Conversation
from tests.strategies import conversations

BOOK = load_rules()


def holds(test: str, limit: float, value: float) -> bool:
    rule = Rule("r", "t", "confidence", ((NumberTest("confidence_last", 0, test, limit),),), "rapid", "complaint", "s")
    return conditions([rule]).all[0].holds([value], {})


@pytest.mark.parametrize("test", NUMBER_TESTS)
@given(
    limit=st.one_of(st.sampled_from([0.0, 0.2, 0.7, 1.0, 3.0, -0.5]), st.floats(-1e9, 1e9)),
    near=st.one_of(st.floats(-2e-6, 2e-6), st.floats(-1e6, 1e6)),
)
def test_a_comparison_is_the_test_of_the_rounded_number(test: str, limit: float, near: float) -> None:
    limit = round(limit, DECIMALS)
    for value in (limit + near, math.nextafter(limit + near, math.inf), limit + 5e-7, limit - 5e-7, limit):
        assert holds(test, limit, value) == NUMBER_TESTS[test](round(value, DECIMALS), limit), (value, limit)


@pytest.mark.parametrize("test", NUMBER_TESTS)
def test_a_missing_number_passes_no_test(test: str) -> None:
    assert not holds(test, 0.5, math.nan)


def test_a_fall_of_twenty_points_counts_as_it_looks() -> None:
    assert holds("at_least", 0.2, 0.95 - 0.75)
    assert not holds("above", 0.2, 0.95 - 0.75)


def slow(book: RuleBook, conversation: Conversation) -> list[list[tuple[str, str]]]:
    """The obvious way: every rule of the file asked anew after every message."""
    names, found, since, episode = name_facts(conversation), [], dict[str, str](), 0
    for moment in follow(conversation):
        if moment.episode != episode or moment.owner == "human" or moment.message.event == "declined":
            since, episode = {}, moment.episode
        if moment.owner == "human" or moment.message.event in ("declined", "resolved"):
            found.append([])
            continue
        held = [c for c in book.conditions.all if not (moment.declined and c.is_about_facts)]
        held = [c for c in held if any(_passes(c.rule, g, moment.row_since_decline, names) for g in c.rule.when)]
        since = {c.rule.id: since.get(c.rule.id, moment.message.message_id or "") for c in held}
        shown = dict(zip(FEATURE_NAMES, moment.row_since_decline, strict=True))
        found.append([(since[c.rule.id], c.rule.says.format_map(shown)) for c in held])
    return found


def _passes(rule: Rule, group: object, row: tuple[float, ...], names: dict[str, str | None]) -> bool:
    for test in group:  # type: ignore[attr-defined]
        if isinstance(test, NumberTest):
            if not NUMBER_TESTS[test.test](round(row[test.column], DECIMALS), test.limit):
                return False
        elif (names.get(test.fact) or "").casefold() not in test.names:
            return False
    return True


@given(conversation=conversations())
def test_asking_only_what_a_change_concerns_equals_asking_everything(conversation: Conversation) -> None:
    watch = Watch(BOOK, name_facts(conversation))
    found = [[(f.message_id, f.says) for f in watch.step(moment)] for moment in follow(conversation)]
    assert found == slow(BOOK, conversation)
