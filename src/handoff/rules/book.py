"""Read the rules from their YAML file, and refuse a file that does not hold together.

Every error names the file, the rule, the field and, for a misspelt name, the nearest valid one.
"""

from __future__ import annotations

import hashlib
import operator
import string
from collections.abc import Callable
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import msgspec
import yaml

from handoff.errors import BadPolicy, nearest
from handoff.features import FEATURE_NAMES
from handoff.rules.confidence import ConfidenceCalibration, load_confidence
from handoff.rules.reasons import REASONS

if TYPE_CHECKING:
    from handoff.rules.condition import Conditions

Urgency = Literal["immediate", "rapid", "scheduled"]
Group = Literal[
    "confidence", "keywords", "behaviour", "complexity", "urgency", "account", "history", "region",
    "duration", "satisfaction", "necessity",
]  # fmt: skip
Status = Literal["live", "trial"]

NUMBER_TESTS: dict[str, Callable[[float, float], bool]] = {
    "below": operator.lt,
    "at_most": operator.le,
    "at_least": operator.ge,
    "above": operator.gt,
}
NAME_FACTS = ("region", "plan", "channel", "locale")  # facts that are names, tested with `in`

# Numbers are compared after rounding, so that 0.95 - 0.75 is the 20 points that it looks like.
DECIMALS = 6


class NumberTest(msgspec.Struct, frozen=True):
    """A feature against a limit. A missing feature passes no test."""

    feature: str
    column: int
    test: str
    limit: float


class NameTest(msgspec.Struct, frozen=True):
    """A fact that is a name against a list of names, capitals ignored. A missing fact passes no test."""

    fact: str
    names: frozenset[str]


Test = NumberTest | NameTest


class Rule(msgspec.Struct, frozen=True):
    """One rule. `when` holds alternatives; each is a group of tests that must all pass."""

    id: str
    title: str
    group: Group
    when: tuple[tuple[Test, ...], ...]
    urgency: Urgency
    reason: str
    says: str
    team: str | None = None
    tier: int | None = None
    status: Status = "live"
    fires_on: tuple[Any, ...] = ()
    quiet_on: tuple[Any, ...] = ()

    @property
    def features(self) -> frozenset[str]:
        """The features that the condition reads."""
        return frozenset(t.feature for group in self.when for t in group if isinstance(t, NumberTest))


class RuleBook(msgspec.Struct, frozen=True, dict=True):
    """All rules in the order of their file, and a digest of that file (twelve hexadecimal digits).

    With `confidence` they go by the assistant's calibrated confidence, and the digest covers that file too.
    """

    rules: tuple[Rule, ...]
    version: str
    confidence: ConfidenceCalibration | None = None

    @cached_property
    def conditions(self) -> Conditions:
        """The rules' conditions, made ready at first use."""
        from handoff.rules.condition import conditions  # which reads rules

        return conditions(self.rules)

    def __getitem__(self, rule_id: str) -> Rule:
        for rule in self.rules:
            if rule.id == rule_id:
                return rule
        raise KeyError(rule_id)


def load_rules(path: Path | None = None, confidence: Path | None = None) -> RuleBook:
    """The rules in `path`, or those that ship with the package; they go by confidence calibrated as `confidence` says.

    Raises `BadPolicy` for a file that is not YAML, a misspelt feature, field, test, urgency, reason or group, a
    repeated id, a sentence (`says`) that shows something other than features, and a calibration that does not hold.
    """
    name = str(path) if path else "rules.yaml"
    try:
        text = (
            path.read_text("utf-8")
            if path
            else resources.files("handoff.rules").joinpath("rules.yaml").read_text("utf-8")
        )
        loaded = yaml.safe_load(text)
    except OSError as error:
        raise BadPolicy(f"{name}: cannot be read ({error.strerror}); name a YAML file of rules") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadPolicy(f"{name}: not YAML ({' '.join(str(error).split())})") from None
    records = loaded.get("rules") if isinstance(loaded, dict) else None
    if not isinstance(records, list):
        raise BadPolicy(f"{name}: no list of rules; expected 'rules:' followed by records")
    rules = tuple(_rule(name, number, record) for number, record in enumerate(records, 1))
    _check_ids(name, rules)
    calibration, content = (None, b"") if confidence is None else load_confidence(confidence)
    return RuleBook(rules, hashlib.sha256(text.encode() + content).hexdigest()[:12], calibration)


