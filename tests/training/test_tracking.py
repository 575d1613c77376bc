"""Where runs go, and what a run knows of its code."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from handoff.training import tracking


def test_by_default_runs_go_to_a_file_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(tracking.URI_SETTING, raising=False)
    monkeypatch.chdir(tmp_path)
    assert tracking.tracking_uri() == "sqlite:///mlflow.db"
    assert not tracking.registry_exists()
    assert tracking.set_champion("escalation", "1") is None
    assert list(tmp_path.iterdir()) == []


def test_the_setting_says_where_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(tracking.URI_SETTING, "http://tracking.example.org:5000")
    assert tracking.tracking_uri() == "http://tracking.example.org:5000"
    assert tracking.registry_exists()


def test_outside_git_there_is_no_commit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tracking, "__file__", str(tmp_path / "tracking.py"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert tracking.git_commit() is None


def test_without_git_there_is_no_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert tracking.git_commit() is None


OPENS_A_RUN = """
import sys, time
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
import mlflow, mlflow.store.tracking.sqlalchemy_store, mlflow.store.model_registry.sqlalchemy_store
from handoff.training import tracking
here, other = Path(sys.argv[1]), Path(sys.argv[2])
here.touch()
while not other.exists():
    time.sleep(0.005)
with tracking.tracked("escalation", "f") as run:
    print(run.run_id)
"""


def test_two_first_runs_at_once_share_a_new_database(tmp_path: Path) -> None:
    """Each waits until the other has loaded MLflow, so that both come to the database together."""
    ready = (tmp_path / "one", tmp_path / "two")
    environment = os.environ | {tracking.URI_SETTING: f"sqlite:///{tmp_path / 'mlflow.db'}"}
    started = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", OPENS_A_RUN, *map(str, (mine, other))],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for mine, other in (ready, ready[::-1])
    ]  # fmt: skip
    ended = [process.communicate(timeout=300) for process in started]
    assert [process.returncode for process in started] == [0, 0], ended
    assert len({out.strip() for out, _ in ended}) == 2
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        assert database.execute("select count(*) from runs").fetchone() == (2,)
        assert database.execute("select count(*) from experiments where name = 'handoff-escalation'").fetchone() == (1,)
