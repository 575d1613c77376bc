"""Trivial policies to hold every figure against, beside the rules and the policy as it is served.

A figure says little alone: alarms at every conversation find every hand-off. All policies see the same messages, up
to the hand-off, and an alarm is an action that calls a human.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from handoff.analytics.backtest import ALARMS, Against, label
from handoff.analytics.early_warning.course import Alarms, Course
from handoff.decision import Judge, Verdict
from handoff.policy import Policy, decide
from handoff.transcript import Conversation
from handoff.transcript.outcomes import HandOff, before_the_end, handed_off

# Groups of rules that look at words and behaviour in the text alone.
KEYWORD_GROUPS = ("keywords", "behaviour")
EVERY = 4

Raised = tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class AlarmPolicy:
    """A way to raise alarms: whether one is up after each watched message."""

    name: str
    title: str
    raised: Callable[[Sequence[Verdict], Policy], Raised]


def never(verdicts: Sequence[Verdict], policy: Policy) -> Raised:
    """No alarm, ever."""
    return tuple(False for _ in verdicts)


def always(verdicts: Sequence[Verdict], policy: Policy) -> Raised:
    """An alarm from the first message that is read to the end."""
    return tuple(number >= 1 for number in _row_numbers(verdicts))


def every_fourth(verdicts: Sequence[Verdict], policy: Policy) -> Raised:
    """An alarm with every fourth message that is read, whatever it says."""
    numbers = _row_numbers(verdicts)
    return tuple(verdict.moment.read and number % EVERY == 0 for verdict, number in zip(verdicts, numbers, strict=True))


def keywords_only(verdicts: Sequence[Verdict], policy: Policy) -> Raised:
    """The rules on words and behaviour alone, as a keyword list would be."""
    return _by_rules(verdicts, policy, KEYWORD_GROUPS)


def rules_only(verdicts: Sequence[Verdict], policy: Policy) -> Raised:
    """All live rules, without a model."""
    return _by_rules(verdicts, policy, None)


def model_only(verdicts: Sequence[Verdict], policy: Policy) -> Raised:
    """The model's probability against the policy's cuts, without rules; never an alarm without a model."""
    return tuple(decide(v.probability, (), v.moment.owner, policy, scores=v.scores).action in ALARMS for v in verdicts)


def served(verdicts: Sequence[Verdict], policy: Policy) -> Raised:
    """What the service would do: rules and, where there is one, the model."""
    return tuple(v.decision.action in ALARMS for v in verdicts)


POLICIES: tuple[AlarmPolicy, ...] = (
    AlarmPolicy("never", "Never", never),
    AlarmPolicy("always", "Always, at the first message", always),
    AlarmPolicy("every_fourth", "Every fourth message", every_fourth),
    AlarmPolicy("keywords", "Keywords only", keywords_only),
    AlarmPolicy("rules", "Rules only", rules_only),
    AlarmPolicy("model", "Model only", model_only),
    AlarmPolicy("served", "Model and rules, as served", served),
)


class Watched(msgspec.Struct, frozen=True):
    """One labelled conversation, and whether each policy's alarm was up after each of its messages."""

    course: Course
    raised: dict[str, Raised]


class WatchedAll(msgspec.Struct, frozen=True):
    """All labelled conversations. `without_label` others were left out: abandoned before anybody took over, or not
    recorded."""

    courses: tuple[Course, ...]
    raised: dict[str, tuple[Raised, ...]]
    without_label: int

    def alarms(self, policy: str) -> Alarms:
        """What that policy did, ready for the metrics."""
        return Alarms.raised(self.courses, self.raised[policy])

    def first(self, policy: str) -> tuple[int | None, ...]:
        """The index of that policy's first alarm in each conversation."""
        return tuple(next((i for i, up in enumerate(states) if up), None) for states in self.raised[policy])


def watch(
    judge: Judge,
    conversation: Conversation,
    against: Against = "escalated",
    policies: Sequence[AlarmPolicy] = POLICIES,
) -> Watched | None:
    """One conversation under every policy; None when it carries no label.

    One that was handed off is watched in the episode that was, up to the hand-off; any other from its first message to
    its last, as in a back-test. The features are computed once for all policies.
    """
    handoff = handed_off(conversation)
    y = label(conversation, handoff, against)
    if y is None:
        return None
    verdicts = [v for v in judge.follow(before_the_end(conversation), reasons=False) if is_watched(v, handoff)]
    raised = {policy.name: policy.raised(verdicts, judge.policy) for policy in policies}
    return Watched(course(conversation.conversation_id, y, verdicts, handoff), raised)


def watch_all(
    judge: Judge,
    conversations: Iterable[Conversation],
    against: Against = "escalated",
    policies: Sequence[AlarmPolicy] = POLICIES,
) -> WatchedAll:
    """All conversations under every policy. Texts are not kept."""
    found: list[Watched] = []
    without = 0
    for conversation in conversations:
        watched = watch(judge, conversation, against, policies)
        if watched is None:
            without += 1
        else:
            found.append(watched)
    raised = {policy.name: tuple(w.raised[policy.name] for w in found) for policy in policies}
    return WatchedAll(tuple(w.course for w in found), raised, without)


def is_watched(verdict: Verdict, handoff: HandOff | None) -> bool:
    """Whether the message belongs to what is watched: in the episode that was handed off, before the hand-off."""
    if handoff is None:
        return True
    return verdict.moment.episode == handoff.episode and verdict.moment.index < handoff.index


def course(conversation_id: str, y: bool, verdicts: Sequence[Verdict], handoff: HandOff | None) -> Course:
    """The conversation as the metrics look at it, from the verdicts on its watched messages."""
    times = [v.moment.message.sent_at for v in verdicts]
    start = next((at for at in times if at is not None), None)
    return Course(
        conversation_id=conversation_id,
        label=y,
        scores=tuple(v.probability if v.moment.read else None for v in verdicts),
        seconds=None if start is None else tuple(_seconds(start, at) for at in times),
        event=len(verdicts) if handoff is not None else None,
        event_seconds=_seconds(start, handoff.at) if start is not None and handoff is not None else None,
    )


def _seconds(start: datetime, at: datetime | None) -> float | None:
    return None if at is None else (at - start).total_seconds()


def _row_numbers(verdicts: Sequence[Verdict]) -> list[int]:
    """How many messages were read up to and with each."""
    numbers, count = [], 0
    for verdict in verdicts:
        count += verdict.moment.read
        numbers.append(count)
    return numbers


def _by_rules(verdicts: Sequence[Verdict], policy: Policy, groups: Sequence[str] | None) -> Raised:
    states = []
    for verdict in verdicts:
        kept = [fired for fired in verdict.fired if groups is None or fired.rule.group in groups]
        states.append(decide(None, kept, verdict.moment.owner, policy).action in ALARMS)
    return tuple(states)
