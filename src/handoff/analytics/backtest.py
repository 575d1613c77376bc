"""Rules tried on stored conversations: how often each fires, how right it is, and how early.

A conversation that was handed off is looked at in the episode that was handed off, up to the hand-off: what fires
later is no forecast. Any other is looked at from its first message to its last.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Literal

import msgspec

from handoff.analytics.rule_changes import ActionChange, Changes, FiredChange, compared
from handoff.analytics.shares import Share, share
from handoff.features import Moment, follow
from handoff.policy import ACTIONS, Action, Policy, decide, load_policy
from handoff.rules import RuleBook, Urgency, Watch, name_facts
from handoff.transcript import Conversation
from handoff.transcript.outcomes import HandOff, before_the_end, handed_off, is_censored

Against = Literal["escalated", "escalation_needed"]

# An alarm is an action that calls a human; `prepare_specialist` only gets one ready.
ALARMS: tuple[Action, ...] = ("proactive_escalation", "escalate_now")


class Lead(msgspec.Struct, frozen=True):
    """How far the first firing was ahead of the hand-off, in the median over `conversations` handed off.

    `minutes` is the median over `with_times` of them. Firing with the last message before it is 1 message ahead.
    """

    conversations: int
    messages: float | None
    with_times: int
    minutes: float | None


class RuleResult(msgspec.Struct, frozen=True):
    """One rule on all conversations.

    `fired`: conversations in which it fired, of all that were read; `precision`: those with the label, of the
    labelled ones in which it fired; `recall`: those in which it fired, of the labelled ones with the label.
    """

    rule: str
    title: str
    status: str
    urgency: Urgency | None
    reason: str | None
    fired: Share
    precision: Share
    recall: Share
    lead: Lead


class Backtest(msgspec.Struct, frozen=True):
    """What a rules file does on stored conversations, and what it changes against the current one.

    `labelled` of the `conversations` read take part in precision and recall: under `escalated` all but those
    `abandoned` before anybody took over, under `escalation_needed` all but those where it was not recorded.
    `any_alarm` is the live rules together, as far as they call a human.
    """

    rules_version: str
    against: Against
    conversations: int
    labelled: int
    positives: int
    abandoned: int
    not_recorded: int
    without_outcome: int
    any_alarm: RuleResult
    rules: tuple[RuleResult, ...]
    changes: Changes


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one rules file did in one conversation: the first firing of each rule, the strongest action, and the
    first alarm (an index), as far as the hand-off."""

    first: dict[str, int]
    action: Action
    alarm: int | None


@dataclass(slots=True)
class _Tally:
    """Counts of one rule over conversations."""

    fired: int = 0
    labelled: int = 0
    hits: int = 0
    messages: list[int] = field(default_factory=list)
    minutes: list[float] = field(default_factory=list)

    def add(self, index: int, conversation: Conversation, y: bool | None, handoff: HandOff | None) -> None:
        """Count a conversation in which the rule first fired with message `index`."""
        self.fired += 1
        self.labelled += y is not None
        self.hits += y is True
        if handoff is None:
            return
        self.messages.append(handoff.index - index)
        minutes = handoff.minutes_after(conversation.messages[index])
        if minutes is not None:
            self.minutes.append(minutes)

    def lead(self) -> Lead:
        return Lead(
            len(self.messages),
            float(median(self.messages)) if self.messages else None,
            len(self.minutes),
            round(median(self.minutes), 3) if self.minutes else None,
        )


@dataclass(slots=True)
class _Counts:
    """Counts over all conversations."""

    read: int = 0
    labelled: int = 0
    positives: int = 0
    abandoned: int = 0
    not_recorded: int = 0
    without_outcome: int = 0

    def add(self, conversation: Conversation, y: bool | None, against: Against) -> None:
        self.read += 1
        self.labelled += y is not None
        self.positives += y is True
        self.without_outcome += conversation.outcome is None
        self.abandoned += y is None and against == "escalated"
        self.not_recorded += y is None and against == "escalation_needed"


