"""`handoff replay --what-if`: the same conversations decided by a changed system."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import msgspec
import typer
from rich.box import SIMPLE
from rich.table import Table

from handoff.analytics.early_warning import METRICS, Figure
from handoff.analytics.what_if import SHOWN_METRICS, Flip, Said, WhatIf, what_if
from handoff.commands._console import column, console, progress, stderr
from handoff.commands._judge import named_escalation
from handoff.commands._stored import from_store
from handoff.decision import Judge
from handoff.errors import BadInput, NotEnoughData
from handoff.formats import read_conversations
from handoff.policy import Policy, TriggerSettings, load_policy
from handoff.policy.costs import load_costs
from handoff.policy.settings import Cuts, checked_cuts
from handoff.rules import load_rules
from handoff.settings import read_settings
from handoff.transcript import Conversation

SHOWN_FLIPS = 20
NO_OUTCOME = (
    "no conversation has a known outcome, so nothing can be said of cost, precision, recall and lead; report outcomes "
    "(POST /outcomes), or name a file whose conversations hold `outcome`"
)
_FULL = "{in_a_row: 2, highest_at_once: true, fall_back: 0.10}"


class Changes(msgspec.Struct, frozen=True):
    """What is changed against the system in use, and the prices of both bills. None: as it is."""

    rules: Path | None
    confidence: Path | None
    policy: Path | None
    cuts: str | None
    trigger: str | None
    model: Path | None
    costs: Path | None

    @property
    def nothing(self) -> bool:
        changes = (self.rules, self.confidence, self.policy, self.cuts, self.trigger, self.model)
        return all(value is None for value in changes)


def changed(judge: Judge, changes: Changes) -> Judge:
    """The judge with the changes. Raises `BadPolicy`, `BadModel` or misuse naming what does not hold."""
    settings = read_settings()
    rules = load_rules(changes.rules or settings.rules, changes.confidence or settings.confidence)
    policy = load_policy(changes.policy or settings.policy, rules)
    if changes.cuts is not None:
        policy = msgspec.structs.replace(policy, cuts=_cuts(changes.cuts), version=f"{policy.version}+cuts")
    if changes.trigger is not None:
        policy = _with_trigger(policy, changes.trigger)
    escalation = named_escalation(changes.model) if changes.model is not None else judge.escalation
    return replace(judge, rules=rules, policy=policy, escalation=escalation)


def run(judge: Judge, changes: Changes, read: Callable[[], Iterable[Conversation]]) -> WhatIf:
    """Decide all conversations by both. Raises `NotEnoughData` where prices are given and no outcome to bill by."""
    if changes.nothing:
        raise typer.BadParameter(
            "name what changes: --new-rules, --new-confidence, --new-policy, --new-cuts, --new-trigger or --new-model",
            param_hint="--what-if",
        )
    other, costs = changed(judge, changes), load_costs(changes.costs)
    with progress("conversations") as step:
        found = what_if(judge, other, _stepping(read(), step), costs)
    if changes.costs is not None and not found.labelled:
        raise NotEnoughData(f"--costs: {NO_OUTCOME}")
    return found


def source(file: Path | None, store: str | None) -> Callable[[], Iterable[Conversation]]:
    """Where the conversations come from: exactly one of both."""
    if (file is None) == (store is None):
        raise typer.BadParameter("name either FILE or --store URL", param_hint="--what-if")
    if file is not None:
        path = file
        return lambda: read_conversations(path)
    return lambda: from_store(str(store))


def print_what_if(found: WhatIf, shipped_prices: bool) -> None:
    """Counts and bills first, then the flips one by one."""
    console.print(
        f"{found.conversations:,} conversations, {found.messages:,} messages. "
        f"Decisions flip in {_percent(found.changed)} of them, {len(found.flips):,} times",
        markup=False,
    )
    console.print(
        f"Cost, precision, recall and lead are of {found.labelled:,} with a known outcome; left out of them: "
        f"{found.without_outcome:,} without one, {found.abandoned:,} abandoned before anybody took over",
        markup=False,
    )
    if not found.labelled:
        stderr.print(f"Nothing to bill: {NO_OUTCOME}", markup=False, style="yellow")
    elif shipped_prices:
        console.print("Costs by the shipped placeholders: mind their direction, not their size", style="yellow")
    console.print(_sides(found))
    if found.counts:
        counts = Table(column("direction"), column("reason"), column("flips", justify="right"), box=SIMPLE)
        for each in found.counts:
            counts.add_row(each.direction, each.reason, f"{each.flips:,}")
        console.print(counts)
    for flip in found.flips[:SHOWN_FLIPS]:
        console.print(_flip(flip), markup=False)
    if len(found.flips) > SHOWN_FLIPS:
        console.print(f"and {len(found.flips) - SHOWN_FLIPS:,} more: all of them under --json", markup=False)


def _sides(found: WhatIf) -> Table:
    table = Table(column(), column("before", justify="right"), column("after", justify="right"), box=SIMPLE)
    sides = (found.before, found.after)
    table.add_row("conversations that call a human", *(_percent(side.alarms) for side in sides))
    hourly = ("–" if s.alarms_per_hour is None else f"{s.alarms_per_hour:.2f}" for s in sides)
    table.add_row("the same, an hour", *hourly)
    costs = ("–" if side.bill.per_100 is None else f"{side.bill.per_100:.1f}" for side in sides)
    table.add_row("cost per 100 labelled conversations", *costs)
    for name, field in (("needless alarms", "needless"), ("missed", "missed"), ("late", "late")):
        table.add_row(name, *(f"{getattr(side.bill, field):,}" for side in sides))
    for metric in METRICS:
        if metric.name in SHOWN_METRICS:
            table.add_row(metric.title, *(_number(side.figures[metric.name]) for side in sides))
    return table


def _flip(flip: Flip) -> str:
    span = f" ({flip.messages} messages)" if flip.messages > 1 else ""
    where = f"{flip.conversation_id}, message {flip.index + 1}{span}"
    return f"{where}: {_said(flip.before)} → {_said(flip.after)}"


def _said(said: Said) -> str:
    by = f"rule {said.rule}" if said.rule else said.decided_by
    reason = f" for {said.reason}" if said.reason else ""
    return f"{said.action}{reason} by {by}" if said.action != "none" else "none"


def _cuts(text: str) -> Cuts:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != 4:
        raise typer.BadParameter(f"'{text}'; expected four numbers such as 0.3,0.6,0.8,0.9", param_hint="--new-cuts")
    return checked_cuts(Cuts(*numbers), "--new-cuts")


def _with_trigger(policy: Policy, text: str) -> Policy:
    import yaml

    try:
        settings = msgspec.convert(yaml.safe_load(text), TriggerSettings)
    except (msgspec.ValidationError, yaml.YAMLError) as error:
        problem = " ".join(str(error).split())
        raise BadInput(f"--new-trigger: {problem}; expected YAML such as '{_FULL}'") from None
    return msgspec.structs.replace(policy, trigger=settings, version=f"{policy.version}+trigger")


def _stepping(conversations: Iterable[Conversation], step: Callable[[], None]) -> Iterable[Conversation]:
    for conversation in conversations:
        step()
        yield conversation


def _number(figure: Figure) -> str:
    return "–" if figure.value is None else f"{figure.value:.2f}"


def _percent(figure: Figure) -> str:
    return "–" if figure.value is None else f"{figure.value:.1%} ({figure.count:,.0f} of {figure.of:,.0f})"
