"""Routing scores: probabilities that sum to one, an explicit "unsure", and texts weighted by their words."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from handoff.features import FEATURE_NAMES, Moment, follow
from handoff.models import RoutingModel
from handoff.models.routing import shares, standardised
from tests.build import conversation


def moment(*texts: str) -> Moment:
    return list(follow(conversation(*({"customer": text} for text in texts))))[-1]


BILLING = ("I was charged twice this month.", "Please refund the second payment on my invoice.")
TECHNICAL = ("The API returns error 500 since the update.", "Our webhook integration and the widget script both fail.")


def test_probabilities_sum_to_one_highest_first(routing: RoutingModel) -> None:
    probabilities = routing.probabilities(moment(*BILLING))
    assert sum(probabilities.values()) == pytest.approx(1)
    assert set(probabilities) == set(routing.teams)
    assert list(probabilities.values()) == sorted(probabilities.values(), reverse=True)


@pytest.mark.parametrize(("texts", "team"), [(BILLING, "billing"), (TECHNICAL, "technical")], ids=["money", "errors"])
def test_plain_cases_go_where_they_belong(routing: RoutingModel, texts: tuple[str, ...], team: str) -> None:
    assert routing.route(moment(*texts)).team == team


@pytest.mark.parametrize(
    ("certain_from", "certain"),
    [
        pytest.param(0.0, True, id="over the cut it is certain"),
        pytest.param(1.1, False, id="under the cut it is not"),
        pytest.param(None, False, id="without a cut it never is"),
    ],
)
def test_certainty_is_the_manifests_cut(routing: RoutingModel, certain_from: float | None, certain: bool) -> None:
    manifest = msgspec.structs.replace(routing.manifest, certain_from=certain_from)
    assert RoutingModel(manifest, routing.weights, routing.wording).route(moment(*BILLING)).certain is certain


def test_one_moment_scores_as_in_a_batch(routing: RoutingModel) -> None:
    moments = [moment(*BILLING), moment(*TECHNICAL), moment("")]
    alone = np.vstack([routing.scores([m]) for m in moments])
    assert routing.scores(moments) == pytest.approx(alone, abs=1e-12)


def test_texts_count_by_their_words_up_to_twenty() -> None:
    assert shares(["help", "", "word " * 50]) == pytest.approx([1 / 21, 0, 20 / 21])


def test_without_a_word_no_text_counts_and_a_route_comes_out(routing: RoutingModel) -> None:
    assert (shares(["", " "]) == 0).all()
    assert routing.route(moment("")).team in routing.teams


def test_a_missing_feature_counts_as_average(routing: RoutingModel) -> None:
    missing = np.full((1, len(routing.manifest.features)), np.nan)
    assert (standardised(missing, routing.weights.means, routing.weights.scales) == 0).all()
    assert set(routing.manifest.features) <= set(FEATURE_NAMES)
