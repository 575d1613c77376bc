"""The scripts that a person or a scheduler runs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from handoff.simulate import simulate
from handoff.simulate.store import write

PIPELINES = Path(__file__).parents[2] / "pipelines"
SCRIPTS = sorted(path.stem for path in PIPELINES.glob("*.py") if path.stem != "__init__")


def run(script: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(PIPELINES / f"{script}.py"), *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a small sample."""
    write(simulate(30, 7), tmp_path / "data" / "sample", lambda: None)
    return tmp_path


def test_the_scripts_are_all_there() -> None:
    assert SCRIPTS == ["demo", "evaluate", "features", "ingest", "register", "train_escalation", "train_routing"]


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_shows_an_example_and_force(script: str, tmp_path: Path) -> None:
    done = run(script, "--help", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"python pipelines/{script}.py" in done.stdout and "--force" in done.stdout


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_misspelt_option_is_misuse(script: str, tmp_path: Path) -> None:
    assert run(script, "--sead", "7", cwd=tmp_path).returncode == 2


def test_features_are_written_once_and_again_when_forced_or_changed(place: Path) -> None:
    first = run("features", cwd=place)
    assert first.returncode == 0 and "30 conversations" in first.stdout and "Unchanged" not in first.stdout
    again = run("features", cwd=place)
    assert again.returncode == 0 and "30 conversations" in again.stdout and "Unchanged" in again.stdout
    assert "Unchanged" not in run("features", "--force", cwd=place).stdout
    write(simulate(31, 7), place / "data" / "sample", lambda: None)
    changed = run("features", cwd=place)
    assert "31 conversations" in changed.stdout and "Unchanged" not in changed.stdout


def test_ingest_reads_another_format_and_is_skipped_the_second_time(place: Path) -> None:
    export = Path(__file__).parents[1] / "formats" / "fixtures" / "chatwoot.json"
    first = run("ingest", str(export), "--format", "chatwoot", cwd=place)
    assert first.returncode == 0, first.stderr
    assert (place / "data/processed/chats/conversations.jsonl").is_file()
    assert "Unchanged" in run("ingest", str(export), "--format", "chatwoot", cwd=place).stdout


def test_an_output_of_another_run_is_not_taken_for_ones_own(place: Path) -> None:
    run("features", cwd=place)
    (place / "data/processed/features.parquet").write_bytes(b"something else")
    assert "Unchanged" not in run("features", cwd=place).stdout


def test_an_evaluation_is_told_apart_by_the_teams_that_the_routing_champion_names(
    place: Path, trained_models: Path
) -> None:
    write(simulate(150, 8), place / "data" / "sample", lambda: None)
    models = place / "models"
    shutil.copytree(trained_models, models)

    def teams() -> set[str]:
        done = run("evaluate", "escalation", cwd=place)
        assert done.returncode == 0 and "Unchanged" not in done.stdout, done.stderr
        report = json.loads((place / "data/processed/evaluation-escalation.json").read_text())
        return {part["value"] for part in report["slices"] if part["by"] == "team"}

    assert len(teams()) > 1
    (models / "routing" / "champion").unlink()
    assert teams() == set(), "without the champion the figures are others"


@pytest.mark.parametrize(
    ("script", "arguments", "complaint"),
    [
        ("register", ["escalation"], "no version yet"),
        ("evaluate", ["escalation"], "champion: no such file"),
        ("train_escalation", [], "2 positive of 30 conversations"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    script: str, arguments: list[str], complaint: str, place: Path
) -> None:
    done = run(script, *arguments, cwd=place)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ") and complaint in done.stderr and done.stderr.count("\n") == 1
