"""The cost curve of a training run, worked by hand."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from handoff.policy import load_policy
from handoff.policy.costs import load_costs
from handoff.policy.settings import PLAIN_CUTS
from handoff.training.costs import cost_of_cuts, courses
from handoff.training.rows import Table, table
from tests.build import conversation

ASK, REPLY, AGENT = {"customer": "Where is it?"}, {"assistant": "There."}, {"agent": "Hello"}


@pytest.fixture(scope="module")
def rows() -> Table:
    handed_over = conversation(ASK, REPLY, ASK, AGENT, {"agent": "", "event": "handed_back"}, ASK, conversation_id="a")
    resolved = conversation(ASK, REPLY, conversation_id="b", outcome={"resolved": True})
    return table([handed_over, resolved], "escalated")


P = np.array([0.1, 0.5, 0.9, 0.9, 0.2, 0.6])


def test_a_course_ends_where_a_human_took_over(rows: Table) -> None:
    handed_over, resolved = courses(rows, P)
    assert (handed_over.label, handed_over.scores, handed_over.event) == (True, (0.1, 0.5, 0.9), 3)
    assert (resolved.label, resolved.scores, resolved.event) == (False, (0.2, 0.6), None)


def test_a_cut_costs_what_its_first_alarms_cost(rows: Table) -> None:
    """By the shipped prices, one message over the cut being enough: a needless call is 1 + 5 minutes of .80; a miss is
    12 and .25 for each of the 3 messages waited; an alarm at the second message came 2 messages ahead, 1 waited."""
    policy, costs = load_policy(), load_costs(None)
    plain = msgspec.structs.replace(policy, trigger=PLAIN_CUTS)
    by_cut = {round(point.cut, 2): point.bill for point in cost_of_cuts(rows, P, costs, plain)}
    assert (by_cut[0.5].hits, by_cut[0.5].needless, by_cut[0.5].missed) == (1, 1, 0)
    assert by_cut[0.5].cost == pytest.approx((1 + 5 * 0.80) + 0.25 * by_cut[0.5].waited)
    assert (by_cut[0.95].hits, by_cut[0.95].missed) == (0, 1)
    assert by_cut[0.95].cost == pytest.approx(12 + 0.25 * 3)


def test_the_policys_trigger_is_used(rows: Table) -> None:
    """Shipped: two messages in a row, or one over the highest cut."""
    shipped = {round(p.cut, 2): p.bill for p in cost_of_cuts(rows, P, load_costs(None), load_policy())}
    assert shipped[0.55].needless == 0, "one message over .55 is not enough"
