"""The scorer of trigger language, by hand: what counts as right, and which cases are counted at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from handoff.analytics.shares import share
from handoff.decision import Judge
from handoff.errors import BadInput
from handoff.quality.language import Case, Mark, fired_rules, marks, pooled, read_cases, score, shown, table


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge.by_rules()


def mark(expected: bool, fired: bool, rule: str = "anger") -> Mark:
    return Mark("case", rule, "plain", "en", expected, fired)


HIT, MISS, FALSE_ALARM, SILENT = mark(True, True), mark(True, False), mark(False, True), mark(False, False)


def test_precision_recall_and_quiet_by_hand() -> None:
    found = score([HIT, HIT, HIT, MISS, FALSE_ALARM, SILENT, SILENT])
    assert (found.precision.count, found.precision.of) == (3, 4)
    assert (found.recall.count, found.recall.of) == (3, 4)
    assert (found.quiet.count, found.quiet.of) == (2, 3)


def test_without_a_firing_there_is_no_precision() -> None:
    found = score([MISS, SILENT])
    assert (found.precision.share, found.recall.share, found.quiet.share) == (None, 0, 1)
    assert shown(found.precision) == "–"


def test_marks_are_pooled_by_name_in_order() -> None:
    by_rule = pooled([mark(True, True, "outage"), mark(True, False), mark(True, True)], lambda m: m.rule)
    assert {name: found.recall.count for name, found in by_rule.items()} == {"anger": 1, "outage": 1}
    assert list(by_rule) == ["anger", "outage"]


def test_a_figure_shows_numerator_denominator_and_interval() -> None:
    assert shown(share(3, 4)) == "3 of 4, .75 [.30, .95]"
    assert table({"anger": score([HIT, MISS])}, "trigger").splitlines()[-1].startswith("| anger | 1 of 1, 1.00 [")


def test_messages_are_read_one_after_another_and_joined(judge: Judge) -> None:
    assert "asks_for_human" in fired_rules(["can i talk", "to a person"], judge)
    assert "asks_for_human" not in fired_rules(["can i talk"], judge)


def test_a_rule_that_a_case_does_not_name_is_not_counted(judge: Judge) -> None:
    case = Case("c", "develop", "plain", "en", ("I want a refund, I am furious",), ("anger",), ("outage",))
    assert [(m.rule, m.expected, m.fired) for m in marks([case], judge)] == [
        ("anger", True, True),
        ("outage", False, False),
    ]


def test_a_rule_that_is_not_there_is_refused(judge: Judge) -> None:
    with pytest.raises(BadInput, match="unknown rule 'angry'"):
        list(marks([Case("c", "develop", "plain", "en", ("hi",), ("angry",))], judge))


@pytest.mark.parametrize(
    ("content", "message"), [("- {id: a}", "half"), ("- [", "expected a list of cases")], ids=["no half", "no YAML"]
)
def test_a_broken_file_is_named_with_its_mistake(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "cases.yaml"
    path.write_text(content, "utf-8")
    with pytest.raises(BadInput, match=rf"(?s)cases.yaml: .*{message}"):
        read_cases(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="name a YAML file of cases"):
        read_cases(tmp_path / "none.yaml")
