"""What `handoff evaluate` says beyond single messages: alarms in time, and what they cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import typer

from handoff.analytics.cost_report import CostReport, Part, cost_report
from handoff.analytics.early_report import EarlyWarning, early_warning
from handoff.commands._chosen_policy import ToWrite
from handoff.commands._console import print_json
from handoff.commands._early_view import print_costs, print_early_warning
from handoff.decision import Judge
from handoff.models import EscalationModel
from handoff.policy import load_policy
from handoff.policy.costs import load_costs
from handoff.rules import load_rules
from handoff.settings import read_settings
from handoff.transcript import Conversation

if TYPE_CHECKING:
    from handoff.training.evaluate import Evaluation

# What a hand-off ends can be forecast; the other targets are about ratings and labels.
WATCHED_TARGETS = ("escalated", "needed_human")
SHIPPED = "shipped"


class Wanted(msgspec.Struct, frozen=True):
    """What was asked for beside the report."""

    early_warning: bool
    costs: str | None
    per_hour: float | None
    curve: Path | None
    policy_folder: Path | None
    force: bool
    seed: int


def check_wanted(wanted: Wanted) -> None:
    """Options that make no sense without prices are misuse."""
    given = {"--per-hour": wanted.per_hour, "--curve": wanted.curve, "--write-policy": wanted.policy_folder}
    for option, value in given.items():
        if value is not None and wanted.costs is None:
            raise typer.BadParameter("needs --costs FILE (or --costs shipped)", param_hint=option)
    if wanted.force and wanted.policy_folder is None:
        raise typer.BadParameter("goes with --write-policy", param_hint="--force")


class Beyond(msgspec.Struct, frozen=True):
    """Early warning and costs, where they were asked for and the model allows them, and the policy to write."""

    early_warning: EarlyWarning | None
    costs: CostReport | None
    to_write: ToWrite | None


def beyond(wanted: Wanted, model: Any, found: Evaluation, read: Callable[[], Iterable[Conversation]]) -> Beyond | None:
    """Both, on the conversations that were scored, which are read again."""
    if not isinstance(model, EscalationModel) or model.manifest.target not in WATCHED_TARGETS:
        if wanted.costs is not None:
            raise typer.BadParameter("costs need an escalation model of target escalated or needed_human")
        return None
    settings = read_settings()
    rules = load_rules(settings.rules, settings.confidence)
    judge = Judge(rules, load_policy(settings.policy, rules), model)
    early = None
    if wanted.early_warning:
        ids = {source.conversation_id for source in found.scored}
        early = early_warning(judge, _only(read, ids), seed=wanted.seed)
    if wanted.costs is None:
        return Beyond(early, None, None)
    costs, how = _costs(wanted, judge, found, read)
    if wanted.policy_folder is None:
        return Beyond(early, costs, None)
    says = (
        f"Cuts chosen by `handoff evaluate --costs {wanted.costs}` with {judge.versions.model},"
        f" on {costs.choosing} conversations ({how}: the other side).\nFor HANDOFF_POLICY."
    )
    return Beyond(early, costs, ToWrite(wanted.policy_folder, judge.policy, says, settings.policy, wanted.force))


def print_beyond(found: Beyond, wanted: Wanted) -> None:
    """For a person."""
    if found.early_warning is not None:
        print_early_warning(found.early_warning)
    if found.costs is not None:
        print_costs(found.costs, str(wanted.costs), wanted.costs == SHIPPED)


def print_all(report: Any, found: Beyond | None) -> None:
    """The report's fields, and `early_warning` and `costs` beside them, as JSON."""
    fields = msgspec.to_builtins(report)
    if found is not None:
        beside = {"early_warning": found.early_warning, "costs": found.costs}
        fields |= {name: msgspec.to_builtins(value) for name, value in beside.items() if value is not None}
    print_json(fields)


def _costs(
    wanted: Wanted, judge: Judge, found: Evaluation, read: Callable[[], Iterable[Conversation]]
) -> tuple[CostReport, str]:
    """The report, and how the conversations were divided."""
    from handoff.training.splits import split

    costs = load_costs(None if wanted.costs == SHIPPED else Path(str(wanted.costs)))
    parted = split(found.scored, wanted.seed, share=0.5)
    sides = [
        {source.conversation_id for source, test in zip(found.scored, parted.test, strict=True) if bool(test) == side}
        for side in (False, True)
    ]
    hours = [found.hours * len(side) / found.of if found.hours and found.of else None for side in sides]
    choosing, reporting = (Part(_reader(read, side), time) for side, time in zip(sides, hours, strict=True))
    report = cost_report(judge, choosing, reporting, costs, per_hour=wanted.per_hour, seed=wanted.seed)
    if wanted.curve is not None:
        _draw(report, wanted.curve)
    return report, parted.how


def _draw(report: CostReport, path: Path) -> None:
    from handoff.training.plots import cost_curve, save

    marks = {"in use": report.current.proactive_escalation, "cheapest": report.chosen.proactive_escalation}
    save(cost_curve(report.curve, marks), path)


def _reader(read: Callable[[], Iterable[Conversation]], ids: set[str]) -> Callable[[], Iterator[Conversation]]:
    return lambda: _only(read, ids)


def _only(read: Callable[[], Iterable[Conversation]], ids: set[str]) -> Iterator[Conversation]:
    return (conversation for conversation in read() if conversation.conversation_id in ids)
