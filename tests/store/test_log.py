"""The decision log: what is durable when, what is written together, and what happens when it cannot be written."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection, exc

from handoff.decision import Judge
from handoff.errors import Overloaded, StoreUnavailable
from handoff.store import DecisionRecord, Store, decision_record, log
from handoff.store.database import Database
from handoff.store.decisions import insert_decisions
from handoff.store.log import DecisionLog
from handoff.store.spill import Spill
from tests.build import conversation
from tests.store.conftest import Open
from tests.store.talk import RULES_ONLY

AT = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
CALM, DISPUTE = {"customer": "Where is the menu?"}, {"customer": "I want a refund"}


def decided(text: dict[str, Any], judge: Judge = RULES_ONLY, at: datetime = AT, **fields: Any) -> DecisionRecord:
    """The record of an answer to a conversation of one message."""
    standing = judge.standing(conversation(text, **fields))
    return decision_record(judge.conclude(standing, request_id="r-1"), standing, at, {"answer": 1.23456})


class Broken:
    """Writes of a store that fail as long as `error` says so; counts those that do not."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.error: Exception | None = None
        self.batches: list[int] = []
        self.entered, self.may_go = threading.Event(), threading.Event()
        self.may_go.set()
        monkeypatch.setattr(log, "insert_decisions", self)

    def __call__(self, connection: Connection, records: Sequence[DecisionRecord]) -> None:
        self.entered.set()
        assert self.may_go.wait(20)
        if self.error is not None:
            raise self.error
        insert_decisions(connection, records)
        self.batches.append(len(records))


@contextmanager
def logging_to(database: Database, **options: Any) -> Iterator[DecisionLog]:
    writer = DecisionLog(database, **options)
    yield writer
    writer.close()


def test_what_escalates_is_stored_when_log_returns(url: str, stores: Open) -> None:
    writing, reading = stores(url), stores(url)
    record = decided(DISPUTE)
    writing.log([record])
    (stored,) = reading.decisions("c-1")
    assert msgspec.structs.replace(stored, row=()) == msgspec.structs.replace(record, row=())
    assert repr(stored.row) == repr(record.row)
    assert stored.timings == {"answer": 1.235}


def test_the_rest_is_stored_when_the_store_is_closed(url: str, stores: Open) -> None:
    writing = stores(url)
    for _ in range(50):
        writing.log([decided(CALM)])
    assert writing.close() == 0
    assert len(stores(url).decisions("c-1")) == 50


def test_whoever_waits_for_the_rest_learns_when_it_is_stored(url: str, stores: Open) -> None:
    writing, reading = stores(url), stores(url)
    writing.submit([decided(CALM), decided(CALM)]).result(timeout=20)
    assert len(reading.decisions("c-1")) == 2
    assert writing.queued == 0
    writing.submit([]).result(timeout=0)


