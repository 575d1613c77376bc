"""A version that its test does not show to be better than a trivial policy says so, in its card too."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from handoff.metrics import Interval
from handoff.models import read_manifest
from handoff.training.card import escalation_card, routing_card
from handoff.training.doubt import doubt
from handoff.training.report import EscalationReport, RoutingReport

NOTHING = Interval(None, None, None)


def report(ours: Interval, **trivial: Interval) -> EscalationReport:
    metrics = ("log_loss", "brier", "auroc", "average_precision", "calibration_error")
    none = dict.fromkeys(metrics, NOTHING)
    return EscalationReport(
        target="escalated", within=None, scored_on="", conversations=50, positive_conversations=5, messages=300,
        base_rate=0.1, model=none | {"auroc": ours}, by_role=(), slices=(), weakest=None,
        trivial={name: none | {"auroc": figure} for name, figure in trivial.items()},
    )  # fmt: skip


def routing(ours: Interval, always: Interval) -> RoutingReport:
    return RoutingReport(
        scored_on="", hand_offs=40, accuracy=ours, certain_from=None, certain_share=0.0, certain_accuracy=NOTHING,
        log_loss=1.0, trivial={"always billing": always}, teams=(), confusion=(),
    )  # fmt: skip


SURE, UNSURE = Interval(0.80, 0.71, 0.90), Interval(0.80, 0.70, 0.90)
CHANCE, TURNS = Interval(0.5, 0.5, 0.5), Interval(0.70, 0.60, 0.80)


@pytest.mark.parametrize(
    ("found", "doubtful"),
    [
        (report(SURE, chance=CHANCE, turns=TURNS), False),
        (report(UNSURE, chance=CHANCE, turns=TURNS), True),
        (report(Interval(0.80, None, None), turns=TURNS), True),
        (report(SURE), False),
        (report(SURE, turns=NOTHING), False),
        (routing(SURE, TURNS), False),
        (routing(UNSURE, TURNS), True),
    ],
)
def test_the_whole_interval_has_to_lie_above_the_best_trivial_policy(
    found: EscalationReport | RoutingReport, doubtful: bool
) -> None:
    assert (doubt(found) is not None) == doubtful


def test_it_names_both_figures() -> None:
    assert doubt(report(UNSURE, chance=CHANCE, turns=TURNS)) == (
        "not known to be better than a trivial policy: AUROC 0.800 [0.700, 0.900], 'turns' has 0.700 [0.600, 0.800]"
    )


def test_the_card_says_it_first_among_the_limits(trained_models: Path) -> None:
    for name, card in (
        ("escalation", lambda m: escalation_card(m, report(UNSURE, turns=TURNS), {})),
        ("routing", lambda m: routing_card(m, routing(UNSURE, TURNS), ())),
    ):
        manifest = read_manifest(trained_models / name / "1")
        doubtful = msgspec.structs.replace(manifest, doubt="not known to be better")
        assert "## Limits\n\n- **It is not known to be better.**\n" in card(doubtful)
        assert "It is not known" not in card(msgspec.structs.replace(manifest, doubt=None))