def _check_ids(name: str, rules: tuple[Rule, ...]) -> None:
    seen: set[str] = set()
    for rule in rules:
        if rule.id in seen:
            raise BadPolicy(f"{name}, rule '{rule.id}': the id is used twice; give each rule an id of its own")
        seen.add(rule.id)


def _rule(name: str, number: int, record: Any) -> Rule:
    if not isinstance(record, dict) or not isinstance(record.get("id"), str) or not record["id"]:
        raise BadPolicy(
            f"{name}, rule number {number}: no id; expected a record with id, title, when, urgency, reason, says"
        )
    place = f"{name}, rule '{record['id']}'"
    known = Rule.__struct_fields__
    for field in record:
        if field not in known:
            raise BadPolicy(f"{place}: unknown field '{field}'{nearest(str(field), known)}")
    for field in ("title", "group", "when", "urgency", "reason", "says"):
        if record.get(field) is None:
            raise BadPolicy(f"{place}: field '{field}' is missing; every rule needs it")
    _one_of(place, "urgency", record["urgency"], get_args(Urgency))
    _one_of(place, "group", record["group"], get_args(Group))
    _one_of(place, "reason", record["reason"], tuple(REASONS))
    _one_of(place, "status", record.get("status", "live"), get_args(Status))
    _check_says(place, record["says"])
    if record.get("tier") is not None and record["tier"] not in (1, 2, 3, 4):
        raise BadPolicy(f"{place}: tier is {record['tier']!r}; expected 1, 2, 3 or 4")
    cases = {field: tuple(record.get(field) or ()) for field in ("fires_on", "quiet_on")}
    return Rule(**{**record, **cases, "when": _when(place, record["when"])})


def _one_of(place: str, field: str, value: Any, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise BadPolicy(f"{place}: unknown {field} '{value}'{nearest(str(value), allowed)}")


def _check_says(place: str, says: Any) -> None:
    if not isinstance(says, str):
        raise BadPolicy(f"{place}: says is {says!r}; expected a sentence")
    try:
        shown = [field for _, field, _, _ in string.Formatter().parse(says) if field is not None]
        for field in shown:
            if field not in FEATURE_NAMES:
                raise BadPolicy(f"{place}: says shows unknown feature '{field}'{nearest(field, FEATURE_NAMES)}")
        says.format_map(dict.fromkeys(shown, 1.0))
    except ValueError as error:
        raise BadPolicy(
            f"{place}: says cannot be filled in ({error}); write {{feature:.0%}} or {{feature:.0f}}"
        ) from None


def _when(place: str, when: Any) -> tuple[tuple[Test, ...], ...]:
    groups = when if isinstance(when, list) else [when]
    if not groups or not all(isinstance(group, dict) and group for group in groups):
        raise BadPolicy(f"{place}: when is empty; expected feature: {{below|at_most|at_least|above: number}}")
    return tuple(
        tuple(test for name, tests in group.items() for test in _tests(place, name, tests)) for group in groups
    )


def _tests(place: str, name: Any, tests: Any) -> list[Test]:
    if not isinstance(tests, dict) or not tests:
        raise BadPolicy(f"{place}: when '{name}' has no test; expected {{below|at_most|at_least|above: number}}")
    if name in NAME_FACTS:
        return [_name_test(place, name, tests)]
    if name not in FEATURE_NAMES:
        raise BadPolicy(f"{place}: unknown feature '{name}'{nearest(str(name), (*FEATURE_NAMES, *NAME_FACTS))}")
    return [_number_test(place, name, test, limit) for test, limit in tests.items()]


def _name_test(place: str, fact: str, tests: dict[str, Any]) -> NameTest:
    names = tests.get("in")
    if set(tests) != {"in"} or not isinstance(names, list) or not all(isinstance(n, str) for n in names):
        raise BadPolicy(f"{place}: '{fact}' is tested with {tests!r}; expected {{in: [a list of names]}}")
    return NameTest(fact, frozenset(n.casefold() for n in names))


def _number_test(place: str, feature: str, test: Any, limit: Any) -> NumberTest:
    if test not in NUMBER_TESTS:
        raise BadPolicy(f"{place}: unknown test '{test}' of '{feature}'{nearest(str(test), NUMBER_TESTS)}")
    if isinstance(limit, bool) or not isinstance(limit, int | float) or limit != limit:
        raise BadPolicy(f"{place}: '{feature}' {test} {limit!r}; expected a number")
    return NumberTest(feature, FEATURE_NAMES.index(feature), test, round(float(limit), DECIMALS))
