"""Rules that go by calibrated confidence: the same features, other values, and both of them said."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import msgspec
import pytest

from handoff.calibration import NONE, Calibration
from handoff.errors import BadPolicy
from handoff.features import follow
from handoff.rules import RuleBook, Watch, load_rules, name_facts
from handoff.rules.confidence import ConfidenceCalibration, UsedConfidence, VersionConfidence, confidence_log_odds
from handoff.simulate import simulate
from handoff.transcript import Conversation
from tests.build import conversation

SHIPPED = load_rules()


def divided(odds: float) -> Calibration:
    """Divides the odds: by 3.5 it makes 70 % (odds 7:3) 40 % (odds 2:3)."""
    return Calibration(method="sigmoid", raw=(0.0, 1.0), calibrated=(-math.log(odds), 1 - math.log(odds)))


def calibrated(calibration: Calibration, *versions: str) -> ConfidenceCalibration:
    known = VersionConfidence(replies=500, helped=200, log_loss={}, calibration=calibration)
    return ConfidenceCalibration(
        label="outcome", source="chats.jsonl", fingerprint="0", versions=dict.fromkeys(versions, known)
    )


def written(path: Path, file: ConfidenceCalibration) -> Path:
    path.write_bytes(msgspec.json.encode(file))
    return path


@pytest.fixture
def book(tmp_path: Path) -> RuleBook:
    return load_rules(confidence=written(tmp_path / "confidence.json", calibrated(divided(3.5), "v2")))


def said(book: RuleBook, case: Conversation) -> dict[str, tuple[str, str]]:
    """Rule to what it says after the last message, and the message with which it began."""
    watch, fired = Watch(book, name_facts(case)), ()
    for moment in follow(case):
        fired = watch.step(moment)
    return {f.rule.id: (f.says, f.message_id) for f in fired}


def reply(confidence: float | None, version: str | None = "v2", **more: Any) -> dict[str, Any]:
    return {"assistant": "It is under Settings.", "confidence": confidence, "assistant_version": version, **more}


def chat(*parts: dict[str, Any]) -> Conversation:
    return conversation(*({**part, "message_id": f"m{i + 1}"} for i, part in enumerate(parts)))


@pytest.mark.parametrize(
    ("replies", "expected"),
    [
        pytest.param(
            [reply(0.7)],
            {"confidence_low": ("AI confidence was as low as 40% (calibrated; reported as 70%)", "m1")},
            id="odds of 7:3 become 2:3",
        ),
        pytest.param([reply(0.84)], {}, id="84 % are odds of 5.25, used as 1.5 or 60 %, which is not below 60 %"),
        pytest.param([reply(0.7, "v1")], {}, id="another version stays as reported"),
        pytest.param([reply(0.7, None)], {}, id="without a version it stays as reported"),
        pytest.param([reply(None)], {}, id="a missing confidence stays missing"),
        pytest.param(
            [reply(0.5, "v1")],
            {"confidence_low": ("AI confidence was as low as 50%", "m1")},
            id="where nothing differs nothing is added",
        ),
        pytest.param(
            [reply(0.88), reply(0.88), reply(0.88)],  # odds 22:3, used as 44:21 or 67.7 %
            {
                "confidence_low_streak": (
                    "3 replies in a row were below 70% confidence (calibrated; reported as 0)",
                    "m3",
                )
            },
            id="a run of replies that are low as used",
        ),
        pytest.param(
            [reply(0.95), reply(0.875)],  # odds 19, used as 5.43 (84.4 %); odds 7, used as 2 (66.7 %)
            {},
            id="a fall from 84 to 67 % is less than 20 points",
        ),
        pytest.param(
            [reply(0.95), reply(0.85)],  # odds 17:3, used as 34:21 or 61.8 %
            {
                "confidence_decline": (
                    "AI confidence fell from 84% to 62% (calibrated; reported as 95%, 85%)",
                    "m2",
                )
            },
            id="10 reported points are 23 used ones",
        ),
    ],
)
def test_rules_go_by_the_used_value_and_show_both(
    book: RuleBook, replies: list[dict[str, Any]], expected: dict[str, tuple[str, str]]
) -> None:
    assert said(book, chat(*replies)) == expected


def test_what_was_reported_is_kept_up_to_date_where_the_used_value_stands_still(book: RuleBook) -> None:
    level = Calibration(method="isotonic", raw=(0.0, 1.0), calibrated=(-1.0, -1.0))  # 26.9 %, whatever is reported
    flat = msgspec.structs.replace(book, confidence=calibrated(level, "v2"))
    assert said(flat, chat(reply(0.9), reply(0.8)))["confidence_low"] == (
        "AI confidence was as low as 27% (calibrated; reported as 80%)",
        "m1",
    )


def test_it_starts_anew_with_an_episode_and_after_a_declined_hand_off(book: RuleBook) -> None:
    for end in ({"system": "", "event": "resolved"}, {"customer": "No need", "event": "declined"}):
        assert "confidence_low" not in said(book, chat(reply(0.7), end, reply(0.95)))


def test_calibrated_to_themselves_all_confidence_features_are_those_of_the_row() -> None:
    """The battery: every episode, decline and hand-back of simulated chats, and the odd ones by hand."""
    versions = {m.assistant_version or "" for c in simulate(150, 3) for m in c.messages}
    itself = calibrated(NONE, *versions, "v2")
    odd = chat(
        reply(0.7), {"customer": "Stop", "event": "declined"}, reply(0.6), {"agent": "Hi"}, reply(0.9),
        reply(0.2, event="resolved"), reply(0.8), {"customer": "and?"}, reply(None),
    )  # fmt: skip
    for each in (odd, *simulate(150, 3)):
        used = UsedConfidence(itself)
        for moment in follow(each):
            assert used.row(moment) == pytest.approx(moment.row_since_decline, abs=2e-6, nan_ok=True)


def test_the_version_tells_that_confidence_is_calibrated(book: RuleBook) -> None:
    assert SHIPPED.confidence is None
    assert book.version != SHIPPED.version


@pytest.mark.parametrize("confidence", [0.0, 1.0, 0.5])
def test_the_ends_are_finite(confidence: float) -> None:
    assert math.isfinite(confidence_log_odds(confidence))
    assert 0 <= (calibrated(divided(2), "v").used(chat(reply(confidence, "v")).messages[0]) or 0) <= 1


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"replies": 499}, "version 'v2': 499 labelled replies; needs at least 500"),
        (
            {"calibration": {"method": "sigmoid", "raw": [0, 1], "calibrated": [1, 0]}},
            "version 'v2', calibration: fall",
        ),
        ({"helped": "many"}, "confidence.json: Expected `int`"),
    ],
)
def test_a_file_that_does_not_hold_is_refused(tmp_path: Path, wrong: dict[str, Any], says: str) -> None:
    file = msgspec.to_builtins(calibrated(divided(3.5), "v2"))
    file["versions"]["v2"] |= wrong
    path = tmp_path / "confidence.json"
    path.write_bytes(msgspec.json.encode(file))
    with pytest.raises(BadPolicy, match=says):
        load_rules(confidence=path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadPolicy, match=r"nowhere.json: cannot be read .* 'handoff calibrate' writes such a file"):
        load_rules(confidence=tmp_path / "nowhere.json")
