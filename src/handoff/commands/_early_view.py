"""How the early-warning figures and the costs look in the terminal."""

from __future__ import annotations

from rich.box import SIMPLE
from rich.table import Table

from handoff.analytics.cost_report import CostReport
from handoff.analytics.early_report import EarlyWarning
from handoff.analytics.early_warning import METRICS, Figure
from handoff.commands._console import column, console
from handoff.policy.costs import LEVELS

_SHORT = {
    "never": "never", "always": "always", "every_fourth": "every\n4th", "keywords": "key-\nwords", "rules": "rules",
    "model": "model", "served": "as served [95%]",
}  # fmt: skip
_ARROWS = {"higher": "", "lower": " ↓", "depends": ""}
_EFFECTS = {
    "prepare": "model alone prepares or more", "model": "model alone calls a human", "served": "as served",
}  # fmt: skip
IBM = "IBM's ticket model, on its own tickets: recall 87.4%, 88.2% less work"


def print_early_warning(found: EarlyWarning) -> None:
    """Each policy by its first alarm in a conversation, then the trigger, then the scores underneath."""
    console.print(
        f"Alarms on {found.conversations:,} conversations, {found.needed:,} of them {found.against} "
        f"({found.without_label:,} without a label left out); each policy by its first alarm",
        markup=False,
    )
    if not found.conversations:
        return
    _print_policies(found)
    _print_triggers(found)
    _print_scores(found)


def _print_policies(found: EarlyWarning) -> None:
    columns = [column(_SHORT[p.name].replace("[", r"\["), justify="right") for p in found.policies]
    table = Table(column(max_width=24), *columns, box=SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
    for metric in METRICS:
        cells = [
            with_interval(p.figures[metric.name]) if p.name == "served" else _number(p.figures[metric.name])
            for p in found.policies
        ]
        table.add_row(metric.title + _ARROWS[metric.better], *cells)
    console.print(table)


def _print_triggers(found: EarlyWarning) -> None:
    if not found.triggers:
        return
    console.print("What the trigger's settings do (policy.yaml), one added after the other", markup=False)
    columns = ("alarms\nper 100", "flips per\nconver-\nsation", "pre-\ncision", "recall", "lead in\nmessages")
    table = Table(column(), *(column(c, justify="right") for c in columns), box=SIMPLE, pad_edge=False)
    for each in found.triggers:
        alarms = "–" if each.alarms.value is None else f"{100 * each.alarms.value:.1f}"
        rest = (each.flips, each.precision, each.recall, each.lead_messages)
        table.add_row(f"{_EFFECTS[each.of]}: {each.setting}", alarms, *map(_number, rest))
    console.print(table)


def _print_scores(found: EarlyWarning) -> None:
    if found.prefixes:
        names = map(column, ("after\nmes-\nsages", "conver-\nsations", "needed"))
        scores = (column(name, no_wrap=True) for name in ("AUPRC", "Brier ↓", "calib. error ↓"))
        table = Table(*names, *scores, box=SIMPLE, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
        for at in found.prefixes:
            shown = map(with_interval, (at.average_precision, at.brier, at.calibration_error))
            table.add_row(str(at.messages), f"{at.conversations:,}", f"{at.positives:,}", *shown)
        console.print(table)
        console.print()
    for at_recall in found.workload:
        saved, cut = _percent(at_recall.workload_reduction), at_recall.cut
        where = "" if cut is None else f" (from a probability of {cut:.3f})"
        console.print(f"At a recall of {at_recall.asked:.1%}: {saved} less work{where}", markup=False)
    if found.workload:
        console.print(f"Beside it, {IBM}", markup=False, style="dim")


def print_costs(found: CostReport, title: str, placeholders: bool) -> None:
    """Cuts from costs, and the bill of every policy."""
    if placeholders:
        console.print(
            "The prices are the shipped placeholders: no figure below means money until you write your own",
            style="yellow",
        )
    console.print(
        f"Costs by {title}: cuts chosen on {found.choosing:,} conversations, all bills on {found.reporting:,} others "
        f"({found.needed:,} needed a human)",
        markup=False,
    )
    cuts = Table(column(), *map(column, LEVELS), box=SIMPLE, pad_edge=False)
    for name, values in (("in use", found.current), ("cheapest", found.chosen)):
        cuts.add_row(name, *(f"{getattr(values, level):.2f}" for level in LEVELS))
    console.print(cuts)
    _print_capacity(found)
    names = map(column, ("alarms", "needless", "missed", "late"))
    bills = Table(column(), column(r"cost per 100 \[95%]", no_wrap=True), *names, box=SIMPLE, pad_edge=False)
    for each in found.policies:
        b = each.bill
        bills.add_row(
            each.title, with_interval(each.per_100, 1), *(f"{n:,}" for n in (b.alarms, b.needless, b.missed, b.late))
        )
    console.print(bills)


def _print_capacity(found: CostReport) -> None:
    limit = found.capacity
    if limit is None:
        return
    if limit.chosen is None or limit.slot_price is None:
        says = "no cut fits: the rules alone, which nothing weakens, call a human more often"
    else:
        says = (
            f"a slot costs {limit.slot_price:.2f} more; the cut that calls a human moves from {limit.unlimited.cut:.2f}"
            f" to {limit.chosen.cut:.2f}, hand-offs an hour from {limit.unlimited_per_hour:.2f}"
            f" to {limit.chosen_per_hour:.2f}"
        )
    console.print(f"At most {limit.limit:g} hand-offs an hour: {says}", markup=False)


def _number(figure: Figure) -> str:
    return "–" if figure.value is None else f"{figure.value:.3g}" if abs(figure.value) >= 10 else f"{figure.value:.2f}"


def with_interval(figure: Figure, digits: int = 2, sign: str = "") -> str:
    """The figure and its interval where it has one; with the sign "+" that of every number is shown."""
    if figure.value is None:
        return "–"
    form = f"{sign}.{digits}f"
    interval = "" if figure.low is None or figure.high is None else f" [{figure.low:{form}}, {figure.high:{form}}]"
    return f"{figure.value:{form}}{interval}"


def _percent(figure: Figure) -> str:
    if figure.value is None:
        return "nothing known of"
    interval = "" if figure.low is None or figure.high is None else f" [{figure.low:.1%}, {figure.high:.1%}]"
    return f"{figure.value:.1%}{interval}"
