"""Stored conversations decided again by a changed system: which decisions flip, and what that does to cost, lead and
load.

Both sides see the same messages, each with what was known then, up to the hand-off.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from handoff.analytics.backtest import ALARMS, Against, label
from handoff.analytics.early_warning import METRICS, Alarms, Course, Figure, endings, figures
from handoff.analytics.early_warning.figure import ratio
from handoff.analytics.policies import course, is_watched
from handoff.decision import Judge, Verdict, Versions
from handoff.policy import ACTIONS, Action
from handoff.policy.costs import Bill, Costs, bill
from handoff.policy.decide import DecidedBy
from handoff.transcript import Conversation
from handoff.transcript.outcomes import before_the_end, handed_off, is_censored, is_recorded

Direction = Literal["stronger", "weaker"]

SHOWN_METRICS = (
    "precision", "recall", "lead_messages", "lead_minutes", "ahead_1_message", "ahead_2_messages", "ahead_60_seconds",
)  # fmt: skip


class Said(msgspec.Struct, frozen=True):
    """One side of a flip: what was decided, why, and by whom."""

    action: Action
    reason: str | None
    decided_by: DecidedBy
    rule: str | None
    probability: float | None


class Flip(msgspec.Struct, frozen=True):
    """`messages` messages in a row, the first of them `message_id`, after which another action is decided."""

    conversation_id: str
    message_id: str
    index: int
    messages: int
    direction: Direction
    before: Said
    after: Said


class FlipCount(msgspec.Struct, frozen=True):
    """How many flips go that way for that reason: the stronger side's, which is gained or lost."""

    direction: Direction
    reason: str
    flips: int


class Side(msgspec.Struct, frozen=True):
    """One of the two systems: what made its answers, its load, its figures and its bill.

    `alarms`: conversations in which it called a human, of all; `alarms_per_hour` where the conversations carry times.
    `figures` and `bill` are over the labelled ones.
    """

    versions: Versions
    alarms: Figure
    alarms_per_hour: float | None
    figures: dict[str, Figure]
    bill: Bill


class WhatIf(msgspec.Struct, frozen=True):
    """What changes between two systems. `changed` conversations have a flip, of all `conversations`.

    `labelled` of them have figures and a bill; alarms and flips need no outcome. Of the `without_outcome` nothing tells
    how they ended, of the `abandoned` nobody knows whether a human would have taken over.
    """

    conversations: int
    labelled: int
    without_outcome: int
    abandoned: int
    messages: int
    changed: Figure
    before: Side
    after: Side
    counts: tuple[FlipCount, ...]
    flips: tuple[Flip, ...]


@dataclass(slots=True)
class _Seen:
    """What one side did: alarms of all conversations, and of the labelled ones their course and states."""

    alarmed: int = 0
    courses: list[Course] = field(default_factory=list)
    raised: list[tuple[bool, ...]] = field(default_factory=list)

    def add(self, verdicts: Sequence[Verdict], seen: Course | None) -> None:
        states = tuple(v.decision.action in ALARMS for v in verdicts)
        self.alarmed += any(states)
        if seen is not None:
            self.courses.append(seen)
            self.raised.append(states)


def what_if(
    before: Judge, after: Judge, conversations: Iterable[Conversation], costs: Costs, *, against: Against = "escalated"
) -> WhatIf:
    """Decide every conversation by both. One is in memory at a time; flips are kept."""
    old, new, flips = _Seen(), _Seen(), list[Flip]()
    count, unknown, abandoned, messages, changed, times = 0, 0, 0, 0, 0, _Times()
    for conversation in conversations:
        olds, news = (_watched(judge, conversation) for judge in (before, after))
        found = tuple(flipped(conversation.conversation_id, olds, news))
        flips += found
        count, messages, changed = count + 1, messages + len(olds), changed + bool(found)
        unknown, abandoned = unknown + (not is_recorded(conversation)), abandoned + is_censored(conversation)
        times.add(conversation)
        for seen, verdicts in ((old, olds), (new, news)):
            seen.add(verdicts, _course(conversation, verdicts, against))
    sides = [_side(judge, seen, count, times.hours, costs) for judge, seen in ((before, old), (after, new))]
    return WhatIf(
        conversations=count,
        labelled=len(old.courses),
        without_outcome=unknown,
        abandoned=abandoned,
        messages=messages,
        changed=ratio(changed, count),
        before=sides[0],
        after=sides[1],
        counts=_counts(flips),
        flips=tuple(flips),
    )


