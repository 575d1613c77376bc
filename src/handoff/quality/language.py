"""How well the triggers understand language: rules run over short hand-labelled messages, mistakes counted.

A case says which rules must fire on its messages and which must stay quiet; of all others it says nothing, and they
are not counted. Of a trigger, precision is the share of its firings that were right, recall the share of the cases
that ask for it in which it fired, both over the labelled cases alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from handoff.analytics.shares import Share, share
from handoff.decision import Judge
from handoff.errors import BadInput
from handoff.transcript import Conversation, Message


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Consecutive messages of one customer, and the rules that they must and must not fire, by id."""

    id: str
    half: str
    about: str
    language: str
    messages: tuple[str, ...]
    fires: tuple[str, ...] = ()
    quiet: tuple[str, ...] = ()


class Mark(msgspec.Struct, frozen=True):
    """One rule on one case: whether it should have fired, and whether it did."""

    case: str
    rule: str
    about: str
    language: str
    expected: bool
    fired: bool

    @property
    def right(self) -> bool:
        return self.expected == self.fired


class Score(msgspec.Struct, frozen=True):
    """Precision (right firings of firings), recall (right firings of those asked for), and how many of those that
    must stay quiet did."""

    precision: Share
    recall: Share
    quiet: Share


def read_cases(path: Path) -> tuple[Case, ...]:
    """The cases of a YAML file. Raises `BadInput` that names the file and the field, and no case's text."""
    try:
        return msgspec.yaml.decode(path.read_bytes(), type=tuple[Case, ...])
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}); name a YAML file of cases") from None
    except msgspec.DecodeError as error:
        raise BadInput(f"{path}: {error}; expected a list of cases") from None


def fired_rules(messages: Sequence[str], judge: Judge) -> frozenset[str]:
    """The ids of the rules that fired after any of a customer's consecutive messages."""
    said = tuple(Message(role="customer", text=text) for text in messages)
    verdicts = judge.follow(Conversation(conversation_id="case", messages=said), reasons=False)
    return frozenset(fired.rule.id for verdict in verdicts for fired in verdict.fired)


def marks(cases: Iterable[Case], judge: Judge) -> Iterator[Mark]:
    """One mark for every rule that a case names, in the order of the cases."""
    known = {rule.id for rule in judge.rules.rules}
    for case in cases:
        fired = fired_rules(case.messages, judge)
        for rule in (*case.fires, *case.quiet):
            if rule not in known:
                raise BadInput(f"case '{case.id}': unknown rule '{rule}'; name a rule of rules.yaml")
            yield Mark(case.id, rule, case.about, case.language, rule in case.fires, rule in fired)


def score(of: Iterable[Mark]) -> Score:
    """Precision, recall and quiet share of these marks, each with numerator, denominator and interval (Wilson)."""
    counted = tuple(of)
    right = sum(m.expected and m.fired for m in counted)
    fired = sum(m.fired for m in counted)
    expected = sum(m.expected for m in counted)
    silent = len(counted) - expected
    return Score(share(right, fired), share(right, expected), share(silent - (fired - right), silent))


def pooled(of: Iterable[Mark], by: Callable[[Mark], str]) -> dict[str, Score]:
    """The score of each group, groups in order of their names."""
    groups: dict[str, list[Mark]] = {}
    for mark in of:
        groups.setdefault(by(mark), []).append(mark)
    return {name: score(groups[name]) for name in sorted(groups)}


def table(named: dict[str, Score], heading: str) -> str:
    """Scores as a Markdown table, one line a name."""
    lines = [f"| {heading} | precision | recall | quiet where it must be |", "| --- | --- | --- | --- |"]
    for name, found in named.items():
        lines.append(f"| {name} | {' | '.join(map(shown, (found.precision, found.recall, found.quiet)))} |")
    return "\n".join(lines)


def shown(part: Share) -> str:
    """A share as "12 of 13, .92 [.67, .99]"; an en dash where there is nothing to divide by."""
    if part.share is None or part.low is None or part.high is None:
        return "–"
    value, low, high = (f"{x:.2f}".removeprefix("0") for x in (part.share, part.low, part.high))
    return f"{part.count} of {part.of}, {value} [{low}, {high}]"
