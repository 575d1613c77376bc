"""Why conversations escalate: reasons counted by team, week and more, so that every number adds up.

Each escalation has one primary reason, so the counts of a group sum to its escalations and the groups to all of
them. Contributing reasons are counted beside that and may overlap.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Literal, get_args

import msgspec

from handoff.analytics.escalations import TITLES, UNEXPLAINED, Escalation, escalation_of
from handoff.analytics.periods import CALENDAR, Calendar, Period, label, label_before, later_half, span
from handoff.analytics.shares import Share, kappa, share
from handoff.decision import Judge, Versions
from handoff.errors import BadInput, nearest
from handoff.transcript import Conversation
from handoff.transcript.outcomes import is_censored

Fact = Literal["team", "tier", "agent", "region", "plan", "channel", "locale"]
FACTS: tuple[Fact, ...] = get_args(Fact)
Dimension = Calendar | Fact
DIMENSIONS: tuple[Dimension, ...] = (*FACTS, "month", "week", "day")

Key = tuple[str | None, ...]


class Cell(msgspec.Struct, frozen=True):
    """One reason in one group.

    `primary` is its share of the group's escalations. The trend compares its share `now` and `before`; `change` is
    the difference (0.05 is five points), None where either has nothing to divide by. `contributing` counts
    escalations to which it contributed without being primary. `recorded`, `by_rules` and `by_model` count it as what
    the desk wrote down, and as what it would have been by rules or model alone.
    """

    reason: str
    title: str
    primary: Share
    now: Share | None
    before: Share | None
    change: float | None
    contributing: int
    recorded: int
    by_rules: int
    by_model: int | None
    conversations: tuple[str, ...]


class Group(msgspec.Struct, frozen=True):
    """Escalations that share team, week or whatever was asked for; `escalations` is their share of all."""

    values: dict[str, str | None]
    escalations: Share
    reasons: tuple[Cell, ...]


class Agreement(msgspec.Struct, frozen=True):
    """How often a computed reason is the recorded one, of the escalations that have a recorded one, and beyond
    chance (Cohen's kappa; None where it is not defined)."""

    computed: Literal["primary", "by_rules", "by_model"]
    agree: Share
    kappa: float | None


class LeftOut(msgspec.Struct, frozen=True):
    """Conversations that are not in the counts, each for one cause."""

    not_escalated: int
    abandoned: int
    outside_period: int
    without_time: int


class Reasons(msgspec.Struct, frozen=True):
    """The answer to "why do conversations escalate?".

    conversations = escalations + the four of `left_out`. `data` are the days of all hand-offs read, `period` those
    that are counted. `trend` are the two periods that the trend of `overall`
    and of groups without a calendar compares; groups of a calendar compare with the stretch before.
    `recorded_elsewhere` counts recorded reasons that are none of ours, `not_recorded` escalations without one.
    """

    by: tuple[str, ...]
    data: Period | None
    period: Period | None
    trend: tuple[Period, Period] | None
    versions: Versions
    conversations: int
    left_out: LeftOut
    escalations: int
    found_by: dict[str, int]
    recorded_elsewhere: int
    not_recorded: int
    overall: Group
    groups: tuple[Group, ...]
    agreement: tuple[Agreement, ...]


def parse_dimensions(by: str) -> tuple[Dimension, ...]:
    """The dimensions of "team,week"; none for "none". Raises `BadInput` with the nearest name."""
    names = [name.strip() for name in by.split(",") if name.strip()]
    if names == ["none"]:
        return ()
    found: list[Dimension] = []
    for name in names:
        known = [dimension for dimension in DIMENSIONS if dimension == name]
        if not known:
            raise BadInput(f"--by: unknown '{name}'{nearest(name, (*DIMENSIONS, 'none'))}")
        found += known
    if len(set(found)) != len(found):
        raise BadInput(f"--by: '{by}' names one twice")
    return tuple(found)


def reasons(
    judge: Judge,
    conversations: Iterable[Conversation],
    by: Sequence[Dimension] = (),
    start: datetime | None = None,
    end: datetime | None = None,
) -> Reasons:
    """Reasons of all escalations from `start` up to, but without, `end`. Only escalations are kept in memory."""
    if start is not None and end is not None and start >= end:
        raise BadInput(f"from {start:%Y-%m-%d} to {end:%Y-%m-%d}: no time between them; `to` is not included")
    escalations: list[Escalation] = []
    read = abandoned = 0
    for conversation in conversations:
        read += 1
        escalation = escalation_of(judge, conversation)
        if escalation is not None:
            escalations.append(escalation)
        elif is_censored(conversation):
            abandoned += 1
    return count(escalations, by, judge.versions, read=read, abandoned=abandoned, start=start, end=end)


def count(
    escalations: Sequence[Escalation],
    by: Sequence[Dimension],
    versions: Versions,
    *,
    read: int,
    abandoned: int = 0,
    start: datetime | None = None,
    end: datetime | None = None,
) -> Reasons:
    """Count reasons of escalations found among `read` conversations."""
    bounded = start is not None or end is not None
    data = span([e.at for e in escalations if e.at is not None])
    period = _period(data, start, end)
    kept = [e for e in escalations if not bounded or (period is not None and period.holds(e.at))]
    timeless = sum(e.at is None for e in escalations) if bounded else 0
    now = (period if bounded else later_half(period)) if period is not None else None
    trend = (now, now.before) if now is not None else None
    counter = _Counter(tuple(by), escalations, kept, trend)
    recorded = [e.recorded for e in kept if e.recorded is not None]
    return Reasons(
        by=tuple(by),
        data=data,
        period=period,
        trend=trend,
        versions=versions,
        conversations=read,
        left_out=LeftOut(
            not_escalated=read - abandoned - len(escalations),
            abandoned=abandoned,
            outside_period=len(escalations) - timeless - len(kept),
            without_time=timeless,
        ),
        escalations=len(kept),
        found_by=dict(Counter(e.found_by for e in kept).most_common()),
        recorded_elsewhere=sum(reason not in TITLES for reason in recorded),
        not_recorded=len(kept) - len(recorded),
        overall=counter.overall(),
        groups=counter.groups(period) if by else (),
        agreement=_agreements(kept),
    )


def _period(data: Period | None, start: datetime | None, end: datetime | None) -> Period | None:
    """The period asked for; a missing bound is that of the data. None where neither data nor bounds say."""
    low = start if start is not None else data.start if data is not None else None
    high = end if end is not None else data.end if data is not None else None
    if low is None or high is None:
        return None
    return Period(low, max(low, high))


class _Counter:
    """The escalations laid out by group, and those of the period before."""

    def __init__(
        self,
        by: tuple[Dimension, ...],
        everything: Sequence[Escalation],
        kept: Sequence[Escalation],
        trend: tuple[Period, Period] | None,
    ) -> None:
        self._by, self._everything, self._kept, self._trend = by, everything, kept, trend
        self._calendar = tuple(d for d in CALENDAR if d in by)

    def overall(self) -> Group:
        return self._group({}, self._kept, self._in_trend(self._everything))

    def groups(self, period: Period | None) -> tuple[Group, ...]:
        """Every combination that occurs, and each stretch of the calendar with each other value, empty or not."""
        members: dict[Key, list[Escalation]] = defaultdict(list)
        for escalation in self._kept:
            members[self._key(escalation)].append(escalation)
        first_days = self._fill(members, period)
        earlier = self._earlier()
        ordered = sorted(members, key=lambda key: [(value is None, value or "") for value in key])
        return tuple(
            self._group(
                dict(zip(self._by, key, strict=True)),
                members[key],
                self._compared(key, members[key], first_days.get(key), earlier),
            )
            for key in ordered
        )

    def _key(self, escalation: Escalation) -> Key:
        return tuple(_value(escalation, dimension) for dimension in self._by)

    def _fill(self, members: dict[Key, list[Escalation]], period: Period | None) -> dict[Key, date]:
        """Add the empty groups of the calendar; returns a day of every group that has one."""
        if not self._calendar or period is None:
            return {}
        others = {self._others(key) for key in members}
        if not others and len(self._calendar) == len(self._by):
            others = {(None,) * len(self._by)}
        first_days: dict[Key, date] = {}
        for day in period.days():
            labels: dict[Dimension, str] = {calendar: label(day, calendar) for calendar in self._calendar}
            for other in others:
                key = tuple(labels.get(d, value) for d, value in zip(self._by, other, strict=True))
                first_days.setdefault(key, day)
                members.setdefault(key, [])
        return first_days

    def _others(self, key: Key) -> Key:
        """The key with its calendar left out."""
        return tuple(None if d in CALENDAR else value for d, value in zip(self._by, key, strict=True))

    def _earlier(self) -> dict[tuple[Key, str | None], list[Escalation]]:
        """All escalations by their other values and, with a calendar, by the stretch of its finest part."""
        found: dict[tuple[Key, str | None], list[Escalation]] = defaultdict(list)
        for escalation in self._everything:
            stretch = _value(escalation, self._calendar[0]) if self._calendar else None
            found[self._others(self._key(escalation)), stretch].append(escalation)
        return found

    def _compared(
        self,
        key: Key,
        members: Sequence[Escalation],
        day: date | None,
        earlier: dict[tuple[Key, str | None], list[Escalation]],
    ) -> tuple[Sequence[Escalation], Sequence[Escalation]] | None:
        """The group's escalations now and before, for its trend; None where nothing can be compared."""
        if not self._calendar:
            return self._in_trend(earlier.get((key, None), []))
        if day is None:
            return None
        return members, earlier.get((self._others(key), label_before(day, self._calendar[0])), [])

    def _in_trend(self, escalations: Sequence[Escalation]) -> tuple[Sequence[Escalation], Sequence[Escalation]] | None:
        if self._trend is None:
            return None
        now, before = self._trend
        return [e for e in escalations if now.holds(e.at)], [e for e in escalations if before.holds(e.at)]

    def _group(
        self,
        values: dict[str, str | None],
        members: Sequence[Escalation],
        compared: tuple[Sequence[Escalation], Sequence[Escalation]] | None,
    ) -> Group:
        return Group(values, share(len(members), len(self._kept)), _cells(members, compared))


def _value(escalation: Escalation, dimension: Dimension) -> str | None:
    """What the escalation is in that dimension; None when unknown."""
    for calendar in CALENDAR:
        if dimension == calendar:
            return label(escalation.at.date(), calendar) if escalation.at is not None else None
    value: str | None = getattr(escalation, dimension)
    return value


def _cells(
    members: Sequence[Escalation], compared: tuple[Sequence[Escalation], Sequence[Escalation]] | None
) -> tuple[Cell, ...]:
    """One cell for every reason that occurs, most frequent first, then in the order of the list of reasons."""
    counts = {
        name: Counter(getattr(e, name) for e in members) for name in ("primary", "recorded", "by_rules", "by_model")
    }
    counts["contributing"] = Counter(reason for e in members for reason in e.contributing)
    now, before = compared if compared is not None else ((), ())
    counts["now"], counts["before"] = Counter(e.primary for e in now), Counter(e.primary for e in before)
    with_model = any(e.by_model is not None for e in members)
    occurring = [reason for reason in TITLES if any(counter[reason] for counter in counts.values())]
    cells = []
    for reason in sorted(occurring, key=lambda reason: -counts["primary"][reason]):
        lately = share(counts["now"][reason], len(now)) if compared is not None else None
        earlier = share(counts["before"][reason], len(before)) if compared is not None else None
        cells.append(
            Cell(
                reason=reason,
                title=TITLES[reason],
                primary=share(counts["primary"][reason], len(members)),
                now=lately,
                before=earlier,
                change=_change(lately, earlier),
                contributing=counts["contributing"][reason],
                recorded=counts["recorded"][reason],
                by_rules=counts["by_rules"][reason],
                by_model=counts["by_model"][reason] if with_model else None,
                conversations=tuple(e.conversation_id for e in members if e.primary == reason),
            )
        )
    return tuple(cells)


def _change(now: Share | None, before: Share | None) -> float | None:
    if now is None or before is None or now.share is None or before.share is None:
        return None
    return round(now.share - before.share, 6)


def _agreements(escalations: Sequence[Escalation]) -> tuple[Agreement, ...]:
    """Of the primary reason, of that by rules alone and, with a model, of that by the model alone."""
    both = [(e, e.recorded) for e in escalations if e.recorded is not None]
    found = [_agreement("primary", [(e.primary, r) for e, r in both])]
    found.append(_agreement("by_rules", [(e.by_rules, r) for e, r in both]))
    if any(e.by_model is not None for e in escalations):
        found.append(_agreement("by_model", [(e.by_model or UNEXPLAINED, r) for e, r in both]))
    return tuple(found)


def _agreement(computed: Literal["primary", "by_rules", "by_model"], pairs: Sequence[tuple[str, str]]) -> Agreement:
    agree = share(sum(a == b for a, b in pairs), len(pairs))
    return Agreement(computed, agree, kappa([a for a, _ in pairs], [b for _, b in pairs]))
