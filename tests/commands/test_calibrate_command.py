"""`handoff calibrate`, and that predict and the service go by its file alike."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from handoff.commands._judge import judge_of
from handoff.settings import Settings
from handoff.transcript import Conversation, to_json
from serving.current import CurrentJudge
from tests.build import conversation
from tests.commands.running import run

ASK = {"customer": "Where is the export?"}


def chat(number: int, confidence: float, version: str, *, resolved: bool) -> Conversation:
    reply = {"assistant": "Under Settings.", "confidence": confidence, "assistant_version": version}
    facts = {"facts": {"customer_id": f"u-{number}"}}
    return conversation(facts, ASK, reply, conversation_id=f"c-{number}", outcome={"resolved": resolved})


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Version v1 says 90 % and helps in half of 600 replies; v2 has 20 replies."""
    chats = [chat(i, 0.9, "v1", resolved=i % 2 == 0) for i in range(600)]
    chats += [chat(600 + i, 0.9, "v2", resolved=True) for i in range(20)]
    path = tmp_path / "chats.jsonl"
    path.write_bytes(b"".join(to_json(each) + b"\n" for each in chats))
    return path


@pytest.fixture
def file(data: Path, tmp_path: Path) -> Path:
    path = tmp_path / "confidence.json"
    assert run("calibrate", "--data", data, "--out", path).exit_code == 0
    return path


def test_it_says_what_it_did_a_version_at_a_time(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "confidence.json"
    result = run("calibrate", "--data", data, "--out", out, columns=200)
    assert "620 conversations. Label: a reply helped where its episode ended resolved" in result.stdout
    assert "stays as reported: 20 labelled replies; needs at least 500" in result.stdout
    assert "90.0%" in result.stdout and "calibrated (" in result.stdout
    assert f"HANDOFF_CONFIDENCE={out} handoff serve" in result.stdout
    written = json.loads(out.read_text())
    assert (written["label"], written["source"], set(written["versions"])) == ("outcome", "chats.jsonl", {"v1"})


def test_as_data_it_holds_the_file_and_every_version(data: Path, tmp_path: Path) -> None:
    found = json.loads(run("calibrate", "--data", data, "--out", tmp_path / "c.json", "--json").stdout)
    assert [fit["version"] for fit in found["fits"]] == ["v1", "v2"]
    assert found["file"] == json.loads((tmp_path / "c.json").read_text())


def test_predict_and_the_service_go_by_it_alike(file: Path, data: Path, tmp_path: Path) -> None:
    """90 % as reported is worth 50 %: below the guide's 60."""
    case = chat(1, 0.9, "v1", resolved=False)
    one = tmp_path / "one.jsonl"
    one.write_bytes(to_json(case) + b"\n")
    plain = json.loads(run("predict", one).stdout)
    predicted = json.loads(run("predict", one, HANDOFF_CONFIDENCE=str(file)).stdout)
    served = CurrentJudge(Settings(models=tmp_path / "none", confidence=file)).answer(case)
    assert plain["rules"] == []
    assert [rule["rule"] for rule in predicted["rules"]] == ["confidence_low"]
    assert predicted["rules"][0]["says"] == "AI confidence was as low as 50% (calibrated; reported as 90%)"
    assert [rule.says for rule in served.rules] == [rule["says"] for rule in predicted["rules"]]
    assert served.recommendation.action == predicted["recommendation"]["action"] == "escalate_now"
    assert served.versions.rules == predicted["versions"]["rules"] != plain["versions"]["rules"]


def test_features_and_model_see_what_was_reported(
    file: Path, trained_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = chat(1, 0.9, "v1", resolved=False)
    plain = judge_of(None, trained_models).answer(case)
    monkeypatch.setenv("HANDOFF_CONFIDENCE", str(file))
    used = judge_of(None, trained_models).answer(case)
    assert used.escalation.probability == plain.escalation.probability is not None
    assert (used.rules, plain.rules) != (plain.rules, used.rules)


def test_what_if_shows_what_it_would_change(file: Path, data: Path) -> None:
    found = json.loads(run("replay", data, "--what-if", "--new-confidence", file, "--json").stdout)
    assert found["changed"]["count"] == 600
    assert found["before"]["alarms"]["count"] == 0 and found["after"]["alarms"]["count"] == 600
    assert {count["reason"] for count in found["counts"]} == {"ai_uncertainty"}


def test_a_broken_file_stops_predict(data: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text("{}")
    result = run("predict", data, HANDOFF_CONFIDENCE=str(broken))
    assert result.exit_code == 1 and f"{broken}:" in result.stderr
