"""What one worker makes of the store's troubles."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from handoff.errors import Busy, StoreUnavailable
from handoff.settings import Settings
from serving.admission import Lane
from serving.bodies import one_message
from serving.current import CurrentJudge
from serving.http import Refused
from serving.ledger import Ledger
from tests.store.test_log import DISPUTE, decided

REFUND = msgspec.json.encode({"role": "customer", "text": "I want a refund!", "message_id": "m1"})


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    settings = Settings(
        models=tmp_path, store=f"sqlite:///{tmp_path / 'handoff.sqlite'}", spill=tmp_path / "spill", max_messages=2
    )
    made = Ledger(settings, CurrentJudge(settings), Lane("store", 60.0))
    yield made
    made.close()


def add(ledger: Ledger, body: bytes = REFUND) -> str:
    """The action after a message of c-1."""
    asked = ledger.add(lambda: one_message("c-1", body), key=None, explain=False, request_id="r-1")
    return asyncio.run(asked).recommendation.action


def test_a_busy_conversation_is_no_trouble_of_the_store(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: object, **__: object) -> None:
        raise Busy("conversation 'c-1' is busy; nothing was stored, try again later")

    with monkeypatch.context() as now:
        now.setattr(ledger._live, "add", busy)
        with pytest.raises(Refused, match="c-1") as refused:
            add(ledger)
    assert refused.value.status == 503 and refused.value.retry_after
    assert ledger.problems == ()
    assert add(ledger) == "escalate_now"


def test_a_conversation_takes_no_more_messages_than_settings_allow(ledger: Ledger) -> None:
    for number in (b"m1", b"m2"):
        add(ledger, REFUND.replace(b"m1", number))
    with pytest.raises(Refused) as full:
        add(ledger, REFUND.replace(b"m1", b"m3"))
    assert full.value.status == 400
    assert "has 2 already" in full.value.fault.detail[0].problem
    assert ledger.problems == ()


def test_trouble_stays_until_all_of_the_store_works(ledger: Ledger, tmp_path: Path) -> None:
    add(ledger)

    def rename(before: str, after: str) -> None:
        with closing(sqlite3.connect(tmp_path / "handoff.sqlite")) as other:
            other.execute(f"ALTER TABLE {before} RENAME TO {after}")
        assert ledger._store is not None
        ledger._store.database._down_until = 0.0  # as if the second were over in which nothing is tried

    rename("messages", "elsewhere")
    assert add(ledger, REFUND.replace(b"m1", b"m2")) == "escalate_now"
    rename("outcomes", "others")
    rename("others", "outcomes")
    ledger.look_again()
    assert [trouble.part for trouble in ledger.problems] == ["store"]
    rename("elsewhere", "messages")
    ledger.look_again()
    assert ledger.problems == ()


def test_escalations_that_no_disk_takes_are_a_trouble_of_their_own(ledger: Ledger, tmp_path: Path) -> None:
    add(ledger)
    (tmp_path / "spill").write_text("a file where the folder would be")
    with closing(sqlite3.connect(tmp_path / "handoff.sqlite")) as other:
        other.execute("ALTER TABLE decisions RENAME TO elsewhere")
        assert add(ledger, REFUND.replace(b"m1", b"m2")) == "escalate_now"
        ledger.look_again()
        assert [trouble.part for trouble in ledger.problems] == ["store", "spill"]
        assert ledger.problems[1].problem == "escalations are in memory only: File exists"
        other.execute("ALTER TABLE elsewhere RENAME TO decisions")
    until = time.monotonic() + 60
    while ledger.problems and time.monotonic() < until:
        time.sleep(0.1)
        ledger.look_again()
    assert ledger.problems == ()


def test_a_message_that_waits_is_looked_after_however_the_looks_fall(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = ledger._live
    assert live is not None
    real = live.add_unstored

    def looked_at_meanwhile(*given: object, **named: object) -> object:
        ledger.look_again()
        return real(*given, **named)  # type: ignore[arg-type]

    def away(*_: object, **__: object) -> None:
        raise StoreUnavailable("away")

    with monkeypatch.context() as now:
        now.setattr(live, "add", away)
        now.setattr(live, "add_unstored", looked_at_meanwhile)
        assert add(ledger) == "escalate_now"
    assert ledger.waiting["messages"] == 1 and [trouble.part for trouble in ledger.problems] == ["store"]
    ledger.look_again()
    assert ledger.waiting["messages"] == 0 and ledger.problems == ()
    assert add(ledger) == "escalate_now"
    assert ledger._store is not None and len(ledger._store.conversation("c-1").messages) == 1  # type: ignore[union-attr]


def test_a_message_without_a_name_that_fails_twice_waits_once(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ledger._store is not None
    unnamed = REFUND.replace(b'"message_id":"m1"', b'"confidence":null')

    def away(*_: object, **__: object) -> None:
        raise StoreUnavailable("away")

    add(ledger, REFUND.replace(b"m1", b"m0"))
    with monkeypatch.context() as now:
        now.setattr(ledger._store.database, "write", away)
        assert add(ledger, unnamed) == "escalate_now"
    assert ledger.waiting["messages"] == 1
    ledger.look_again()
    assert len(ledger._store.conversation("c-1").messages) == 2  # type: ignore[union-attr]


def test_an_escalation_that_finds_no_room_in_line_is_refused_or_on_the_disk(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, record = ledger._store, decided(DISPUTE)
    assert store is not None
    monkeypatch.setattr(store._log, "_most_queued", 0)
    with pytest.raises(Refused) as refused:
        asyncio.run(ledger.log([record]))
    assert (refused.value.status, store.spilled) == (503, 0)
    ledger._note(StoreUnavailable("slow"))
    asyncio.run(ledger.log([record]))
    assert store.spilled == 1
