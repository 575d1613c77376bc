"""No personal data reaches a table: what is planted is looked for in everything that is stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from handoff.errors import BadInput
from handoff.store import Facts, Feedback, LiveConversations, Store
from handoff.store.tables import messages, metadata
from handoff.transcript import Customer, Environment, Outcome
from tests.store.conftest import Open
from tests.store.talk import JUDGE, said

PLANTED = {
    "e-mail": "ana.belmonte@example.org", "telephone": "+1 555 010 9999", "card": "4111 1111 1111 1111",
    "IBAN": "DE89 3704 0044 0532 0130 00", "IP address": "203.0.113.77", "long number": "884422113355",
    "name": "Belmonte", "first name": "Anatolia",
}  # fmt: skip
FACTS = Facts(
    customer=Customer(name="Anatolia Belmonte", customer_id="u-7"),
    environment=Environment(browser="Firefox of Belmonte", site="mail ana.belmonte@example.org"),
)


def plant(store: Store) -> None:
    """Everything planted goes in by every way there is."""
    live = LiveConversations(store, JUDGE)
    live.add("c-1", said(f"I want a refund, I am Anatolia. {PLANTED['e-mail']}", 1), FACTS)
    live.add("c-1", said(f"Call {PLANTED['telephone']}, pay {PLANTED['card']}, BELMONTE", 2, "agent"))
    store.append_message("c-1", said(f"{PLANTED['IBAN']} from {PLANTED['IP address']}", 3))
    store.append_message("c-1", said(f"Order {PLANTED['long number']} of Ms Belmonte, anatolia!", 4, "system"))
    store.append_message("c-2", said("This is Anatolia Belmonte", 1))
    store.append_message("c-2", said("Hello?", 2), FACTS)
    live.add_unstored("c-1", said(f"Anatolia Belmonte, {PLANTED['e-mail']}, a refund!", 5))
    store.record_outcome(Feedback(conversation_id="c-1", outcome=Outcome(reason=f"wrote to {PLANTED['e-mail']}")))
    store.close()


def everything(store: Store) -> str:
    """All values of all tables."""
    with store.database._engine.connect() as connection:
        return repr([connection.execute(select(table)).all() for table in metadata.sorted_tables])


def leaks(text: str) -> list[str]:
    forms = {kind: {value, value.replace(" ", "")} for kind, value in PLANTED.items()}
    return [kind for kind, values in forms.items() if any(v.lower() in text.lower() for v in values)]


def test_no_table_holds_personal_data(url: str, stores: Open) -> None:
    plant(stores(url))
    assert leaks(everything(stores(url))) == []


def test_no_file_holds_personal_data(sqlite_url: str, stores: Open, tmp_path: Path) -> None:
    plant(stores(sqlite_url))
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert leaks("".join(path.read_bytes().decode("latin-1") for path in files)) == []


def test_the_search_finds_what_is_kept_when_asked_for(sqlite_url: str, stores: Open, tmp_path: Path) -> None:
    plant(stores(sqlite_url, keep_raw_text=True))
    stored = "".join(path.read_bytes().decode("latin-1") for path in tmp_path.rglob("*") if path.is_file())
    assert set(leaks(stored)) == set(PLANTED)
    with stores(sqlite_url).database._engine.connect() as connection:
        row: Any = connection.execute(select(messages).where(messages.c.number == 3)).first()
    assert row.raw_text == "DE89 3704 0044 0532 0130 00 from 203.0.113.77"
    assert row.text == "[iban] from [ip]"


def test_the_file_is_for_its_owner_only(sqlite_url: str, stores: Open, tmp_path: Path) -> None:
    store = stores(sqlite_url)
    store.append_message("c-1", said("Hello", 1))
    assert {path.name: path.stat().st_mode & 0o077 for path in tmp_path.iterdir()} == {
        "handoff.sqlite": 0, "handoff.sqlite-wal": 0, "handoff.sqlite-shm": 0,
    }  # fmt: skip


def test_names_are_sealed_with_the_secret(url: str, stores: Open) -> None:
    stores(url, secret="one").append_message("c-1", said("Hello", 1), FACTS)
    for other, problem in (("another", "is another than when this store was made"), (None, "is not set, but this")):
        with pytest.raises(BadInput, match=f"HANDOFF_STORE_KEY {problem}"):
            stores(url, secret=other)
    again = stores(url, secret="one")
    again.append_message("c-1", said("Belmonte here", 2))
    found = again.conversation("c-1")
    assert found is not None and found.messages[1].text == "[name] here"


def test_a_secret_that_comes_too_late_is_called_that(url: str, stores: Open) -> None:
    stores(url, secret=None).append_message("c-1", said("Hello", 1), FACTS)
    with pytest.raises(BadInput, match="HANDOFF_STORE_KEY is set, but this store was made without one; leave it out"):
        stores(url, secret="late")


def test_a_seal_is_good_for_its_conversation_only(store: Store) -> None:
    from cryptography.exceptions import InvalidTag

    sealed = store.database.seal.close("c-1", "Ana")
    assert store.database.seal.open("c-1", sealed) == "Ana"
    with pytest.raises(InvalidTag):
        store.database.seal.open("c-2", sealed)
