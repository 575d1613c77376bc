"""The faults that cost most when they go wrong, briefly, as part of every test run. `make test-faults` does all in full."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from tests.faults import batches, scenes
from tests.faults.ground import Ground, Row, postgresql_store

RATE, SECONDS = 12.0, 6.0
SERVER = os.environ.get("HANDOFF_TEST_POSTGRES")

ON_SQLITE = [
    scenes.worker_is_killed,
    scenes.disk_is_full,
    scenes.models_change,
    scenes.conversation_is_poisoned,
    batches.batch_processes_are_killed,
]
ON_POSTGRESQL = [scenes.store_is_down, scenes.all_is_killed_while_the_store_is_down]


def check(row: Row) -> None:
    """No acknowledged escalation is lost, and no caller sees anything but an answer, or when to come again."""
    assert row.notes == ()
    assert (row.lost, row.wrong) == (0, 0)
    assert row.is_answered
    assert row.escalations > 0


@pytest.mark.parametrize("scene", ON_SQLITE, ids=lambda scene: scene.__name__)
def test_a_fault_over_sqlite(scene: Callable[[Ground], Row], trained_models: Path, tmp_path: Path) -> None:
    check(scene(Ground(trained_models, tmp_path, f"sqlite:///{tmp_path / 'handoff.sqlite'}", RATE, SECONDS)))


@pytest.mark.skipif(SERVER is None, reason="HANDOFF_TEST_POSTGRES is not set")
@pytest.mark.parametrize("scene", ON_POSTGRESQL, ids=lambda scene: scene.__name__)
def test_a_fault_over_postgresql(scene: Callable[[Ground], Row], trained_models: Path, tmp_path: Path) -> None:
    assert SERVER is not None
    with postgresql_store(SERVER, f"handoff_fault_{os.getpid()}") as (url, proxy):
        check(scene(Ground(trained_models, tmp_path, url, RATE, SECONDS, proxy)))


def test_what_was_not_logged_is_missed(trained_models: Path, tmp_path: Path) -> None:
    """The count itself: an acknowledged escalation that is deleted from the log must show as lost."""
    import sqlite3

    ground = Ground(trained_models, tmp_path, f"sqlite:///{tmp_path / 'handoff.sqlite'}", RATE, 2.0)
    with ground.service(models=tmp_path / "none") as it, ground.load(it, "predict") as replies:
        pass
    assert ground.row("", "", replies).lost == 0
    connection = sqlite3.connect(tmp_path / "handoff.sqlite")
    connection.execute("DELETE FROM decisions WHERE action = 'escalate_now' AND number % 2 = 0")
    connection.commit()
    connection.close()
    assert ground.row("", "", replies).lost > 0


def test_a_service_that_answers_too_few_does_not_hold() -> None:
    answered = Row(
        fault="", done="", requests=400, answered=300, refused=100, cut=0, wrong=0, escalations=1, lost=0, gone=0,
        recovery_seconds=None,
    )  # fmt: skip
    assert not answered.holds
    assert msgspec.structs.replace(answered, least=0.7).holds
    assert not msgspec.structs.replace(answered, least=0.7, requests=0, answered=0).holds