def label(conversation: Conversation, handoff: HandOff | None, against: Against) -> bool | None:
    """Whether the conversation counts as one that rules should have fired on; None when it takes no part."""
    if against == "escalation_needed":
        return conversation.outcome.escalation_needed if conversation.outcome is not None else None
    return None if is_censored(conversation) else handoff is not None


def backtest(
    conversations: Iterable[Conversation],
    rules: RuleBook,
    current: RuleBook,
    *,
    against: Against = "escalated",
    policy: Policy | None = None,
) -> Backtest:
    """Run `rules` over the conversations, and `current` beside them. One conversation is in memory at a time."""
    policy = policy or load_policy(rules=rules)
    tallies = {rule.id: _Tally() for rule in rules.rules}
    alarms, counts = _Tally(), _Counts()
    fired_before = dict.fromkeys((rule.id for rule in current.rules), 0)
    actions: list[ActionChange] = []
    for conversation in conversations:
        handoff = handed_off(conversation)
        y = label(conversation, handoff, against)
        moments = list(follow(before_the_end(conversation)))
        new = _seen(rules, policy, conversation, moments, handoff)
        old = new if current.version == rules.version else _seen(current, policy, conversation, moments, handoff)
        counts.add(conversation, y, against)
        for rule_id, index in new.first.items():
            tallies[rule_id].add(index, conversation, y, handoff)
        if new.alarm is not None:
            alarms.add(new.alarm, conversation, y, handoff)
        for rule_id in old.first:
            fired_before[rule_id] += 1
        if old.action != new.action:
            actions.append(ActionChange(conversation.conversation_id, old.action, new.action))
    fired = _fired_changes(fired_before, {rule_id: tally.fired for rule_id, tally in tallies.items()})
    return _report(rules, against, counts, alarms, tallies, compared(current, rules, fired, actions, counts.read))


def _seen(
    book: RuleBook, policy: Policy, conversation: Conversation, moments: Sequence[Moment], handoff: HandOff | None
) -> _Seen:
    watch = Watch(book, name_facts(conversation))
    first: dict[str, int] = {}
    strongest, alarm = 0, None
    for moment in moments if handoff is None else moments[: handoff.index]:
        fired = watch.step(moment)
        if handoff is not None and moment.episode != handoff.episode:
            continue
        for each in fired:
            first.setdefault(each.rule.id, moment.index)
        action = decide(None, fired, moment.owner, policy).action
        strongest = max(strongest, ACTIONS.index(action))
        if alarm is None and action in ALARMS:
            alarm = moment.index
    return _Seen(first, ACTIONS[strongest], alarm)


def _fired_changes(before: dict[str, int], after: dict[str, int]) -> tuple[FiredChange, ...]:
    """Every rule of either file, in the order of the new file, then those that it no longer has."""
    ids = dict.fromkeys([*after, *before])
    return tuple(FiredChange(rule_id, before.get(rule_id), after.get(rule_id)) for rule_id in ids)


def _report(
    rules: RuleBook, against: Against, counts: _Counts, alarms: _Tally, tallies: dict[str, _Tally], changes: Changes
) -> Backtest:
    return Backtest(
        rules_version=rules.version,
        against=against,
        conversations=counts.read,
        labelled=counts.labelled,
        positives=counts.positives,
        abandoned=counts.abandoned,
        not_recorded=counts.not_recorded,
        without_outcome=counts.without_outcome,
        any_alarm=_result("any", "Any live rule that calls a human", "live", None, None, alarms, counts),
        rules=tuple(
            _result(rule.id, rule.title, rule.status, rule.urgency, rule.reason, tallies[rule.id], counts)
            for rule in rules.rules
        ),
        changes=changes,
    )


def _result(
    rule: str, title: str, status: str, urgency: Urgency | None, reason: str | None, tally: _Tally, counts: _Counts
) -> RuleResult:
    return RuleResult(
        rule=rule,
        title=title,
        status=status,
        urgency=urgency,
        reason=reason,
        fired=share(tally.fired, counts.read),
        precision=share(tally.hits, tally.labelled),
        recall=share(tally.hits, counts.positives),
        lead=tally.lead(),
    )