def test_on_sqlite_only_what_escalates_waits_for_the_disk(
    sqlite_url: str, stores: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, flushed, real = stores(sqlite_url), [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (flushed.append(os.readlink(f"/proc/self/fd/{file}")), real(file)))
    store.submit([decided(CALM)]).result(timeout=20)
    assert flushed == []
    store.log([decided(DISPUTE)])
    assert any(path.endswith("-wal") for path in flushed)


def test_on_postgresql_only_what_escalates_waits_for_the_disk(postgresql_url: str, stores: Open) -> None:
    from tests.store.test_live import statements

    store = stores(postgresql_url)
    for text, waits in ((CALM, False), (DISPUTE, True)):
        with statements(store) as run:
            store.submit([decided(text)]).result(timeout=20)
        assert any("synchronous_commit = on" in statement for statement in run) is waits


def test_decisions_that_gather_are_committed_together(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Broken(monkeypatch)
    broken.may_go.clear()
    with logging_to(store.database, linger_seconds=0.0) as writer:
        first = writer.submit([decided(DISPUTE)])
        assert broken.entered.wait(20)
        later = [writer.submit([decided(DISPUTE)]) for _ in range(40)]
        broken.may_go.set()
        for stored in (first, *later):
            stored.result(timeout=20)
    assert broken.batches == [1, 40]


def test_a_batch_has_a_limit(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Broken(monkeypatch)
    with logging_to(store.database, most_a_batch=8) as writer:
        writer.submit([decided(CALM) for _ in range(20)]).result(timeout=20)
    assert broken.batches == [8, 8, 4]


def test_a_full_line_is_said_and_takes_nothing_on(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Broken(monkeypatch)
    broken.may_go.clear()
    with logging_to(store.database, most_queued=5, linger_seconds=0.0) as writer:
        writer.put([decided(CALM)] * 4)
        with pytest.raises(Overloaded, match=r"4 decisions wait to be stored, 5 may"):
            writer.put([decided(CALM)] * 2)
        assert writer.queued == 4
        writer.put([decided(CALM)])
        broken.may_go.set()


def test_while_the_store_is_away_nothing_is_lost_and_nobody_waits(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Broken(monkeypatch)
    broken.error = StoreUnavailable("away")
    with logging_to(store.database, pause_seconds=0.05) as writer:
        first = writer.submit([decided(DISPUTE)])
        assert isinstance(first.exception(timeout=20), StoreUnavailable)
        later = writer.submit([decided(DISPUTE)])
        assert isinstance(later.exception(timeout=0), StoreUnavailable)
        writer.put([decided(CALM)])
        assert writer.queued == 3
        broken.error = None
    assert writer.queued == 0
    assert [d.answer.recommendation.action for d in store.decisions("c-1")] == ["escalate_now", "escalate_now", "none"]


def test_log_says_so_when_the_store_is_away(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Broken(monkeypatch)
    broken.error = StoreUnavailable("away")
    with pytest.raises(StoreUnavailable, match="away"):
        store.log([decided(DISPUTE)])
    store.log([decided(CALM)])
    broken.error = None
    assert store.close() == 0


def test_what_is_still_in_line_at_the_end_is_counted(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    Broken(monkeypatch).error = StoreUnavailable("away")
    with logging_to(store.database, pause_seconds=0.05) as writer:
        writer.put([decided(CALM)] * 3)
        assert writer.close(seconds=0.1) == 3
    assert "3 decisions could not be stored" in caplog.text
    with pytest.raises(StoreUnavailable, match="closed"):
        writer.put([decided(CALM)])


def never_stored(monkeypatch: pytest.MonkeyPatch) -> DecisionRecord:
    """A record that no table takes, nor those that are written with it."""
    bad = decided(DISPUTE)

    def picky(connection: Connection, records: Sequence[DecisionRecord]) -> None:
        if bad in records:
            raise exc.DataError("INSERT", None, ValueError())
        insert_decisions(connection, records)

    monkeypatch.setattr(log, "insert_decisions", picky)
    return bad


def test_a_record_that_no_table_takes_does_not_keep_back_the_others(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bad = never_stored(monkeypatch)
    with logging_to(store.database) as writer:
        writer.put([decided(CALM), bad])
        writer.submit([decided(CALM)]).result(timeout=20)
        assert isinstance(writer.submit([bad]).exception(timeout=20), exc.DataError)
    assert len(store.decisions("c-1")) == 2
    assert f"decision {bad.id} cannot be stored: DataError" in caplog.text


def test_an_escalation_that_no_table_takes_stays_on_this_machines_disk_and_is_not_tried_for_ever(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bad, spill = never_stored(monkeypatch), Spill(tmp_path / "spill")
    with logging_to(store.database, spill=spill) as writer:
        assert isinstance(writer.submit([bad]).exception(timeout=20), exc.DataError)
        for _ in range(3):
            writer.submit([decided(DISPUTE)]).result(timeout=20)
    assert spill.holds(bad) and spill.kept == 1
    assert caplog.text.count("cannot be stored") == 1


def test_whoever_brings_several_learns_of_the_first_that_no_table_takes(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = never_stored(monkeypatch)
    with logging_to(store.database) as writer:
        told = writer.submit([bad, decided(CALM), decided(DISPUTE)])
        assert isinstance(told.exception(timeout=20), exc.DataError)
        writer.submit([decided(CALM)]).result(timeout=20)
    assert len(store.decisions("c-1")) == 3


@pytest.mark.parametrize("trouble", [exc.DataError("INSERT", None, ValueError()), UnicodeError()], ids=["row", "any"])
def test_a_store_that_goes_away_between_one_record_and_the_next_loses_none(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, trouble: Exception
) -> None:
    errors: list[Exception | None] = [trouble, None, StoreUnavailable("away for a moment")]

    def faulty(connection: Connection, records: Sequence[DecisionRecord]) -> None:
        if errors and (error := errors.pop(0)) is not None:
            raise error
        insert_decisions(connection, records)

    monkeypatch.setattr(log, "insert_decisions", faulty)
    spill = Spill(tmp_path / "spill")
    with logging_to(store.database, spill=spill, pause_seconds=0.05) as writer:
        told = writer.submit([decided(DISPUTE) for _ in range(3)])
        assert isinstance(told.exception(timeout=20), StoreUnavailable)
        assert spill.kept == 2, "those that are not stored are on disk when this is told"
    assert len(store.decisions("c-1")) == 3
    assert spill.kept == 0


def test_a_disk_that_does_not_let_go_of_what_is_stored_stops_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spill = Spill(tmp_path / "spill")
    monkeypatch.setattr(spill, "forget", lambda records: os.unlink(tmp_path / "nowhere"))
    with logging_to(store.database, spill=spill) as writer:
        for _ in range(2):
            writer.submit([decided(DISPUTE)]).result(timeout=20)
    assert "stay on this machine's disk, too" in caplog.text


def test_a_record_that_went_through_unheard_is_there_once(store: Store) -> None:
    record = decided(DISPUTE)
    store.log([record])
    store.log([record])
    assert len(store.decisions("c-1")) == 1


def test_many_threads_log_at_once(url: str, stores: Open) -> None:
    store = stores(url)

    def work() -> None:
        for text in (CALM, DISPUTE) * 10:
            store.log([decided(text)])

    run_together([work] * 6)
    store.close()
    assert len(stores(url).decisions("c-1")) == 120


def run_together(works: Sequence[Callable[[], None]]) -> None:
    """Run all at once; the first error is raised."""
    errors: list[BaseException] = []

    def safely(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=safely, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if errors:
        raise errors[0]
