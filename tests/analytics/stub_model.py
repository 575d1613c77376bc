"""A model whose probabilities can be worked out by hand, with the interface of a trained one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from handoff.decision import Judge
from handoff.features import FEATURE_NAMES, Moment
from handoff.models import Contribution, EscalationModel
from handoff.rules import RuleBook


@dataclass(frozen=True)
class StubModel:
    """The probability is `per_message` times the customer's messages; `weights` are what each feature adds."""

    per_message: float = 0.25
    weights: Mapping[str, float] = field(default_factory=dict)
    label: str = "escalation/stub"
    base: float = 0.0

    def probabilities(self, moments: Sequence[Moment]) -> NDArray[np.float64]:
        column = FEATURE_NAMES.index("customer_messages")
        return np.array([min(1.0, self.per_message * moment.row[column]) for moment in moments])

    def contributions(self, moment: Moment) -> tuple[Contribution, ...]:
        found = [
            Contribution(name, moment.row[FEATURE_NAMES.index(name)], weight) for name, weight in self.weights.items()
        ]
        return tuple(sorted(found, key=lambda contribution: -contribution.weight))


def judge(rules: RuleBook | None = None, **stub: Any) -> Judge:
    """The shipped rules (or others) and a stub model."""
    return replace(Judge.by_rules(rules), escalation=cast(EscalationModel, StubModel(**stub)))
