"""Messages that were answered while the store was away: stored once it is back, each once, and not without end."""

from __future__ import annotations

from contextlib import suppress

import pytest

from handoff.errors import StoreUnavailable
from handoff.store import Facts, LiveConversations, missed
from handoff.transcript import Customer
from tests.store.conftest import Open
from tests.store.talk import JUDGE, said
from tests.store.test_faults import away


@pytest.mark.parametrize("fails", [("read", "write"), ("write",)], ids=["all", "writing"])
@pytest.mark.parametrize("named", [True, False], ids=["with ids", "without"])
def test_what_was_said_while_the_store_was_away_is_stored_once_it_is_back(
    url: str, stores: Open, monkeypatch: pytest.MonkeyPatch, fails: tuple[str, ...], named: bool
) -> None:
    store = stores(url)
    live, other = LiveConversations(store, JUDGE), LiveConversations(store, JUDGE)
    human = said("I want to talk to a human, says Kim", 2, message_id="m2" if named else None)
    facts = Facts(customer=Customer(name="Kim Oboe"))
    live.add("c-1", said("Hello", 1), facts)
    with monkeypatch.context() as patch:
        for way in fails:
            patch.setattr(store.database, way, away)
        for _ in range(2):  # and once more by its caller
            with suppress(StoreUnavailable):
                live.add("c-1", human)
            assert live.add_unstored("c-1", human).recommendation.action == "proactive_escalation"
        live.add_unstored("c-2", said("Where is my parcel?", 1))
        assert live.missed == 2
        with pytest.raises(StoreUnavailable):
            live.store_missed()
        assert live.missed == 2
    live.store_missed()
    assert live.missed == 0
    assert [m.text for m in store.conversation("c-1").messages] == ["Hello", "I want to talk to a human, says [name]"]  # type: ignore[union-attr]
    assert store.conversation("c-2") is not None
    for worker in (other, live):
        assert worker.add("c-1", said("Well?", 3)).recommendation.action == "proactive_escalation"


def test_no_more_is_remembered_of_what_was_missed_than_there_is_room_for(
    sqlite_url: str, stores: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(missed, "MOST_MESSAGES", 3)
    monkeypatch.setattr(missed, "MOST_CHARACTERS", 100)
    store = stores(sqlite_url)
    live = LiveConversations(store, JUDGE)
    for number, word in enumerate(["a" * 90, "b" * 20, "c", "d", "e"], 1):
        live.add_unstored("c-1", said(word, number))
    live.store_missed(-1.0)
    assert live.missed == 3, "there was no time"
    live.store_missed()
    assert [m.text[0] for m in store.conversation("c-1").messages] == ["a", "c", "d"]  # type: ignore[union-attr]
    live.add_unstored("c-1", said("f" * 90, 6))
    assert live.missed == 1, "and there is room again"


def test_what_was_missed_and_is_refused_now_keeps_nobody_back(
    url: str, stores: Open, caplog: pytest.LogCaptureFixture
) -> None:
    store = stores(url)
    live = LiveConversations(store, JUDGE)
    live.add_unstored("c-1", said("Hello", 1))
    store.append_message("c-1", said("Something else under the same id", 1))
    live.add("c-1", said("Well?", 2))
    assert live.missed == 0
    assert "a message that was answered without the store is not stored: Conflict" in caplog.text
