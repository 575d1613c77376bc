"""What the first alarm of the model alone would cost on the test side, at every cut that calls a human."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from handoff.analytics.early_warning import Course
from handoff.analytics.levels import CutCost, curve
from handoff.policy import Policy
from handoff.policy.costs import CALLS_A_HUMAN, Costs
from handoff.training.rows import Table

Floats = NDArray[np.float64]


def courses(test: Table, probabilities: Floats) -> list[Course]:
    """Each conversation of the table as it was watched, up to what came to pass: its rows with their scores."""
    found = []
    for of in np.unique(test.of).tolist():
        rows = np.flatnonzero(test.of == of)
        came = np.flatnonzero(test.y[rows] == 1)
        watched = rows if not len(came) else rows[: came[-1] + 1]
        scores = tuple(probabilities[watched].tolist())
        event = len(scores) if len(came) else None
        conversation_id = test.sources[of].conversation_id
        found.append(Course(conversation_id=conversation_id, label=bool(len(came)), scores=scores, event=event))
    return found


def cost_of_cuts(test: Table, probabilities: Floats, costs: Costs, policy: Policy) -> tuple[CutCost, ...]:
    """The bill of each cut under the policy's trigger, without rules."""
    trigger = dict(policy.triggers)[CALLS_A_HUMAN]
    return curve(courses(test, probabilities), costs, trigger=trigger)
