"""Slices by team: named by the routing champion, drawn with their calibration error."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from handoff.features import follow
from handoff.simulate import simulate
from handoff.training.card import NO_TEAMS
from handoff.training.plots import reliability_by
from handoff.training.report import EscalationReport, escalation_report
from handoff.training.rows import Table, table
from handoff.training.teams import routing_team
from tests.build import conversation


@pytest.fixture(scope="module")
def rows() -> Table:
    """Half of the conversations go to one team, half to the other."""
    return table(simulate(400, 9), "escalated", team_of=lambda m: "billing" if len(m.message.text) % 2 else "technical")


@pytest.fixture(scope="module")
def p(rows: Table) -> np.ndarray:
    return np.random.default_rng(0).uniform(0.05, 0.3, len(rows))


@pytest.fixture(scope="module")
def report(rows: Table, p: np.ndarray) -> EscalationReport:
    return escalation_report(rows, p, {}, target="escalated", within=None, scored_on="x", seed=1)


def test_every_team_has_its_calibration_error_with_an_interval(report: EscalationReport) -> None:
    teams = {part.value: part for part in report.slices if part.by == "team"}
    assert set(teams) == {"billing", "technical"}
    for part in teams.values():
        error = part.intervals["calibration_error"]
        assert error.value is not None and error.low is not None and error.high is not None
        assert error.low <= error.high and error.value > 0


def test_a_team_is_drawn_with_its_error(rows: Table, p: np.ndarray, report: EscalationReport) -> None:
    (axes,) = reliability_by("team", rows, p, report).axes
    legend = axes.get_legend()
    assert legend is not None
    labels = [text.get_text() for text in legend.get_texts()]
    assert labels[0] == "as said"
    assert {label.partition(":")[0] for label in labels[1:]} == {"billing", "technical"}
    assert all("[" in label for label in labels[1:])
    billing = next(line for line in axes.lines if str(line.get_label()).startswith("billing"))
    assert 0 < len(billing.get_xdata()) <= 5


def test_the_routing_champion_names_the_team(trained_models: Path) -> None:
    team_of = routing_team(trained_models)
    assert team_of is not None
    said, silent = conversation({"customer": "My invoice is wrong"}), conversation({"assistant": "Hello"})
    assert team_of(list(follow(said))[-1]) in {"technical", "billing", "sales", "customer_success", "senior", "general"}
    assert team_of(list(follow(silent))[-1]) is None


def test_without_a_champion_that_holds_there_is_no_team(trained_models: Path, tmp_path: Path) -> None:
    assert routing_team(tmp_path) is None
    shutil.copytree(trained_models / "routing", tmp_path / "routing")
    (tmp_path / "encoders").symlink_to(trained_models / "encoders")
    assert routing_team(tmp_path) is not None
    (tmp_path / "routing" / "1" / "weights.npz").write_bytes(b"")
    assert routing_team(tmp_path) is None


def test_the_card_of_the_first_model_says_that_no_team_was_known(trained_models: Path) -> None:
    assert NO_TEAMS in (trained_models / "escalation" / "1" / "card.md").read_text()
