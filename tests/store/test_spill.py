"""Escalations kept on this machine's disk while the store is away."""

from __future__ import annotations

import math
import os
import resource
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from handoff.errors import Overloaded, StoreUnavailable
from handoff.store import LiveConversations, Store
from handoff.store.decisions import DecisionRecord
from handoff.store.spill import SUFFIX, Spill, _framed, forget_spilled
from tests.store.talk import JUDGE, said
from tests.store.test_log import CALM, DISPUTE, decided

LEAVES_TWO = """
import os, pathlib, sys
from handoff.store.spill import Spill
from tests.store.test_log import CALM, DISPUTE, decided
spill = Spill(pathlib.Path(sys.argv[1]))
spill.keep([decided(DISPUTE)]); spill.keep([decided(DISPUTE)])
print("kept", flush=True)
sys.stdin.read()
"""


def ids(records: list[DecisionRecord]) -> list[str]:
    return sorted(record.id for record in records)


def test_what_was_kept_and_not_stored_is_found_by_the_next(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", LEAVES_TWO, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None and other.stdin is not None
        assert other.stdout.readline() == b"kept\n"
        assert Spill(tmp_path).left_over() == [], "a living process keeps its own"
        other.kill()
    heir = Spill(tmp_path)
    found = heir.left_over()
    assert len(found) == 2
    assert all(any(math.isnan(value) for value in record.row) for record in found), "missing stays missing"
    assert Spill(tmp_path).left_over() == [], "and it is the heir's by now"
    heir.forget(found[:1])
    assert heir.kept == 1
    heir.forget(found[1:])
    assert not tmp_path.exists(), "and the empty folder goes"


@pytest.mark.parametrize(
    "rest", [bytes(64), b"\x00\x00\x00\x05hello", b"\x00\x00\x00\x01\x90"], ids=["zeros", "words", "else"]
)
def test_a_file_that_cannot_be_read_to_its_end_is_set_aside_and_what_can_be_is_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, rest: bytes
) -> None:
    record = decided(DISPUTE)
    path = tmp_path / f"left{SUFFIX}"
    path.write_bytes(_framed(record) + rest)
    with pytest.raises(OSError, match="holds what is no decision"):
        forget_spilled(tmp_path, lambda _: True, really=True)
    spill = Spill(tmp_path)
    assert ids(spill.left_over()) == [record.id]
    assert (tmp_path / "left.damaged").read_bytes() == _framed(record) + rest
    assert "left.damaged" in caplog.text and not path.exists()
    assert Spill(tmp_path).left_over() == [], "and the next start is not held up by it"


def test_nothing_is_made_before_it_is_needed(tmp_path: Path) -> None:
    spill = Spill(tmp_path / "spill")
    assert spill.left_over() == []
    spill.forget([decided(DISPUTE)])
    spill.keep([])
    assert list(tmp_path.iterdir()) == []


def test_a_record_is_kept_once(tmp_path: Path) -> None:
    spill, record = Spill(tmp_path), decided(DISPUTE)
    spill.keep([record])
    spill.keep([record])
    assert spill._file is not None
    os.close(spill._file)  # as if the process had ended: its lock goes with the file
    assert ids(Spill(tmp_path).left_over()) == [record.id]


def left_behind(folder: Path, *records: DecisionRecord) -> Path:
    """A file as a killed process leaves it."""
    spill = Spill(folder)
    spill.keep(records)
    assert spill._file is not None
    os.close(spill._file)
    return spill._path


@pytest.mark.parametrize("missing", [1, 100], ids=["its last byte", "its last hundred"])
def test_a_record_that_was_cut_short_costs_no_other(tmp_path: Path, missing: int) -> None:
    whole, cut = decided(DISPUTE), decided(DISPUTE)
    path = left_behind(tmp_path, whole, cut)
    path.write_bytes(path.read_bytes()[:-missing])
    assert ids(Spill(tmp_path).left_over()) == [whole.id]