def flipped(conversation_id: str, before: Sequence[Verdict], after: Sequence[Verdict]) -> Iterable[Flip]:
    """The runs of messages with another action, oldest first; a run is of one action against one other."""
    run: list[tuple[Verdict, Verdict]] = []
    for pair in zip(before, after, strict=True):
        if run and _actions(pair) != _actions(run[0]):
            yield from _flip(conversation_id, run)
            run = []
        run.append(pair)
    yield from _flip(conversation_id, run)


def _flip(conversation_id: str, run: Sequence[tuple[Verdict, Verdict]]) -> Iterable[Flip]:
    if not run or len(set(_actions(run[0]))) == 1:
        return
    old, new = run[0]
    rises = ACTIONS.index(new.decision.action) > ACTIONS.index(old.decision.action)
    yield Flip(
        conversation_id=conversation_id,
        message_id=old.moment.message.message_id or "",
        index=old.moment.index,
        messages=len(run),
        direction="stronger" if rises else "weaker",
        before=_said(old),
        after=_said(new),
    )


def _actions(pair: tuple[Verdict, Verdict]) -> tuple[Action, Action]:
    return pair[0].decision.action, pair[1].decision.action


def _said(verdict: Verdict) -> Said:
    decision, p = verdict.decision, verdict.probability
    return Said(
        decision.action, decision.reason, decision.decided_by, decision.rule, None if p is None else round(p, 6)
    )


def _counts(flips: Sequence[Flip]) -> tuple[FlipCount, ...]:
    stronger = [
        (flip.direction, (flip.after if flip.direction == "stronger" else flip.before).reason) for flip in flips
    ]
    counted = Counter((direction, reason or "watching only") for direction, reason in stronger)
    return tuple(FlipCount(direction, reason, n) for (direction, reason), n in counted.most_common())


def _watched(judge: Judge, conversation: Conversation) -> list[Verdict]:
    handoff = handed_off(conversation)
    return [v for v in judge.follow(before_the_end(conversation)) if is_watched(v, handoff)]


def _course(conversation: Conversation, verdicts: Sequence[Verdict], against: Against) -> Course | None:
    handoff = handed_off(conversation)
    y = label(conversation, handoff, against) if is_recorded(conversation) else None
    return None if y is None else course(conversation.conversation_id, y, verdicts, handoff)


def _side(judge: Judge, seen: _Seen, count: int, hours: float | None, costs: Costs) -> Side:
    alarms = Alarms.raised(seen.courses, seen.raised)
    first = [next((i for i, up in enumerate(states) if up), None) for states in seen.raised]
    wanted = tuple(metric for metric in METRICS if metric.name in SHOWN_METRICS)
    return Side(
        versions=judge.versions,
        alarms=ratio(seen.alarmed, count),
        alarms_per_hour=seen.alarmed / hours if hours else None,
        figures=figures(alarms, resamples=0, metrics=wanted),
        bill=bill(endings(seen.courses), first, costs),
    )


@dataclass(slots=True)
class _Times:
    """From the first message of any conversation to the last."""

    first: float | None = None
    last: float | None = None

    def add(self, conversation: Conversation) -> None:
        for message in conversation.messages:
            if message.sent_at is not None:
                at = message.sent_at.timestamp()
                self.first = at if self.first is None else min(self.first, at)
                self.last = at if self.last is None else max(self.last, at)

    @property
    def hours(self) -> float | None:
        return None if self.first is None or self.last is None else (self.last - self.first) / 3600
