"""Log lines: JSON, each with the caller's request id, none with a word of what was said."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any

import pytest

from handoff.settings import Settings
from serving.logs import JsonLines, write_json_lines
from tests.serving.conversations import ASKS
from tests.serving.running import running, until


def lines(output: Path) -> list[dict[str, Any]]:
    """Every JSON line printed so far."""
    return [json.loads(line) for line in output.read_text("utf-8").splitlines() if line.startswith("{")]


def test_every_line_of_the_log_is_json_from_the_first_on(tmp_path: Path) -> None:
    with running(tmp_path / "models", cwd=tmp_path) as it:
        assert until(lambda: "Try it at" in it.output.read_text("utf-8"))
        others = [line for line in it.output.read_text("utf-8").splitlines() if not line.startswith("{")]
        assert [line.split()[0] for line in others] == [
            "NO",
            "No",
            "Starting",
            "Listening",
            "escalation:",
            "routing:",
            "Try",
        ]
        assert any("Applying user config" in line["message"] for line in lines(it.output))


def refused(output: Path) -> list[dict[str, Any]]:
    """The lines about requests that were refused."""
    return [line for line in lines(output) if line["logger"].endswith("requests") and 400 <= line["status"] < 500]


def test_refused_requests_are_logged_with_their_id_and_without_their_text(tmp_path: Path) -> None:
    with running(tmp_path / "models", cwd=tmp_path) as it:
        bad = {"conversation_id": "c-secret", "messages": [{"role": "nobody", "text": "my secret words"}]}
        assert it.post("/predict", bad, {"x-request-id": "chat-7"}).status_code == 400
        assert it.post("/predict", ASKS, {"x-request-id": "chat-8"}).status_code == 200
        assert it.client.post("/predict", content=b"x", headers={"content-type": "text/plain"}).status_code == 415
        assert it.post("/conversations/c-secret/messages", {"role": "x", "text": ""}).status_code == 400
        assert until(lambda: len(refused(it.output)) == 3)
        logged = refused(it.output)
        assert [line["route"] for line in logged] == [
            "/predict",
            "/predict",
            "/conversations/{conversation_id}/messages",
        ]
        assert logged[0] | {"at": "", "worker": 0, "milliseconds": 0} == {
            "at": "", "level": "info", "logger": "bentoml.handoff.requests", "worker": 0,
            "message": "POST /predict 400", "request_id": "chat-7", "method": "POST", "route": "/predict",
            "status": 400, "milliseconds": 0, "why": "The body is not a usable conversation",
        }  # fmt: skip
        assert "chat-8" not in it.output.read_text("utf-8")
        assert "secret" not in it.output.read_text("utf-8")


def test_every_request_is_logged_when_asked_for_and_text_is_for_people(tmp_path: Path) -> None:
    with running(tmp_path / "models", cwd=tmp_path, HANDOFF_LOG_REQUESTS="true", HANDOFF_LOG_FORMAT="text") as it:
        it.post("/predict", ASKS, {"x-request-id": "chat-8"})
        it.get("/livez")
        assert until(lambda: "POST /predict 200" in it.output.read_text("utf-8"))
        assert lines(it.output) == []
        assert "GET /livez" not in it.output.read_text("utf-8")


def test_a_failure_is_told_by_its_kind_and_place_not_by_its_words() -> None:
    try:
        raise ValueError("my secret words")
    except ValueError:
        record = logging.LogRecord("bentoml.handoff", logging.ERROR, "", 0, "it failed", (), sys.exc_info())
    line = json.loads(JsonLines().format(record))
    assert line["error"] == "ValueError" and line["message"] == "it failed"
    assert "secret" not in line["trace"].replace('raise ValueError("my secret words")', "")


@pytest.mark.parametrize(("how", "is_json"), [("json", True), ("text", False)])
def test_the_format_is_a_setting(how: Any, is_json: bool) -> None:
    handler = logging.StreamHandler()
    logger = logging.getLogger("bentoml")
    logger.addHandler(handler)
    kept = [(each, each.formatter) for name in (None, "bentoml") for each in logging.getLogger(name).handlers]
    try:
        write_json_lines(Settings(log_format=how))
        assert isinstance(handler.formatter, JsonLines) == is_json
    finally:
        for each, formatter in kept:
            each.setFormatter(formatter)
        logger.removeHandler(handler)