def test_a_full_disk_leaves_no_half_a_record(tmp_path: Path) -> None:
    first, second, third = decided(DISPUTE), decided(DISPUTE), decided(DISPUTE)
    spill = Spill(tmp_path)
    spill.keep([first])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (spill._path.stat().st_size + 50, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            spill.keep([second])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    spill.keep([third])
    assert spill._file is not None
    os.close(spill._file)
    assert ids(Spill(tmp_path).left_over()) == sorted([first.id, third.id])


def away(tmp_path: Path) -> Store:
    """A store whose folder is not there, with a spill."""
    return Store(f"sqlite:///{tmp_path}/later/handoff.sqlite", spill=tmp_path / "spill")


def escalate(store: Store) -> str:
    """An escalation that the store cannot take; its id."""
    record = decided(DISPUTE)
    with pytest.raises(StoreUnavailable):
        store.log([record])
    return record.id


def test_what_the_store_takes_in_the_end_is_forgotten(tmp_path: Path) -> None:
    store = away(tmp_path)
    expected = [escalate(store), escalate(store)]
    assert len(list((tmp_path / "spill").iterdir())) == 1
    (tmp_path / "later").mkdir()
    store.database._down_until = 0.0
    assert store.close() == 0
    with away(tmp_path) as again:
        assert ids(again.decisions("c-1")) == sorted(expected)
    assert not (tmp_path / "spill").exists()


def test_at_the_end_what_is_kept_is_told_from_what_is_lost(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = away(tmp_path)
    kept = escalate(store)
    store.put([decided(CALM), decided(CALM)])
    assert store._log.close(0.0) == 2
    assert "1 decisions stay on this machine's disk and are stored at the next start" in caplog.text
    assert "2 decisions could not be stored before the end, and are lost" in caplog.text
    spill = store._log._spill
    assert spill is not None and spill._file is not None
    os.close(spill._file)  # as the end of its process does
    (tmp_path / "later").mkdir()
    with away(tmp_path) as heir:
        assert heir.take_over() == 1
    with away(tmp_path) as reader:
        assert ids(reader.decisions("c-1")) == [kept]


def test_the_next_start_stores_what_a_killed_one_left(tmp_path: Path) -> None:
    killed = away(tmp_path)
    expected = [escalate(killed), escalate(killed)]
    spill = killed._log._spill
    assert spill is not None and spill._file is not None
    os.close(spill._file)  # as the end of its process does
    (tmp_path / "later").mkdir()
    with away(tmp_path) as heir:
        assert heir.take_over() == 2
        assert heir.take_over() == 0
    with away(tmp_path) as reader:
        assert ids(reader.decisions("c-1")) == sorted(expected)
    assert not (tmp_path / "spill").exists()


def test_a_message_that_cannot_be_stored_leaves_its_escalation(tmp_path: Path) -> None:
    store = away(tmp_path)
    LiveConversations(store, JUDGE).add_unstored("c-1", said("I want a refund", 1))
    spill = store._log._spill
    assert spill is not None and spill.kept == 1
    LiveConversations(store, JUDGE).add_unstored("c-2", said("Hello there", 1))
    assert spill.kept == 1
    store._log.close(0.0)


def test_what_found_no_room_in_line_is_stored_too_once_the_store_is_back(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/later/handoff.sqlite", spill=tmp_path / "spill", most_queued=5)
    expected = [escalate(store)]
    for _ in range(20):
        record = decided(DISPUTE)
        with suppress(Overloaded, StoreUnavailable):
            store.log([record])
        expected.append(record.id)
    assert (store.queued, store.spilled) == (5, 21)
    (tmp_path / "later").mkdir()
    store.database._down_until = 0.0
    until = time.monotonic() + 60
    while store.spilled and time.monotonic() < until:
        time.sleep(0.05)
    assert (store.queued, store.spilled) == (0, 0)
    assert ids(store.decisions("c-1")) == sorted(expected)
    assert store.close() == 0
    assert not (tmp_path / "spill").exists()


def test_what_the_disk_has_lost_is_said_once_and_not_looked_for_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store(f"sqlite:///{tmp_path}/later/handoff.sqlite", spill=tmp_path / "spill", most_queued=1)
    for _ in range(3):
        with suppress(Overloaded, StoreUnavailable):
            store.log([decided(DISPUTE)])
    for file in (tmp_path / "spill").iterdir():
        os.truncate(file, 0)
    (tmp_path / "later").mkdir()
    store.database._down_until = 0.0
    until = time.monotonic() + 60
    while store.queued and time.monotonic() < until:
        time.sleep(0.05)
    for _ in range(3):
        store.log([decided(DISPUTE)])
    assert store.close() == 0
    assert caplog.text.count("2 decisions cannot be found again on this machine's disk") == 1


def test_a_file_that_is_deleted_beneath_its_process_is_made_anew_with_all_that_was_in_it(tmp_path: Path) -> None:
    spill, before, later = Spill(tmp_path / "spill"), decided(DISPUTE), decided(DISPUTE)
    spill.keep([before])
    for file in (tmp_path / "spill").iterdir():
        file.unlink()
    assert ids(spill.read_back(10, frozenset())[0]) == [before.id]
    (tmp_path / "spill").rmdir()
    spill.keep([later])
    for file in (tmp_path / "spill").iterdir():
        file.unlink()
    spill.keep([later])  # nothing new, and it is not there
    assert spill._file is not None
    os.close(spill._file)
    assert ids(Spill(tmp_path / "spill").left_over()) == sorted([before.id, later.id])


def test_a_file_that_cannot_be_made_anew_is_tried_again_and_costs_no_descriptor(tmp_path: Path) -> None:
    spill, first, second = Spill(tmp_path), decided(DISPUTE), decided(DISPUTE)
    spill.keep([first])
    spill._path.unlink()
    limits, before = resource.getrlimit(resource.RLIMIT_FSIZE), len(os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (50, limits[1]))
    try:
        for _ in range(3):
            with pytest.raises(OSError, match="File too large"):
                spill.keep([second])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert len(os.listdir("/proc/self/fd")) == before and list(tmp_path.iterdir()) == []
    spill.keep([second])
    assert spill._file is not None
    os.close(spill._file)
    assert ids(Spill(tmp_path).left_over()) == sorted([first.id, second.id])


def test_some_are_read_back_and_none_of_those_that_are_not_wanted(tmp_path: Path) -> None:
    spill, records = Spill(tmp_path / "spill"), [decided(DISPUTE) for _ in range(5)]
    assert spill.read_back(3, frozenset()) == ([], [])
    spill.keep(records[:2])
    spill.keep(records[2:])
    spill.forget([records[1]])
    found, lost = spill.read_back(3, {records[0].id})
    assert (ids(found), lost) == (ids(records[2:]), [])
    assert len(spill.read_back(2, frozenset())[0]) == 2


def test_the_end_does_not_wait_for_what_is_on_the_disk_anyway(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = Store(f"sqlite:///{tmp_path}/later/handoff.sqlite", spill=tmp_path / "spill", most_queued=1)
    for _ in range(4):
        with suppress(Overloaded, StoreUnavailable):
            store.log([decided(DISPUTE)])
    with store._log._changed:
        store._log._closing = True
    (tmp_path / "later").mkdir()
    store.database._down_until = 0.0
    assert store.close() == 0
    assert "3 decisions stay on this machine's disk and are stored at the next start" in caplog.text
