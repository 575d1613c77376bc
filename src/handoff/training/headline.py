"""A report in one line, for logs and pipelines."""

from __future__ import annotations

from handoff.training.card import shown
from handoff.training.doubt import best_trivial
from handoff.training.report import EscalationReport, RoutingReport


def headline(report: EscalationReport | RoutingReport) -> str:
    """The main figure with its 95 % interval, beside the best trivial policy, and on how much it was measured."""
    return _routing(report) if isinstance(report, RoutingReport) else _escalation(report)


def _escalation(report: EscalationReport) -> str:
    best = best_trivial(report)
    beside = f" ({best[0]}: {shown(best[1])})" if best else ""
    return f"AUROC {shown(report.model['auroc'])}{beside} on {report.conversations:,} conversations"


def _routing(report: RoutingReport) -> str:
    beside = ", ".join(f"{name}: {shown(figure)}" for name, figure in report.trivial.items())
    return f"accuracy {shown(report.accuracy)} ({beside}) on {report.hand_offs:,} hand-offs"
