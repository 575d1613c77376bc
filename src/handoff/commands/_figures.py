"""How the figures of an evaluation look in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.box import SIMPLE
from rich.table import Table

from handoff.commands._console import column, console

if TYPE_CHECKING:
    from handoff.training.report import EscalationReport, RoutingReport, Slice

SLICED = ("auroc", "log_loss", "calibration_error")
SHORT = {
    "log_loss": "log loss ↓",
    "brier": "Brier score ↓",
    "auroc": "AUROC",
    "average_precision": "average precision",
    "calibration_error": "calibration error ↓",
}


def print_report(report: EscalationReport | RoutingReport, label: str) -> None:
    """Figures with 95 % intervals, beside trivial policies, then by newest role and by slice."""
    from handoff.training.report import RoutingReport

    if isinstance(report, RoutingReport):
        _print_routing(report, label)
    else:
        _print_escalation(report, label)


def _print_escalation(report: EscalationReport, label: str) -> None:
    from handoff.training.card import named, shown

    horizon = f" within {report.within} messages" if report.within is not None else ""
    console.print(
        f"{label} on {report.conversations:,} conversations, {report.positive_conversations:,} of them "
        f"{report.target}{horizon}, {report.messages:,} messages (base rate {report.base_rate:.1%})",
        markup=False,
    )
    console.print(f"Split or source: {report.scored_on}", markup=False)
    # The trivial policies' own intervals are in the card and under --json: here they would not fit a terminal.
    known = (column(no_wrap=True), column(r"this model \[95%]", no_wrap=True))
    figures = Table(*known, *map(column, report.trivial), box=SIMPLE, pad_edge=False, show_edge=False)
    for metric, title in SHORT.items():
        trivial = (_number(by[metric].value) for by in report.trivial.values())
        figures.add_row(title, shown(report.model[metric]), *trivial)
    console.print(figures)
    _print_slices((*report.by_role, *report.slices))
    if report.weakest is not None:
        auroc = _number(report.weakest.figures["auroc"])
        console.print(f"Weakest slice: {named(report.weakest)}, AUROC {auroc}", markup=False)


def _print_slices(parts: tuple[Slice, ...]) -> None:
    """The slices that hold enough to be compared; the card has all of them."""
    from handoff.training.card import named, slice_figure

    weighable = [part for part in parts if part.weighable]
    if not weighable:
        return
    # The other two intervals are in the card and under --json: here they would not fit a terminal.
    before, after = map(column, ("slice", "conver-\nsations", "positive")), map(column, ("log\nloss", "calib.\nerror"))
    columns = (*before, column(r"AUROC \[95%]", no_wrap=True), *after)
    slices = Table(*columns, box=SIMPLE, pad_edge=False)
    for part in weighable:
        shown = (slice_figure(part, "auroc").replace("[", r"\["), *(_number(part.figures[m]) for m in SLICED[1:]))
        slices.add_row(named(part), f"{part.conversations:,}", f"{part.positive_conversations:,}", *shown)
    console.print(slices)
    if len(weighable) < len(parts):
        console.print(f"{len(parts) - len(weighable)} smaller slices: in the model card and under --json", markup=False)


def _print_routing(report: RoutingReport, label: str) -> None:
    from handoff.training.card import shown

    console.print(f"{label} on {report.hand_offs:,} hand-offs", markup=False)
    console.print(f"Split or source: {report.scored_on}", markup=False)
    figures = Table(column(), column(r"accuracy \[95%]"), box=SIMPLE)
    figures.add_row("this model", shown(report.accuracy))
    for name, figure in report.trivial.items():
        figures.add_row(name, shown(figure))
    figures.add_row(f"where certain ({report.certain_share:.0%} of hand-offs)", shown(report.certain_accuracy))
    console.print(figures)
    teams = Table(*map(column, ("team", "hand-offs", "precision", "recall")), box=SIMPLE)
    for team in report.teams:
        shares = ("–" if share is None else f"{share:.2f}" for share in (team.precision, team.recall))
        teams.add_row(team.team, f"{team.hand_offs:,}", *shares)
    console.print(teams)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
