"""Cuts that cost more than those in use are not written by mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from handoff.analytics.cost_report import CostReport, PolicyCost
from handoff.analytics.early_warning import Figure
from handoff.analytics.levels import Capacity, CutCost
from handoff.commands._chosen_policy import ToWrite, write_chosen
from handoff.errors import BadPolicy
from handoff.policy import load_policy
from handoff.policy.costs import Bill
from handoff.policy.settings import Cuts

POLICY = load_policy()
CUTS = Cuts(0.2, 0.4, 0.5, 0.9)
NOTHING = Bill(100, 0, 0, 0, 0, 0, 0, 0.0, 0.0, 0.0, 0.0)
LOW, HIGH = CutCost(0.5, NOTHING, 0.0), CutCost(0.9, NOTHING, 0.0)
LIMIT = Capacity(1.0, 9.0, LOW, 2.0, 3.0, HIGH, 1.0)


def report(low: float, more: float, high: float, capacity: Capacity | None = None) -> CostReport:
    """A report of cuts that cost `more` than the 200 per 100 conversations of those in use."""
    bills = [("served", 200.0), ("chosen", 200.0 + more)]
    policies = tuple(PolicyCost(name, name, NOTHING, Figure(value, low=150.0, high=250.0)) for name, value in bills)
    return CostReport(
        choosing=90, reporting=100, needed=9, current=POLICY.cuts, chosen=CUTS, slot_price=0.0, capacity=capacity,
        policies=policies, difference=Figure(more, low=low, high=high), curve=(),
    )  # fmt: skip


def wanted(folder: Path, *, force: bool = False) -> ToWrite:
    return ToWrite(folder, POLICY, "Chosen", None, force)


def test_dearer_cuts_are_refused_with_both_costs_and_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(BadPolicy, match=r"cost more than those in use: 230.0 .* instead of 200.0 .* pass --force"):
        write_chosen(wanted(tmp_path / "new"), report(-5, 30, 60))
    assert list(tmp_path.iterdir()) == []


SAID = {
    "forced": (report(-5, 30, 60), True, "Mind that the chosen cuts cost more than those in use: 230.0"),
    "capacity": (report(5, 30, 60, LIMIT), False, "Mind that the chosen cuts cost more"),
    "unsure": (report(-60, -30, 5), False, "Mind that nothing shows that the chosen cuts cost less"),
    "cheaper": (
        report(-60, -30, -5),
        False,
        "The chosen cuts cost less than those in use: 170.0 [150.0, 250.0] per 100",
    ),
}


@pytest.mark.parametrize(("costs", "force", "says"), SAID.values(), ids=SAID)
def test_it_says_what_they_cost_and_where_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], costs: CostReport, force: bool, says: str
) -> None:
    folder = tmp_path / "new"
    write_chosen(wanted(folder, force=force), costs)
    said = capsys.readouterr().err
    assert says in said and f"a difference of {costs.difference.value:+.1f} [" in said
    assert f"Written: {folder / 'policy.yaml'}" in said
    assert "per 100 conversations instead of 200.0" in (folder / "policy.yaml").read_text("utf-8")
    assert load_policy(folder).cuts == CUTS
