"""The service as a process: starting, staying, changing models, stopping."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from importlib import resources
from pathlib import Path

import psutil
import pytest

from handoff.models import promote
from tests.serving.contract import broken_promises
from tests.serving.conversations import ASKS, CALM, DISPUTE
from tests.serving.running import (
    HANDOFF,
    Running,
    add_version,
    clean_environment,
    copy_models,
    running,
    start,
    until,
    wait_until_ready,
)
from tests.serving.test_logs import lines
from tests.serving.test_metrics import sample

STARTS = "handoff_worker_starts_total"


def serve(*options: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """`handoff serve` that is expected to end by itself."""
    return subprocess.run(
        [str(HANDOFF), "serve", *options], cwd=cwd, env=clean_environment() | environment, capture_output=True,
        text=True, timeout=60,
    )  # fmt: skip


def test_it_says_where_it_listens_and_how_it_is(rules_only: Running) -> None:
    assert until(lambda: "/docs" in rules_only.output.read_text("utf-8"))
    said = rules_only.output.read_text("utf-8")
    assert f"Listening on http://127.0.0.1:{rules_only.port}: rules only (no model)" in said
    assert "escalation: " in said
    assert f"http://127.0.0.1:{rules_only.port}/docs" in said
    assert "Traceback" not in said


def test_only_this_machine_is_listened_to(rules_only: Running) -> None:
    (supervisor, *_) = rules_only.family()
    listening = [c for c in supervisor.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
    assert {c.laddr.ip for c in listening} == {"127.0.0.1"}


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_with_its_workers_and_leaves_nothing(tmp_path: Path, how: signal.Signals) -> None:
    with running(tmp_path / "models", "--workers", "2", cwd=tmp_path, TMPDIR=str(tmp_path), HOME=str(tmp_path)) as it:
        family = it.family()
        assert len(family) == 3
        assert it.stop(how) == 0
        assert until(lambda: not any(process.is_running() for process in family), 10)
        assert [p.name for p in tmp_path.iterdir() if p.suffix != ".txt"] == ["handoff.sqlite"]
        with socket.socket() as again:
            again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            again.bind(("127.0.0.1", it.port))


def test_workers_end_when_their_supervisor_is_killed(tmp_path: Path) -> None:
    # Killed, it cannot clear up after itself: that stays in the test's own folder.
    it = start(tmp_path / "models", cwd=tmp_path, TMPDIR=str(tmp_path))
    try:
        wait_until_ready(it)
        family = it.family()
        it.process.kill()
        it.process.wait(10)
        assert until(lambda: not any(process.is_running() for process in family), 20)
    finally:
        it.client.close()


def test_a_killed_worker_is_replaced(tmp_path: Path) -> None:
    with running(tmp_path / "models", cwd=tmp_path) as it:
        assert (sample(it, STARTS, after="start"), sample(it, STARTS, after="death")) == (1, 0)
        assert it.post("/predict", DISPUTE).status_code == 200
        (worker,) = it.family()[1:]
        worker.kill()
        worker.wait(10)
        assert until(lambda: [p.pid for p in it.family()[1:]] not in ([], [worker.pid]))
        wait_until_ready(it)
        assert it.post("/predict", DISPUTE).status_code == 200
        assert (sample(it, STARTS, after="start"), sample(it, STARTS, after="death")) == (1, 1)
        first, second = [line for line in lines(it.output) if line["message"].startswith("worker started")]
        assert (first["worker"], first["level"], first["died"]) == (worker.pid, "info", [])
        assert (second["worker"], second["level"], second["died"]) == (it.family()[1].pid, "warning", [worker.pid])
        assert first["versions"] == second["versions"] == it.get("/status").json()["versions"]


def test_a_folder_with_a_package_of_the_same_name_is_no_trap(tmp_path: Path) -> None:
    for name in ("serving", "handoff", "bentoml"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('the wrong one')", "utf-8")
    with running(Path("models"), cwd=tmp_path) as it:
        assert it.get("/status").json()["models"] == str(tmp_path / "models")


def test_a_port_in_use_is_said_in_one_line(rules_only: Running, tmp_path: Path) -> None:
    done = serve("--port", str(rules_only.port), cwd=tmp_path)
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1, port {rules_only.port}" in done.stderr
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr


def test_rules_that_do_not_hold_are_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text("rules: [{id: late, when: {minutes_opn: {above: 3}}}]", "utf-8")
    done = serve("--rules", "rules.yaml", cwd=tmp_path)
    assert done.returncode == 1
    assert "rule 'late'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("options", "environment", "status", "said"),
    [
        (("--port", "0"), {}, 2, "--port"),
        (("--workers", "0"), {}, 2, "--workers"),
        (("--host", "no.such.host.invalid"), {}, 2, "no.such.host.invalid"),
        (("--rules", "none.yaml"), {}, 2, "none.yaml"),
        (("--store", "foo://ann:secret@host/x"), {}, 2, "the store's URL begins with 'foo'; expected sqlite:"),
        ((), {"HANDOFF_STORE": "foo://ann:secret@host/x"}, 2, "the store's URL begins with 'foo'; expected sqlite:"),
        (("--store", "postgresql://ann:secret@host:port/x"), {}, 2, "the port in the store's URL is no port"),
        (("--store", "handoff.sqlite"), {}, 2, "the store's URL cannot be read; expected sqlite:"),
        ((), {"HANDOFF_STORE": "sqlite://"}, 2, "a store in memory is shared by nobody"),
        ((), {"HANDOFF_MAX_BATCH": "many"}, 1, "HANDOFF_MAX_BATCH is 'many'; expected a whole number over 0"),
        ((), {"HANDOFF_REQUIRE_MODEL": "maybe"}, 1, "HANDOFF_REQUIRE_MODEL is 'maybe'; expected true or false"),
    ],
    ids=[
        "port 0",
        "no workers",
        "an unknown host",
        "no such rules",
        "an unknown database",
        "one in the environment",
        "a port that is none",
        "a file instead of a URL",
        "a store in memory",
        "a batch of many",
        "a model maybe",
    ],
)
def test_misuse_is_named(
    tmp_path: Path, options: tuple[str, ...], environment: dict[str, str], status: int, said: str
) -> None:
    done = serve(*options, cwd=tmp_path, **environment)
    assert done.returncode == status
    assert said in " ".join(done.stderr.replace("│", " ").split())
    assert "secret" not in done.stderr + done.stdout


def test_a_folder_of_models_that_is_not_there_is_said_before_all_else(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with running(tmp_path / "mistyped", cwd=tmp_path) as it:
        first = it.output.read_text("utf-8").splitlines()[0]
        assert first == f"NO MODELS: there is no folder {tmp_path / 'mistyped'}; until models are promoted there, the rules answer alone"  # fmt: skip
    with running(tmp_path / "empty", cwd=tmp_path) as it:
        assert "NO MODELS" not in it.output.read_text("utf-8")


def test_own_rules_and_settings_are_used(tmp_path: Path) -> None:
    record = (
        "rules: [{id: hello, title: Hello, group: keywords, when: {minutes_open: {at_least: 0}}, "
        "urgency: immediate, reason: sales, says: Hello}]"
    )
    (tmp_path / "rules.yaml").write_text(record, "utf-8")
    with running(
        Path("models"), "--rules", "rules.yaml", cwd=tmp_path, HANDOFF_MAX_BODY_BYTES="2000", HANDOFF_MAX_BATCH="2"
    ) as it:
        assert [rule["id"] for rule in it.get("/rules").json()["rules"]] == ["hello"]
        assert it.post("/predict", CALM).json()["recommendation"]["reason"] == "sales"
        assert it.post("/predict", b" " * 2001).status_code == 413
        assert it.post("/predict_batch", [CALM] * 3).status_code == 400


def test_a_worker_that_starts_later_goes_by_the_same_rules_and_policy(tmp_path: Path) -> None:
    rules = resources.files("handoff.rules") / "rules.yaml"
    policy = resources.files("handoff.policy")
    (tmp_path / "rules.yaml").write_text(rules.read_text("utf-8"), "utf-8")
    (tmp_path / "policy").mkdir()
    for name in ("policy.yaml", "teams.yaml", "messages.yaml"):
        (tmp_path / "policy" / name).write_text((policy / name).read_text("utf-8"), "utf-8")
    own = {"HANDOFF_POLICY": str(tmp_path / "policy"), "HANDOFF_RULES": str(tmp_path / "rules.yaml")}
    with running(tmp_path / "models", cwd=tmp_path, **own) as it:
        before = it.get("/status").json()["versions"]
        (tmp_path / "rules.yaml").write_text("half of what is being ed", "utf-8")
        (tmp_path / "policy" / "policy.yaml").unlink()
        (worker,) = it.family()[1:]
        worker.kill()
        worker.wait(10)
        assert until(lambda: [p.pid for p in it.family()[1:]] not in ([], [worker.pid]))
        wait_until_ready(it)
        assert it.get("/status").json()["versions"] == before


def test_a_required_model_that_is_missing_makes_it_unready_and_no_worse(tmp_path: Path) -> None:
    it = start(tmp_path / "models", cwd=tmp_path, HANDOFF_REQUIRE_MODEL="true")
    try:
        assert until(lambda: "Listening" in it.output.read_text("utf-8"), 60)
        assert it.get("/readyz").status_code == 503
        assert it.get("/livez").status_code == 200
        assert it.post("/predict", DISPUTE).json()["mode"] == "rules_only"
    finally:
        it.stop()
        it.client.close()


@pytest.mark.parametrize("damage", ["deleted", "corrupted"])
def test_started_over_a_broken_model_it_answers_by_rules(trained_models: Path, tmp_path: Path, damage: str) -> None:
    models = copy_models(trained_models, tmp_path / "models")
    file = models / "escalation" / "1" / "model.txt"
    file.unlink() if damage == "deleted" else file.write_bytes(b"\x00" + file.read_bytes())
    with running(models, cwd=tmp_path) as it:
        answer = it.post("/predict", ASKS).json()
        assert answer["mode"] == "rules_only"
        assert answer["versions"]["routing"] == "routing/1"
        assert broken_promises(answer) == []
        assert it.get("/readyz").status_code == 200
        (trouble,) = it.get("/status").json()["problems"]
        assert trouble["part"] == "escalation"
        assert "model.txt: " + ("missing" if damage == "deleted" else "changed") in trouble["problem"]


def test_versions_change_under_traffic_without_a_gap(trained_models: Path, tmp_path: Path) -> None:
    models = copy_models(trained_models, tmp_path / "models")
    seen: list[str] = []

    def ask() -> str:
        reply = it.post("/predict", CALM)
        assert reply.status_code == 200
        seen.append(reply.json()["versions"]["model"])
        return seen[-1]

    with running(models, cwd=tmp_path) as it:
        add_version(models, "2")
        promote("escalation", "2", models)
        assert until(lambda: ask() == "escalation/2")
        add_version(models, "3")
        promote("escalation", "3", models)
        (models / "escalation" / "3" / "exam.jsonl").write_bytes(b"{}")
        assert until(lambda: ask() and (it.get("/status").json()["problems"] or ask() == "escalation/3"))
        assert set(seen) <= {"escalation/1", "escalation/2", "escalation/3"}
        assert seen[0] == "escalation/1"
        assert it.get("/readyz").status_code == 200


def test_a_worker_loads_nothing_heavy(trained_models: Path, tmp_path: Path) -> None:
    """What torch, MLflow, scikit-learn and pandas cost in memory and in starting belongs to training."""
    code = (
        "import sys\n"
        "from serving.service import HandoffService\n"
        "from handoff.transcript import from_object\n"
        f"service = HandoffService.inner().worker; service.current.answer(from_object({CALM!r}), explain=True)\n"
        "HandoffService.to_asgi()\n"
        "assert service.status().versions.routing == 'routing/1', service.status()\n"
        "heavy = ('torch', 'mlflow', 'sklearn', 'pandas', 'onnx', 'transformers', 'sentence_transformers',\n"
        "         'matplotlib', 'handoff.training', 'handoff.simulate')\n"
        "print([name for name in heavy if name in sys.modules])\n"
        "import pandas, sklearn\n"  # what was kept out can still be had
    )
    environment = clean_environment() | {"HANDOFF_MODELS": str(trained_models), "BENTOML_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=tmp_path, env=environment,
                          capture_output=True, text=True, timeout=120)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def test_heavy_modules_would_be_seen(tmp_path: Path) -> None:
    code = "import sys, lightgbm; print('sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "True", "LightGBM no longer imports scikit-learn: serving/lean.py can go"


def test_help_shows_an_example() -> None:
    done = subprocess.run([str(HANDOFF), "serve", "--help"], capture_output=True, text=True, env=dict(os.environ))
    assert "handoff serve --port 3000" in done.stdout
