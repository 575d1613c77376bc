"""Conditions made ready to be asked after every message: which rules a change concerns, and plain comparisons.

A test compares a number rounded to six decimals. Rounding never changes the order of two numbers, so there is a
smallest number that rounds to the limit or above; it is found once, and comparing with it is the same test.
"""

from __future__ import annotations

import math
import string
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from handoff.features import FEATURE_NAMES, FEATURES
from handoff.features.table import Fact
from handoff.rules.book import DECIMALS, NUMBER_TESTS, NameTest, NumberTest, Rule, Test
from handoff.rules.confidence import CONFIDENCE_FEATURES

_FACTS = frozenset(feature.name for feature in FEATURES if isinstance(feature.source, Fact))

Row = Sequence[float]
Names = Mapping[str, str | None]
Columns = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Comparison(msgspec.Struct, frozen=True):
    """Passes below `cut`, or else from `cut` on. A missing number is NaN, which passes neither."""

    column: int
    is_below: bool
    cut: float

    def passes(self, row: Row) -> bool:
        value = row[self.column]
        return value < self.cut if self.is_below else value >= self.cut

    def passed(self, rows: Columns) -> Flags:
        """The same of many rows, array of shape (n_features, n_rows): array of shape (n_rows,)."""
        values = rows[self.column]
        found: Flags = values < self.cut if self.is_below else values >= self.cut
        return found


class Group(msgspec.Struct, frozen=True):
    """Tests that must all pass."""

    comparisons: tuple[Comparison, ...]
    names: tuple[NameTest, ...]

    def passes(self, row: Row, names: Names) -> bool:
        for comparison in self.comparisons:
            if not comparison.passes(row):
                return False
        return all(_is_among(test, names) for test in self.names)

    def passed(self, rows: Columns, names: Sequence[Names], whose: NDArray[np.intp]) -> Flags:
        """The same of many rows, as `Condition.held`."""
        found = np.ones(len(whose), dtype=np.bool_)
        for comparison in self.comparisons:
            found &= comparison.passed(rows)
        if self.names:
            found &= np.array([all(_is_among(test, each) for test in self.names) for each in names])[whose]
        return found


class Condition(msgspec.Struct, frozen=True):
    """When a rule holds, and what it says then. `shown` are the features of its sentence, with their columns;
    `confidence` are the parts of the sentence that show the AI's confidence."""

    rule: Rule
    groups: tuple[Group, ...]
    is_about_facts: bool
    shown: tuple[tuple[str, int], ...]
    confidence: tuple[str, ...] = ()

    def holds(self, row: Row, names: Names) -> bool:
        return any(group.passes(row, names) for group in self.groups)

    def held(self, rows: Columns, names: Sequence[Names], whose: NDArray[np.intp]) -> Flags:
        """The same of many rows, array of shape (n_features, n_rows): array of shape (n_rows,). `whose` (n_rows,) says
        whose `names` are a row's."""
        held: Flags = np.logical_or.reduce([group.passed(rows, names, whose) for group in self.groups])
        return held

    def sentence(self, row: Row, raw: Row) -> str:
        """What the rule says of a row, and what the confidence in it was as reported, where `raw` differs."""
        if "{" not in self.rule.says:
            return self.rule.says
        says = self.rule.says.format_map(self._values(row))
        return says if row is raw or not self.confidence else says + self._reported(row, raw)

    def _reported(self, row: Row, raw: Row) -> str:
        used, before = ([part.format_map(self._values(each)) for part in self.confidence] for each in (row, raw))
        return "" if used == before else f" (calibrated; reported as {', '.join(before)})"

    def _values(self, row: Row) -> dict[str, float]:
        return {name: row[column] for name, column in self.shown}


class Conditions(msgspec.Struct, frozen=True):
    """All conditions of a book in its order; `readers` are, by column, the places of those that read it."""

    all: tuple[Condition, ...]
    readers: tuple[tuple[int, ...], ...]


def conditions(rules: Sequence[Rule]) -> Conditions:
    """The conditions of rules, in their order."""
    made = tuple(_condition(rule) for rule in rules)
    read = [
        {c.column for group in each.groups for c in group.comparisons} | {c for _, c in each.shown} for each in made
    ]
    columns = range(len(FEATURE_NAMES))
    return Conditions(made, tuple(tuple(k for k, its in enumerate(read) if column in its) for column in columns))


def _condition(rule: Rule) -> Condition:
    tests = [test for group in rule.when for test in group]
    parts = [(field, spec) for _, field, spec, _ in string.Formatter().parse(rule.says) if field is not None]
    shown = {field for field, _ in parts}
    return Condition(
        rule=rule,
        groups=tuple(_group(group) for group in rule.when),
        is_about_facts=all(
            isinstance(t, NameTest) or (isinstance(t, NumberTest) and t.feature in _FACTS) for t in tests
        ),
        shown=tuple((name, FEATURE_NAMES.index(name)) for name in sorted(shown)),
        confidence=tuple(f"{{{field}:{spec}}}" for field, spec in parts if field in CONFIDENCE_FEATURES),
    )


def _group(tests: Sequence[Test]) -> Group:
    return Group(
        comparisons=tuple(_comparison(test) for test in tests if isinstance(test, NumberTest)),
        names=tuple(test for test in tests if isinstance(test, NameTest)),
    )


def _comparison(test: NumberTest) -> Comparison:
    is_below = test.test in ("below", "at_most")
    # Where a number that rounds to the limit itself belongs to the larger ones, the cut is the smallest such number.
    with_limit = NUMBER_TESTS[test.test](test.limit, test.limit) != is_below
    return Comparison(test.column, is_below, smallest(test.limit, with_limit=with_limit))


def smallest(limit: float, *, with_limit: bool) -> float:
    """The smallest number that is, rounded, above the limit, or at the limit or above."""
    if math.isinf(limit):
        return limit
    low, high = (limit + math.copysign(max(10.0**-DECIMALS, math.ulp(limit)), sign) for sign in (-1, 1))
    while math.nextafter(low, math.inf) < high:
        middle = low + (high - low) / 2
        rounded = round(middle, DECIMALS)
        low, high = (low, middle) if rounded > limit or (with_limit and rounded == limit) else (middle, high)
    return high


def _is_among(test: NameTest, names: Names) -> bool:
    name = names.get(test.fact)
    return name is not None and name.casefold() in test.names
