"""What every policy costs, and the cuts that would cost least: chosen on one part of the conversations, reported on
the other.

Nothing is chosen on what it is reported on. The levels are chosen from the strongest down, none above the next
stronger one: the highest with single messages (it works at once), then those below with the trigger in use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec
import numpy as np

from handoff.analytics.backtest import ALARMS, Against
from handoff.analytics.early_warning.course import Course, Floats, Integers, endings
from handoff.analytics.early_warning.figure import RESAMPLES, Figure, with_intervals
from handoff.analytics.levels import CUTS, Capacity, CutCost, cheapest, curve, within_capacity
from handoff.analytics.policies import POLICIES, AlarmPolicy, Raised, WatchedAll, watch_all
from handoff.decision import Judge, Verdict
from handoff.errors import NotEnoughData
from handoff.policy import Action, Policy, TriggerSettings, decide
from handoff.policy.costs import CALLS_A_HUMAN, LEVELS, Bill, Costs, bill
from handoff.policy.settings import Cuts
from handoff.policy.trigger import Trigger
from handoff.transcript import Conversation

Read = Callable[[], Iterable[Conversation]]
CHOSEN = "chosen"
IN_USE = "served"


class PolicyCost(msgspec.Struct, frozen=True):
    """The bill of one policy on the reporting part, and its cost for every 100 conversations with an interval."""

    name: str
    title: str
    bill: Bill
    per_100: Figure


class CostReport(msgspec.Struct, frozen=True):
    """Cuts from costs. `curve` is the cost of each cut that calls a human, on the choosing part, rules included.

    `choosing` and `reporting` count conversations. `capacity` is None without a limit; `slot_price` what a hand-off
    was charged on top while choosing, 0 without a limit. `difference` is what the chosen cuts cost more than those in
    use, for every 100 conversations of the reporting part; negative where they save. Both bills are of the same draws.
    """

    choosing: int
    reporting: int
    needed: int
    current: Cuts
    chosen: Cuts
    slot_price: float
    capacity: Capacity | None
    policies: tuple[PolicyCost, ...]
    difference: Figure
    curve: tuple[CutCost, ...]

    def per_100(self, policy: str) -> Figure:
        """What that policy costs for every 100 conversations."""
        return next(each.per_100 for each in self.policies if each.name == policy)


class Part(msgspec.Struct, frozen=True):
    """Conversations to read, as often as wanted, and how long the whole traffic took to bring in as many."""

    read: Read
    hours: float | None = None


def cost_report(
    judge: Judge,
    choosing: Part,
    reporting: Part,
    costs: Costs,
    *,
    against: Against = "escalated",
    per_hour: float | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> CostReport:
    """Choose the cuts on `choosing`, `per_hour` hand-offs being all that can be taken, and bill all on `reporting`.

    Raises `NotEnoughData` where the choosing part holds no label of one kind, or a limit has no time to go by.
    """
    if judge.escalation is None:
        raise NotEnoughData("costs choose cuts of a model, and there is none; train one or name it with --model")
    seen = watch_all(judge, choosing.read(), against, POLICIES)
    _check_choosable(seen.courses)
    rules = seen.first("rules")
    trigger = _row_trigger(judge.policy)
    capacity = _capacity(seen.courses, costs, trigger, rules, choosing.hours, per_hour)
    price = capacity.slot_price if capacity is not None and capacity.slot_price is not None else 0.0
    chosen = choose_cuts(seen.courses, costs, judge.policy.trigger, rules=rules, slot_price=price)
    changed = AlarmPolicy(CHOSEN, "Model and rules, cuts chosen here", WithCuts(chosen))
    watched = watch_all(judge, reporting.read(), against, (*POLICIES, changed))
    return CostReport(
        choosing=len(seen.courses),
        reporting=len(watched.courses),
        needed=sum(course.label for course in watched.courses),
        current=judge.policy.cuts,
        chosen=chosen,
        slot_price=price,
        capacity=capacity,
        policies=tuple(_priced(watched, policy, costs, seed, resamples) for policy in (*POLICIES, changed)),
        difference=_difference(watched, costs, seed, resamples),
        curve=curve(seen.courses, costs, trigger=trigger, rules=rules, slot_price=price),
    )


def choose_cuts(
    courses: Sequence[Course],
    costs: Costs,
    settings: TriggerSettings,
    *,
    rules: Sequence[int | None] | None = None,
    slot_price: float = 0.0,
    cuts: Sequence[float] = CUTS,
) -> Cuts:
    """The four cuts that cost least under the trigger's settings, never falling from one level to the next."""
    found: dict[Action, float] = {}
    limit = max(cuts)
    for level in reversed(LEVELS):
        at_once = found.get("escalate_now") if settings.highest_at_once else None
        single = level == "monitor" or (level == "escalate_now" and settings.highest_at_once)
        trigger = Trigger(cut=limit, in_a_row=1 if single else settings.in_a_row, at_once=None if single else at_once)
        allowed = [cut for cut in cuts if cut <= limit]
        points = curve(courses, costs, level, cuts=allowed, trigger=trigger, rules=rules, slot_price=slot_price)
        limit = found[level] = cheapest(points).cut
    return Cuts(*(found[level] for level in LEVELS))


