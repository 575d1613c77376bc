"""Rules as an analyst reads them: the condition as a sentence."""

from __future__ import annotations

from handoff.rules.book import NameTest, Rule, Test

_TESTS = {"below": "below", "at_most": "at most", "at_least": "at least", "above": "above"}


def condition_in_words(rule: Rule) -> str:
    """When the rule fires, with its features named: "outage_count at least 1 and enterprise at least 1"."""
    return "; or ".join(" and ".join(_test_in_words(test) for test in group) for group in rule.when)


def _test_in_words(test: Test) -> str:
    if isinstance(test, NameTest):
        names = ", ".join(sorted(test.names)) or "a list that is empty"
        return f"{test.fact} is one of {names}"
    return f"{test.feature} {_TESTS[test.test]} {test.limit:g}"
