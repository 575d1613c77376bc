"""What a training run writes to MLflow: parameters, figures, pictures, card, and the model itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from handoff.features import FEATURES_VERSION
from handoff.metrics import figures
from handoff.policy import load_policy
from handoff.policy.costs import load_costs
from handoff.training import plots
from handoff.training.costs import cost_of_cuts
from handoff.training.fit_escalation import FOLDS, FittedEscalation
from handoff.training.fit_routing import FittedRouting
from handoff.training.labels import check_target, is_about_hand_offs
from handoff.training.report import DRAWN_BY, EscalationReport, RoutingReport
from handoff.training.rows import RoutingTable, Table
from handoff.training.tracking import Run

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]

EXAMPLES = 2


def escalation(
    run: Run,
    fitted: FittedEscalation,
    train: Table,
    test: Table,
    probabilities: Floats,
    trivial: Mapping[str, Floats],
    report: EscalationReport,
    card: str,
) -> None:
    """Everything about an escalation run but the model."""
    shown = {key: value for key, value in fitted.parameters.items() if key != "monotone_constraints"}
    run.params(
        shown
        | {
            "target": report.target,
            "within": report.within,
            "rounds": fitted.rounds,
            "folds": FOLDS,
            "calibration": fitted.calibration.method,
            "wording": fitted.wording is not None,
            "wording_penalty": fitted.wording_penalty,
            "features": len(fitted.features),
            "features_version": FEATURES_VERSION,
            "split": report.scored_on,
            "data_fingerprint": train.fingerprint,
            "conversations_train": train.conversations,
            "conversations_test": test.conversations,
            "rows_train": len(train),
            "rows_made_up": 0 if train.requests is None else len(train.requests),
            "rows_test": len(test),
        }
    )
    run.metrics(_escalation_metrics(report))
    out_of_fold = fitted.calibration.probabilities(fitted.out_of_fold)
    cross = figures(train.y, out_of_fold, train.weight)
    for method, by_metric in fitted.calibrations.items():
        run.metrics({f"calibration.{method}.{name}": value for name, value in by_metric.items()})
    run.metrics({f"out_of_fold.{name}": value for name, value in cross.items()})
    run.text(msgspec.json.format(msgspec.json.encode(report), indent=2).decode(), "report.json")
    run.text(card, "card.md")
    run.figures(
        {
            "calibration": plots.calibration_curve(test.y, probabilities, test.weight),
            "precision_recall": plots.precision_recall(test.y, {"this model": probabilities, **trivial}, test.weight),
            "importance": plots.importance(fitted.importance()),
            "confusion": plots.levels_confusion(test.y, probabilities, test.weight),
        }
        | {
            f"calibration_by_{by}": plots.reliability_by(by, test, probabilities, report)
            for by in DRAWN_BY
            if any(part.by == by and part.weighable for part in report.slices)
        }
    )
    if is_about_hand_offs(check_target(report.target), report.within):
        _costs(run, test, probabilities)


def _costs(run: Run, test: Table, probabilities: Floats) -> None:
    """The cost of every cut by the shipped prices and policy: its shape, since the prices are placeholders."""
    policy = load_policy()
    points = cost_of_cuts(test, probabilities, load_costs(None), policy)
    run.text(msgspec.json.format(msgspec.json.encode(points), indent=2).decode(), "costs.json")
    run.figures({"cost": plots.cost_curve(points, {"in use": policy.cuts.proactive_escalation})})
    run.curve("cost_per_100", {round(100 * point.cut): point.bill.per_100 for point in points})


def routing(run: Run, fitted: FittedRouting, report: RoutingReport, card: str, seed: int) -> None:
    """Everything about a routing run but the model."""
    run.params(
        {
            "penalty": fitted.penalty,
            "temperature": fitted.temperature,
            "certain_from": fitted.certain_from,
            "teams": ", ".join(fitted.teams),
            "features": len(fitted.features),
            "features_version": FEATURES_VERSION,
            "split": report.scored_on,
            "seed": seed,
        }
    )
    run.metrics(_routing_metrics(report))
    run.text(msgspec.json.format(msgspec.json.encode(report), indent=2).decode(), "report.json")
    run.text(card, "card.md")
    names = [team.team for team in report.teams]
    counts = np.array(report.confusion, dtype=np.float64)
    run.figures({"confusion": plots.confusion(counts, names, names, "team named", "team that took it")})


def escalation_model(run: Run, folder: Path, rows: Table) -> str:
    """Store an escalation version; redacted conversations are its input example. Returns its URI."""
    import pandas as pd

    answers = pd.DataFrame({"probability": [0.5]})
    return run.model("pyfunc_escalation.py", {"model": folder}, _examples(rows), answers)


def routing_model(run: Run, folder: Path, encoder: Path, rows: RoutingTable) -> str:
    """Store a routing version with its encoder; redacted conversations are its input example. Returns its URI."""
    import pandas as pd

    answers = pd.DataFrame({"team": ["general"], "certain": [False], "probability": [0.5]})
    return run.model("pyfunc_routing.py", {"model": folder, "encoder": encoder}, _examples(rows), answers)


def _examples(rows: Table | RoutingTable) -> pd.DataFrame:
    import pandas as pd

    from handoff.transcript import to_json

    texts = [to_json(msgspec.structs.replace(c, outcome=None)).decode() for c in rows.candidates[:EXAMPLES]]
    return pd.DataFrame({"conversation": texts})


def _escalation_metrics(report: EscalationReport) -> dict[str, float | None]:
    found: dict[str, float | None] = {"test.base_rate": report.base_rate}
    for name, interval in report.model.items():
        found |= {f"test.{name}": interval.value, f"test.{name}.low": interval.low, f"test.{name}.high": interval.high}
    for policy, by_metric in report.trivial.items():
        found |= {f"trivial.{policy}.{name}": interval.value for name, interval in by_metric.items()}
    for part in (*report.by_role, *report.slices):
        found |= {f"slice.{part.by}.{part.value}.{name}": value for name, value in part.figures.items()}
    return found


def _routing_metrics(report: RoutingReport) -> dict[str, float | None]:
    found: dict[str, float | None] = {
        "test.accuracy": report.accuracy.value,
        "test.accuracy.low": report.accuracy.low,
        "test.accuracy.high": report.accuracy.high,
        "test.log_loss": report.log_loss,
        "test.certain_share": report.certain_share,
        "test.certain_accuracy": report.certain_accuracy.value,
    }
    found |= {f"trivial.{policy}.accuracy": interval.value for policy, interval in report.trivial.items()}
    for team in report.teams:
        found |= {f"team.{team.team}.precision": team.precision, f"team.{team.team}.recall": team.recall}
    return found