class WithCuts(msgspec.Struct, frozen=True):
    """The alarms as served, under other cuts."""

    cuts: Cuts

    def __call__(self, verdicts: Sequence[Verdict], policy: Policy) -> Raised:
        changed = msgspec.structs.replace(policy, cuts=self.cuts)
        return tuple(
            decide(v.probability, v.fired, v.moment.owner, changed, scores=v.scores).action in ALARMS for v in verdicts
        )


def _row_trigger(policy: Policy) -> Trigger:
    """The trigger that calls a human, as it is set; its own cut plays no part in a curve."""
    return dict(policy.triggers)[CALLS_A_HUMAN]


def _capacity(
    courses: Sequence[Course],
    costs: Costs,
    trigger: Trigger,
    rules: Sequence[int | None],
    hours: float | None,
    per_hour: float | None,
) -> Capacity | None:
    if per_hour is None:
        return None
    if not hours:
        raise NotEnoughData("a limit of hand-offs an hour needs conversations with times (messages[].sent_at)")
    return within_capacity(courses, costs, hours=hours, limit=per_hour, trigger=trigger, rules=rules)


def _check_choosable(courses: Sequence[Course]) -> None:
    needed = sum(course.label for course in courses)
    if not 0 < needed < len(courses):
        raise NotEnoughData(
            f"costs: {needed} of the {len(courses)} conversations to choose cuts on needed a human; expected both kinds"
        )


def _priced(watched: WatchedAll, policy: AlarmPolicy, costs: Costs, seed: int, resamples: int) -> PolicyCost:
    first = watched.first(policy.name)
    whole = bill(endings(watched.courses), first, costs)
    each = _each_costs(watched.courses, first, costs)
    return PolicyCost(policy.name, policy.title, whole, _per_100(each, whole.cost, seed, resamples))


def _difference(watched: WatchedAll, costs: Costs, seed: int, resamples: int) -> Figure:
    chosen, in_use = (_each_costs(watched.courses, watched.first(name), costs) for name in (CHOSEN, IN_USE))
    more = chosen - in_use
    return _per_100(more, float(more.sum()), seed, resamples)


def _per_100(each: Floats, whole: float, seed: int, resamples: int) -> Figure:
    """`whole`, the sum of the costs of each conversation, for every 100 of them, with its interval."""

    def drawn(rows: Integers) -> dict[str, float | None]:
        return {"per_100": 100 * float(each[rows].mean())}

    figure = Figure(100 * whole / len(each) if len(each) else None, whole, len(each))
    return with_intervals(drawn, {"per_100": figure}, len(each), seed, resamples)["per_100"]


def _each_costs(courses: Sequence[Course], first: Sequence[int | None], costs: Costs) -> Floats:
    """The cost of each conversation alone: array of shape (n_conversations,)."""
    return np.array(
        [bill(endings([course]), [alarm], costs).cost for course, alarm in zip(courses, first, strict=True)]
    )
