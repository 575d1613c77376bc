"""Why a model believes what it does: the features that raise its probability most, in words."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from handoff.features import FEATURE_NAMES, FEATURES, Moment
from handoff.features.statistics import Distinct, FallFromPeak, LongestStreak, MissingShare, Streak, Total
from handoff.features.table import Fact, Family, Feature, Running, Said
from handoff.models import EscalationModel
from handoff.models.escalation import Contribution
from handoff.models.slots import WORDING_FEATURES

SHOWN_INDICATORS = 5
# A contribution smaller than this moves no probability by more than 2.5 points: too little to speak for a reason.
SPEAKS_FROM = 0.10

# What the model's features add right after a message, largest first.
Contributions = tuple[Contribution, ...]

_BY_NAME = {feature.name: feature for feature in (*FEATURES, *WORDING_FEATURES)}
# Of these statistics and families 0 says that there was none.
_COUNTS = (Total, Distinct, Streak, LongestStreak, FallFromPeak, MissingShare)
_LOUD_OR_AGAIN: tuple[Family, ...] = ("loudness", "repetition")


class Indicator(msgspec.Struct, frozen=True):
    """A feature that raises the probability, what it adds to the log-odds, and that in words."""

    feature: str
    value: float
    weight: float
    says: str


class Explanation(msgspec.Struct, frozen=True):
    """Where the model's log-odds come from: base + the shown weights + `rest` = `log_odds`, before calibration."""

    indicators: tuple[Indicator, ...]
    reasons: tuple[str, ...]
    base: float
    rest: float
    log_odds: float


def explained(model: EscalationModel, moment: Moment, contributions: Contributions | None = None) -> Explanation:
    """The features that raise the probability most, in words, and the reasons that they speak for."""
    contributions = model.contributions(moment) if contributions is None else contributions
    raising = _raising(contributions)
    shown_values = dict(zip(FEATURE_NAMES, moment.row, strict=True))
    indicators = tuple(
        Indicator(c.feature, round(c.value, 6), round(c.weight, 6), feature.says.format_map(shown_values))
        for c, feature in raising[:SHOWN_INDICATORS]
    )
    reasons = [feature.reason for c, feature in raising if c.weight >= SPEAKS_FROM and feature.reason is not None]
    base = model.base
    total = base + math.fsum([c.weight for c in contributions])
    rest = total - base - math.fsum([i.weight for i in indicators])
    return Explanation(indicators, tuple(dict.fromkeys(reasons)), base, rest, total)


def _raising(contributions: Sequence[Contribution]) -> list[tuple[Contribution, Feature]]:
    """Those, largest first, that raise the probability and can be shown: as many as are, and all that speak for a
    reason."""
    found: list[tuple[Contribution, Feature]] = []
    for each in contributions:
        if each.weight <= 0 or (each.weight < SPEAKS_FROM and len(found) >= SHOWN_INDICATORS):
            break
        feature = _BY_NAME[each.feature]
        if _is_shown(feature, each.value):
            found.append((each, feature))
    return found


def _is_shown(feature: Feature, value: float) -> bool:
    """A missing value says nothing; of none at all, or words that speak against it, the sentence would not be true."""
    if math.isnan(value):
        return False
    if isinstance(feature.source, Said):
        return value > 0
    counts = (
        isinstance(feature.source, Fact)
        or feature.family in _LOUD_OR_AGAIN
        or (isinstance(feature.source, Running) and feature.source.statistic in _COUNTS)
    )
    return value != 0 or not counts
