"""Worked out together, many conversations have the standings and the answers that they have one by one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoff.calibration import Calibration
from handoff.decision import Judge
from handoff.features import Moment
from handoff.models import load_champion
from handoff.rules import load_rules
from handoff.rules.confidence import ConfidenceCalibration, VersionConfidence
from handoff.simulate import simulate
from handoff.together import contributions, standings
from handoff.transcript import Conversation
from tests.strategies import conversations

RULES_ONLY = Judge.by_rules()


class Told:
    """A model that says what the test tells it, by the number of the message: alarms go up and down."""

    label, base = "told/1", 0.0

    def __init__(self, scores: Sequence[float]) -> None:
        self.scores = scores

    def probabilities(self, moments: Sequence[Moment]) -> list[float]:
        return [self.scores[moment.index] for moment in moments]

    def contributions(self, moment: Moment) -> tuple[Any, ...]:
        return ()

    def contributions_of(self, moments: Sequence[Moment]) -> list[tuple[Any, ...]]:
        return [() for _ in moments]


@pytest.fixture(scope="module")
def judge(trained_models: Path) -> Judge:
    escalation, routing = (load_champion(name, trained_models) for name in ("escalation", "routing"))
    return Judge(RULES_ONLY.rules, RULES_ONLY.policy, escalation, routing)


def told(scores: Sequence[float]) -> Judge:
    return Judge(RULES_ONLY.rules, RULES_ONLY.policy, Told(scores))  # type: ignore[arg-type]


def check(judge: Judge, chats: Sequence[Conversation]) -> None:
    found = standings(judge, chats)
    for chat, standing, adds in zip(chats, found, contributions(judge, found), strict=True):
        alone = judge.standing(chat)
        assert standing.fired == alone.fired
        for found, expected in ((standing.moment, alone.moment), (standing.before, alone.before)):
            assert (found is None) == (expected is None)
            if found is not None and expected is not None:
                assert found.index == expected.index
                assert np.array((found.row, found.row_since_decline)).tobytes() == (
                    np.array((expected.row, expected.row_since_decline)).tobytes()
                )
        asked = msgspec.json.encode(judge.conclude(standing, explain=True, request_id="r", contributions=adds))
        assert asked == msgspec.json.encode(judge.answer(chat, explain=True, request_id="r"))


def test_simulated_chats(judge: Judge) -> None:
    check(judge, list(simulate(120, 5)))


def test_nothing_comes_of_nothing(judge: Judge) -> None:
    assert standings(judge, []) == []


@given(chats=st.lists(conversations(), max_size=4))
def test_any_chats_by_rules_alone(chats: list[Conversation]) -> None:
    check(RULES_ONLY, chats)


@given(
    chats=st.lists(conversations(most=30), max_size=3),
    scores=st.lists(st.integers(0, 20).map(lambda n: n / 20), min_size=30, max_size=30),
)
def test_any_chats_under_alarms_that_go_up_and_down(chats: list[Conversation], scores: list[float]) -> None:
    check(told(scores), chats)


def test_chats_under_rules_about_names(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(
        "rules:\n"
        "- {id: east, title: East, group: region, urgency: scheduled, reason: region, says: From the east,\n"
        "   when: {region: {in: [east]}, customer_messages: {at_least: 2}}}\n"
    )
    rng, by_region = Random(3), Judge.by_rules(load_rules(path))
    chats = [
        msgspec.structs.replace(
            chat, customer=msgspec.structs.replace(chat.facts, region=rng.choice(("East", "west", None)))
        )
        for chat in simulate(40, 6)
    ]
    check(by_region, chats)
    fired = [bool(standing.fired) for standing in standings(by_region, chats)]
    assert 0 < sum(fired) < len(fired)


def test_chats_under_calibrated_confidence() -> None:
    raised = Calibration(method="sigmoid", raw=(-1, 1), calibrated=(-3, -1))
    version = VersionConfidence(replies=500, helped=250, log_loss={}, calibration=raised)
    calibration = ConfidenceCalibration(label="label", source="", fingerprint="", versions={"": version})
    chats = [
        msgspec.structs.replace(
            chat, messages=tuple(msgspec.structs.replace(m, assistant_version=None) for m in chat.messages)
        )
        for chat in simulate(40, 7)
    ]
    calibrated = Judge.by_rules(msgspec.structs.replace(load_rules(), confidence=calibration))
    check(calibrated, chats)
    assert any(calibrated.standing(chat).fired != RULES_ONLY.standing(chat).fired for chat in chats)
