"""The faults that cost most when they go wrong, briefly, as part of every test run. `make test-faults` does all in full."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from handoff.store.tables import decisions
from tests.faults import batches, scenes
from tests.faults.ground import Ground, Row, postgresql_store
from tests.faults.load import Reply

RATE, SECONDS = 12.0, 6.0
SERVER = os.environ.get("HANDOFF_TEST_POSTGRES")

ON_SQLITE = [
    scenes.worker_is_killed, scenes.disk_is_full, scenes.models_change, scenes.conversation_is_poisoned,
    batches.batch_processes_are_killed,
]  # fmt: skip
ON_POSTGRESQL = [scenes.store_is_down, scenes.all_is_killed_while_the_store_is_down]


def check(row: Row) -> None:
    """No acknowledged escalation is lost, and no caller sees anything but an answer, or when to come again."""
    assert row.notes == ()
    assert (row.lost, row.wrong) == (0, 0)
    assert row.holds, (row.outside, row.during)
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


def reply(at: float, status: int) -> Reply:
    return Reply(f"r-{at}", "outcomes", at, 0.1, status, retry_after=None if status == 200 else "1")


@pytest.mark.parametrize(
    ("refuses", "holds"),
    [
        pytest.param(range(0), True, id="nobody"),
        pytest.param(range(20, 80, 2), True, id="every second one in the fault"),
        pytest.param(range(1, 100), False, id="all but the first"),
        pytest.param(range(50, 100), False, id="all from the middle of the fault on"),
        pytest.param(range(20, 80), False, id="all in the fault"),
        pytest.param(range(90, 100), False, id="the last ones after it"),
    ],
)
def test_a_service_that_refuses_too_many_fails(tmp_path: Path, refuses: range, holds: bool) -> None:
    ground = logging_ground(tmp_path)
    ground.faults.append((19.5, 79.5))
    replies = [reply(at, 503 if at in refuses else 200) for at in range(100)]
    assert ground.row("", "", replies, outside=0.9, during=0.5).holds == holds


def test_a_promise_without_a_request_does_not_hold(tmp_path: Path) -> None:
    ground = logging_ground(tmp_path)
    replies = [reply(at, 200) for at in range(100)]
    assert ground.row("", "", replies, outside=0.9).holds
    assert not ground.row("", "", replies, outside=0.9, during=0.5).holds
    assert not ground.row("", "", replies).holds


def logging_ground(folder: Path) -> Ground:
    """A ground with an empty decision log."""
    ground = Ground(folder, folder, f"sqlite:///{folder / 'handoff.sqlite'}", RATE, SECONDS)
    decisions.metadata.create_all(create_engine(ground.store))
    return ground


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
