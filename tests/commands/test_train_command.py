"""The commands about models, as a data scientist types them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from rich.cells import cell_len
from typer.testing import CliRunner

from handoff.formats import NativeWriter
from handoff.models import read_manifest
from handoff.models.artifact import rewrite_manifest
from handoff.policy import load_policy
from handoff.policy.settings import Cuts
from handoff.simulate import simulate
from tests.commands.running import app

RUN = CliRunner()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    with NativeWriter(folder / "conversations.jsonl") as writer:
        for conversation in simulate(150, 4):
            writer.write(conversation)
    return folder


@pytest.fixture
def models(trained_models: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "models"
    shutil.copytree(trained_models / "escalation", copy / "escalation")
    return copy


@pytest.fixture(autouse=True)
def no_registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HANDOFF_MLFLOW_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")


def test_train_writes_a_folder_that_evaluates(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine"
    done = RUN.invoke(app, ["train", "escalation", "--data", str(data), "--target", "needed_human", "--out", str(out)])
    assert done.exit_code == 0, done.output
    for said in ("always", "AUROC", "log loss", "not registered", f"handoff predict CONVERSATIONS --model {out}"):
        assert said in done.output
    scored = RUN.invoke(app, ["evaluate", "--data", str(data), "--model", str(out), "--json"])
    assert scored.exit_code == 0, scored.output
    assert json.loads(scored.stdout)["target"] == "needed_human"


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["train", "escalation", "--target", "label"], 1, "0 positive of 0 conversations"),
        (["train", "escalation", "--target", "escalate"], 2, "escalate"),
        (["train", "escalation", "--within", "0"], 2, "within"),
        (["train", "routing"], 1, "needs at least 30"),
        (["train", "routing", "--target", "label"], 2, "are for escalation"),
        (["train", "escalation", "--out", "x", "--promote"], 2, "cannot be promoted"),
        (["train", "escalation", "--encoder", "minilm"], 2, "needs no encoder; leave it out, or train routing"),
        (["train", "triage"], 2, "triage"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_cannot_be_trained_says_why(
    data: Path, models: Path, trained_models: Path, arguments: list[str], status: int, says: str
) -> None:
    (models / "encoders").symlink_to(trained_models / "encoders")
    done = RUN.invoke(app, [*arguments, "--data", str(data), "--models", str(models)])
    assert done.exit_code == status, done.output
    assert says in " ".join(done.output.replace("│", " ").split())


def test_an_encoder_that_is_set_for_routing_does_not_stop_escalation(data: Path) -> None:
    asked = ["train", "escalation", "--data", str(data), "--target", "label"]
    done = RUN.invoke(app, asked, env={"HANDOFF_ENCODER": "minilm"})
    assert "0 positive of 0 conversations" in done.output, done.output


@pytest.mark.parametrize(("given", "known"), [({}, ["passive", "0"]), ({"OMP_WAIT_POLICY": "active"}, ["active", "0"])])
def test_waiting_threads_sleep_unless_it_is_said_otherwise(given: dict[str, str], known: list[str]) -> None:
    """In a process of its own, and before LightGBM is loaded, which reads it once."""
    code = (
        "import os, sys; from handoff.commands import _console\n"
        "assert 'lightgbm' not in sys.modules\n"
        "_console.let_threads_sleep(); print(os.environ['OMP_WAIT_POLICY'], os.environ['GOMP_SPINCOUNT'])"
    )
    bare = {name: value for name, value in os.environ.items() if name not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")}
    done = subprocess.run([sys.executable, "-c", code], env=bare | given, capture_output=True, text=True, check=True)
    assert done.stdout.split() == known


def test_every_command_lets_threads_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    RUN.invoke(app, ["reasons", "--data", "nowhere"])
    assert os.environ["OMP_WAIT_POLICY"] == "passive"


def test_evaluate_prints_the_champion_beside_trivial_policies(data: Path, models: Path) -> None:
    done = RUN.invoke(app, ["evaluate", "--data", str(data), "--models", str(models)])
    assert done.exit_code == 0, done.output
    for said in ("escalation/1 on", "newest message by", "average precision", "base rate"):
        assert said in done.output


def test_promote_and_roll_back(models: Path) -> None:
    shutil.copytree(models / "escalation" / "1", models / "escalation" / "2")
    promoted = RUN.invoke(app, ["promote", "escalation", "--version", "latest", "--models", str(models), "--json"])
    assert json.loads(promoted.stdout) == {"name": "escalation", "version": "2", "before": "1", "registered": None}
    back = RUN.invoke(app, ["promote", "escalation", "--rollback", "--models", str(models)])
    assert "escalation/1 is the champion now (before: 2)" in back.output


@pytest.mark.parametrize("doubt", [None, "not known to be better than a trivial policy: …"])
def test_a_version_in_doubt_is_promoted_with_a_word_of_warning(models: Path, doubt: str | None) -> None:
    folder = models / "escalation" / "1"
    rewrite_manifest(folder, msgspec.structs.replace(read_manifest(folder), doubt=doubt))
    done = RUN.invoke(app, ["promote", "escalation", "--version", "1", "--models", str(models)])
    assert done.exit_code == 0, done.output
    assert (f"Mind that escalation/1 is {doubt}" in done.stderr) == (doubt is not None)


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["--version", "9"], 1, "no version '9'; it has 1"),
        (["--rollback"], 1, "no earlier champion"),
        (["--rollback", "--version", "1"], 2, "takes no --version"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_cannot_be_promoted_says_why(models: Path, arguments: list[str], status: int, says: str) -> None:
    done = RUN.invoke(app, ["promote", "escalation", *arguments, "--models", str(models)])
    assert done.exit_code == status, done.output
    assert says in " ".join(done.output.replace("│", " ").split())


def test_features_writes_a_table(data: Path, tmp_path: Path) -> None:
    done = RUN.invoke(app, ["features", str(data), "--out", str(tmp_path / "features.parquet"), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["conversations"] == 150
    assert (tmp_path / "features.parquet").is_file()


@pytest.mark.parametrize("command", ["train", "evaluate", "promote", "features"])
def test_help_shows_an_example(command: str) -> None:
    assert f"handoff {command}" in RUN.invoke(app, [command, "--help"]).output


def test_evaluate_judges_alarms_and_bills_policies(data: Path, models: Path, tmp_path: Path) -> None:
    curve, folder = tmp_path / "curve.png", tmp_path / "policy"
    written = ["--write-policy", str(folder), "--force"]
    options = ["--costs", "shipped", "--curve", str(curve), *written, "--models", str(models)]
    done = RUN.invoke(app, ["evaluate", "--data", str(data), *options, "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    early, costs = found["early_warning"], found["costs"]
    assert early["conversations"] == costs["choosing"] + costs["reporting"] == found["conversations"]
    names = ["never", "always", "every_fourth", "keywords", "rules", "model", "served"]
    assert [policy["name"] for policy in early["policies"]] == names
    assert [policy["name"] for policy in costs["policies"]] == [*names, "chosen"]
    assert curve.read_bytes().startswith(b"\x89PNG")
    assert load_policy(folder).cuts == msgspec.convert(costs["chosen"], Cuts)
    assert f"Written: {folder / 'policy.yaml'}" in done.stderr


def test_prices_that_are_placeholders_say_so(data: Path, models: Path) -> None:
    done = RUN.invoke(app, ["evaluate", "--data", str(data), "--models", str(models), "--costs", "shipped"])
    assert "shipped placeholders" in done.output
    assert "each policy by its first alarm" in " ".join(done.output.split())


def test_headers_are_whole_in_eighty_columns(data: Path, models: Path) -> None:
    options = ["evaluate", "--data", str(data), "--models", str(models), "--costs", "shipped"]
    done = RUN.invoke(app, options, env={"COLUMNS": "80"})
    assert done.exit_code == 0, done.output
    assert "…" not in done.stdout
    for header in ("prepare_specialist", "proactive_escalation", "confidence", "AUPRC", "calib. error ↓", "needless"):
        assert header in done.stdout
    rules = [line for line in done.stdout.splitlines() if "─" in line]
    assert rules and max(map(cell_len, rules)) <= 80


def test_a_curve_needs_prices(data: Path) -> None:
    done = RUN.invoke(app, ["evaluate", "--data", str(data), "--curve", "x.png"])
    assert (done.exit_code, "needs --costs" in done.output) == (2, True)
