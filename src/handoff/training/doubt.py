"""Whether a trained version is known to be better than policies too simple to be worth a model."""

from __future__ import annotations

from handoff.metrics import Interval
from handoff.training.card import shown
from handoff.training.report import EscalationReport, RoutingReport


def best_trivial(report: EscalationReport | RoutingReport) -> tuple[str, Interval] | None:
    """The trivial policy with the best main figure (AUROC, or accuracy), and that figure; None where none is known."""
    if isinstance(report, RoutingReport):
        figures = report.trivial
    else:
        figures = {name: by["auroc"] for name, by in report.trivial.items()}
    known = {name: figure for name, figure in figures.items() if figure.value is not None}
    best = max(known, key=lambda name: known[name].value or 0.0, default=None)
    return None if best is None else (best, known[best])


def doubt(report: EscalationReport | RoutingReport) -> str | None:
    """What speaks against the version; None where the whole interval of its main figure lies above the best trivial
    policy's figure."""
    metric, ours = (
        ("accuracy", report.accuracy) if isinstance(report, RoutingReport) else ("AUROC", report.model["auroc"])
    )
    best = best_trivial(report)
    if best is None or best[1].value is None:
        return None
    if ours.low is not None and ours.low > best[1].value:
        return None
    return f"not known to be better than a trivial policy: {metric} {shown(ours)}, '{best[0]}' has {shown(best[1])}"
