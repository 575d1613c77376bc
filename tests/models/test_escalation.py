"""Escalation scores: one moment as many, contributions that add up, columns picked by name."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

from handoff.features import FEATURE_NAMES, Moment, follow
from handoff.models import EscalationModel
from handoff.models.slots import WORDING_NAMES
from handoff.simulate import simulate


@pytest.fixture(scope="module")
def moments() -> list[Moment]:
    return [moment for c in simulate(12, 99) for moment in follow(c) if moment.read]


def with_values(moment: Moment, **values: float) -> Moment:
    """The moment with other values of these features."""
    row = tuple(values.get(name, value) for name, value in zip(FEATURE_NAMES, moment.row, strict=True))
    return msgspec.structs.replace(moment, row=row)


def test_one_moment_scores_as_in_a_batch(escalation: EscalationModel, moments: list[Moment]) -> None:
    together = escalation.probabilities(moments)
    assert together.shape == (len(moments),)
    assert [float(escalation.probabilities([moment])[0]) for moment in moments] == together.tolist()
    assert ((together > 0) & (together < 1)).all()
    assert together.std() > 0.01


def test_a_table_scores_as_its_moments(escalation: EscalationModel, moments: list[Moment]) -> None:
    rows, recent = np.array([moment.row for moment in moments]), [moment.recent for moment in moments]
    assert escalation.probabilities_of(rows, recent).tolist() == escalation.probabilities(moments).tolist()


def test_no_moments_no_probabilities(escalation: EscalationModel) -> None:
    assert escalation.probabilities([]).shape == (0,)


def test_contributions_and_base_sum_to_the_raw_log_odds(escalation: EscalationModel, moments: list[Moment]) -> None:
    for moment in moments[::7]:
        contributions = escalation.contributions(moment)
        total = escalation.base + sum(c.weight for c in contributions)
        assert total == pytest.approx(escalation.log_odds([moment])[0], abs=1e-9)
        assert [c.weight for c in contributions] == sorted((c.weight for c in contributions), reverse=True)


def test_contributions_of_many_are_those_one_by_one(escalation: EscalationModel, moments: list[Moment]) -> None:
    together = escalation.contributions_of(moments)
    assert repr(together) == repr([escalation.contributions(moment) for moment in moments])


def test_contributions_show_the_rows_own_values(escalation: EscalationModel, moments: list[Moment]) -> None:
    moment = moments[-1]
    seen = dict(zip(escalation.manifest.features, escalation.inputs([moment])[0].tolist(), strict=True))
    for contribution in escalation.contributions(moment):
        value = seen[contribution.feature]
        assert contribution.value == value or (math.isnan(value) and math.isnan(contribution.value))


def test_the_wording_alone_moves_the_probability(escalation: EscalationModel, moments: list[Moment]) -> None:
    assert escalation.manifest.features[-len(WORDING_NAMES) :] == WORDING_NAMES
    silent = [msgspec.structs.replace(moment, recent=()) for moment in moments]
    assert escalation.probabilities(silent).tolist() != escalation.probabilities(moments).tolist()
    assert (escalation.inputs(silent)[:, -len(WORDING_NAMES) :] == 0).all()


def test_a_feature_that_the_model_does_not_use_changes_nothing(
    escalation: EscalationModel, moments: list[Moment]
) -> None:
    unused = {name: 77.0 for name in FEATURE_NAMES if name not in escalation.manifest.features}
    changed = [with_values(moment, **unused) for moment in moments]
    assert escalation.probabilities(changed).tolist() == escalation.probabilities(moments).tolist()


def test_a_row_of_nothing_has_a_probability(escalation: EscalationModel, moments: list[Moment]) -> None:
    nothing = msgspec.structs.replace(moments[0], row=(math.nan,) * len(FEATURE_NAMES), recent=())
    assert 0 < escalation.probabilities([nothing])[0] < 1


def test_lower_confidence_never_lowers_the_probability(escalation: EscalationModel, moments: list[Moment]) -> None:
    grid = [with_values(moments[-1], confidence_min=confidence) for confidence in np.linspace(1, 0, 50).tolist()]
    assert (np.diff(escalation.probabilities(grid)) >= -1e-12).all()


@pytest.mark.parametrize("shape", [(3,), (2, 3), (1, len(FEATURE_NAMES) + 1), (2, len(FEATURE_NAMES))])
def test_rows_of_another_shape_are_refused(escalation: EscalationModel, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="rows have shape"):
        escalation.probabilities_of(np.zeros(shape), [()])
