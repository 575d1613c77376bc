"""What /metrics says, read as Prometheus reads it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from serving.metrics import _forget_dead_workers
from tests.serving.conversations import ASKS, CALM
from tests.serving.running import Running, running, until


def sample(service: Running, name: str, **labels: str) -> float:
    """The sum of the samples of that name with those labels."""
    families = text_string_to_metric_families(service.get("/metrics").text)
    return sum(
        s.value for family in families for s in family.samples if s.name == name and labels.items() <= s.labels.items()
    )


def test_decisions_stages_and_modes_are_counted(rules_only: Running) -> None:
    def decided() -> float:
        return sample(rules_only, "handoff_decisions_total", action="proactive_escalation", reason="human_requested")

    before, answers = decided(), sample(rules_only, "handoff_answers_total", mode="rules_only")
    timed = sample(rules_only, "handoff_stage_seconds_count", stage="decide")
    rules_only.post("/predict", ASKS)
    rules_only.post("/predict_batch", [ASKS, CALM])
    assert decided() == before + 2
    assert sample(rules_only, "handoff_answers_total", mode="rules_only") == answers + 3
    assert sample(rules_only, "handoff_stage_seconds_count", stage="decide") == timed + 2


def test_requests_are_counted_by_route_and_status(rules_only: Running) -> None:
    def counted(**labels: str) -> float:
        return sample(rules_only, "handoff_requests_total", **labels)

    messages, unknown = "/conversations/{conversation_id}/messages", "/unknown"
    before = counted(route=messages, status="200"), counted(route="/predict", status="400"), counted(route=unknown)
    rules_only.post("/conversations/c-counted/messages", {"role": "customer", "text": "Hello"})
    rules_only.client.post("/predict", content=b"{")
    rules_only.get("/somebody/s-name")
    after = counted(route=messages, status="200"), counted(route="/predict", status="400"), counted(route=unknown)
    assert [b - a for a, b in zip(before, after, strict=True)] == [1, 1, 1]
    assert sample(rules_only, "handoff_request_seconds_count", route=messages) >= 1


def test_a_part_that_does_not_work_is_shown(rules_only: Running) -> None:
    assert sample(rules_only, "handoff_problems", part="escalation") == 1
    assert sample(rules_only, "handoff_problems", part="store") == 0


def test_the_version_in_use_and_the_caches_are_shown(service: Running) -> None:
    assert sample(service, "handoff_serving", part="model", version="escalation/1") == 1
    assert sample(service, "handoff_problems") == 0
    service.post("/predict", CALM)
    before = sample(service, "handoff_cache_lookups_total", cache="conversations", result="hit")
    service.post("/predict", CALM)
    assert until(
        lambda: sample(service, "handoff_cache_lookups_total", cache="conversations", result="hit") > before, 10
    )  # counted once a second


def test_all_workers_are_counted_together(tmp_path: Path) -> None:
    with running(tmp_path / "models", "--workers", "2", cwd=tmp_path) as it:
        for _ in range(40):
            assert it.post("/predict", CALM, {"connection": "close"}).status_code == 200
        assert {sample(it, "handoff_answers_total", mode="rules_only") for _ in range(5)} == {40.0}


def test_a_killed_workers_gauges_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dead = next(pid for pid in range(4_000_000, 5_000_000) if not psutil.pid_exists(pid))
    kinds = ("gauge_livesum", "gauge_mostrecent", "counter")
    files = [tmp_path / f"{kind}_{pid}.db" for kind in kinds for pid in (dead, os.getpid())]
    for file in files:
        file.touch()
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    assert _forget_dead_workers() == (dead,)
    assert [file.exists() for file in files] == [False, True, False, True, True, True]
    assert _forget_dead_workers() == (dead,)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a zombie from a process")
def test_a_worker_that_nobody_has_reaped_is_dead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    with subprocess.Popen(["sleep", "60"]) as worker:
        (tmp_path / f"gauge_livesum_{worker.pid}.db").touch()
        assert _forget_dead_workers() == ()
        worker.kill()
        os.waitid(os.P_PID, worker.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and is left as it is
        assert _forget_dead_workers() == (worker.pid,)
