"""What is forgotten is gone from all that holds it, what is not stays, and the service goes on answering rightly."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from handoff.store import Facts, Feedback, LiveConversations, Store, forget
from handoff.store import live as live_module
from handoff.store.forget import Deletion, Forgotten, Rows, Wanted
from handoff.store.spill import Spill, forget_spilled
from handoff.store.tables import decisions, messages, metadata
from handoff.transcript import Conversation, Customer, Message, Outcome
from tests.commands.running import run
from tests.store.conftest import Open
from tests.store.talk import JUDGE, said
from tests.store.test_log import CALM, DISPUTE, decided

RAW_ID = "ana@example.org/chat 7"
START = datetime(2026, 3, 2, tzinfo=UTC)
NOTHING = Rows()


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forget, "SHORTEST_PAUSE_SECONDS", 0.0)


def everything(store: Store) -> str:
    """All values of all tables."""
    with store.database._engine.connect() as connection:
        return repr([connection.execute(select(table)).all() for table in metadata.sorted_tables])


def talk(store: Store, conversation_id: str, word: str, count: int = 3, customer_id: str | None = None) -> None:
    """A conversation by message about `word`, with a key, raw texts where they are kept, decisions and an outcome."""
    live = LiveConversations(store, JUDGE)
    facts = Facts(customer=Customer(customer_id=customer_id, plan=f"plan {word}", name=f"Kim {word}"), channel=word)
    for number in range(1, count + 1):
        live.add(conversation_id, said(f"I want a refund for my {word}x", number), facts, key=f"{word}-{number}")
    told = Outcome(team="billing", reason=f"{word}y")
    store.record_outcome(Feedback(conversation_id=conversation_id, key=f"{word}-told", outcome=told))


def forgotten(store: Store, wanted: Wanted, tmp_path: Path) -> Forgotten:
    """What is deleted, which must be what was said beforehand."""
    said_before = store.forget(wanted, tmp_path / "spill", really=False)
    found = store.forget(wanted, tmp_path / "spill", really=True)
    assert found == said_before
    return found


@pytest.mark.parametrize("secret", [None, "a secret"])
def test_nothing_of_a_conversation_is_left(url: str, stores: Open, tmp_path: Path, secret: str | None) -> None:
    store = stores(url, secret=secret, keep_raw_text=True)
    talk(store, RAW_ID, "saxophone")
    talk(store, "c-2", "clarinet")
    before = everything(store)
    assert "saxophone" in before
    assert store.forget(Wanted((RAW_ID,)), tmp_path, really=False).rows == Rows(1, 3, 3, 1)
    assert everything(store) == before
    assert forgotten(store, Wanted((RAW_ID,)), tmp_path).rows == Rows(1, 3, 3, 1)
    after = everything(store)
    assert "saxophone" not in after and store.hide(RAW_ID) not in after
    assert after.count("clarinet") == before.count("clarinet")
    assert forgotten(store, Wanted((RAW_ID, "c-2")), tmp_path) == Forgotten(
        Rows(1, 3, 3, 1), 0, 0, unknown=(store.hide(RAW_ID),)
    )


def test_a_conversation_that_was_only_predicted(store: Store, tmp_path: Path) -> None:
    store.submit([decided(CALM, conversation_id="c-1"), decided(CALM, conversation_id="c-2")]).result(timeout=20)
    assert forgotten(store, Wanted(("c-1",)), tmp_path).rows == Rows(decisions=1)
    assert (len(store.decisions("c-1")), len(store.decisions("c-2"))) == (0, 1)


def test_all_conversations_of_a_customer(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forget, "ROWS_A_BATCH", 2)
    for number in range(5):
        talk(store, f"c-{number}", "oboe", 1, "ana@example.org" if number % 2 else "ben@example.org")
    found = forgotten(store, Wanted(customers=("ana@example.org", "nobody")), tmp_path)
    assert (found.rows, found.unknown) == (Rows(2, 2, 2, 2), ("nobody",))
    assert [c.conversation_id for c in store.conversations()] == ["c-0", "c-2", "c-4"]


@pytest.mark.parametrize(
    ("conversations", "customers", "unknown"),
    [
        (("42",), ("42",), ()),
        (("c-1", "c-1", "42"), ("42",), ()),
        (("42", "c-1"), ("nobody", "42", "42"), ("nobody",)),
        (("42", "c-1"), ("c-1",), ("c-1",)),
        (("nobody", "42", "c-1"), ("nobody",), ("nobody",)),
    ],
    ids=["an id of both", "named twice and of the customer", "a customer twice", "no such customer", "neither"],
)
def test_a_conversation_goes_and_counts_once_however_it_is_named(
    store: Store, tmp_path: Path, conversations: tuple[str, ...], customers: tuple[str, ...], unknown: tuple[str, ...]
) -> None:
    talk(store, "42", "oboe", 1, customer_id="ana")
    talk(store, "c-1", "oboe", 1, customer_id="42")
    talk(store, "c-2", "oboe", 1)
    found = forgotten(store, Wanted(conversations, customers), tmp_path)
    assert (found.rows, found.unknown) == (Rows(2, 2, 2, 2), unknown)
    assert [c.conversation_id for c in store.conversations()] == ["c-2"]


def at(store: Store, hours: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "clock", lambda: START + timedelta(hours=hours))


def test_what_is_older_goes_and_a_living_conversation_stays_whole(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forget, "ROWS_A_BATCH", 2)
    at(store, 0, monkeypatch)
    for number in range(5):
        talk(store, f"old {number}", "oboe")
    talk(store, "living", "flute")
    early = [decided(CALM, at=START + timedelta(minutes=n), conversation_id="predicted") for n in range(5)]
    early += [decided(CALM, at=START, conversation_id="once")]
    at(store, 10, monkeypatch)
    LiveConversations(store, JUDGE).add("living", said("Thanks", 9))
    store.submit([*early, decided(CALM, at=store.clock(), conversation_id="predicted")]).result(timeout=20)
    at(store, 0, monkeypatch)
    for conversation_id in ("predicted", "once", "never seen"):
        store.record_outcome(Feedback(conversation_id=conversation_id, agree=True))
    at(store, 10, monkeypatch)
    store.record_outcome(Feedback(conversation_id="seen later", agree=True))

    found = forgotten(store, Wanted(before=START + timedelta(hours=1)), tmp_path)
    assert found.rows == Rows(conversations=5, messages=15, decisions=15 + 6, outcomes=5 + 2)
    assert [c.conversation_id for c in store.conversations()] == ["living"]
    assert (len(store.decisions("living")), len(store.decisions("predicted"))) == (4, 1)
    kept = ("living", "predicted", "once", "never seen", "seen later")
    assert [len(store.outcomes(c)) for c in kept] == [1, 1, 0, 0, 1]
    assert forgotten(store, Wanted(before=START + timedelta(hours=1)), tmp_path).rows == NOTHING


def test_deletion_goes_in_short_steps_with_pauses(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forget, "ROWS_A_BATCH", 3)
    store.submit([decided(CALM, conversation_id="c-1") for _ in range(10)]).result(timeout=20)
    for number in range(4):
        talk(store, f"d-{number}", "oboe", 2)
    sizes: list[int] = []
    pauses: list[float] = []
    real = Deletion._removed

    def noted(self: Deletion, *arguments: Any) -> int:
        sizes.append(real(self, *arguments))
        return sizes[-1]

    monkeypatch.setattr(Deletion, "_removed", noted)
    deletion = Deletion(store.database, really=True, pause=pauses.append)
    assert deletion.conversations(["c-1"]).decisions == 10
    assert sizes == [3, 3, 3, 0, 0, 1, 0] and len(pauses) == 4
    sizes.clear()
    assert deletion.older(datetime.now(UTC) + timedelta(hours=1)) == Rows(4, 8, 8, 4)
    assert max(sizes) <= 3


def test_a_message_that_comes_later_begins_a_new_conversation(store: Store, tmp_path: Path) -> None:
    talk(store, "c-1", "oboe")
    live = LiveConversations(store, JUDGE)
    live.add("c-1", said("I want a human", 4), key="k")
    forgotten(store, Wanted(("c-1",)), tmp_path)
    again = said("Where is the menu?", 1)
    answer = live.add("c-1", again, key="k")
    assert answer == JUDGE.answer(Conversation(conversation_id="c-1", messages=(again,)))
    assert answer.recommendation.action == "none"
    found = store.conversation("c-1")
    assert found is not None and found.messages == (again,) and found.customer is None


def test_a_worker_that_remembers_goes_on_with_the_new_one(url: str, stores: Open, tmp_path: Path) -> None:
    here, there = (LiveConversations(stores(url), JUDGE) for _ in range(2))
    for number in (1, 2):
        here.add("c-1", said("I want a refund, this is fraud", number))
    forgotten(stores(url), Wanted(("c-1",)), tmp_path)
    texts = ("Good morning", "Where is the menu?", "Thanks, I found it", "And how do I print?")
    new = [said(text, number) for number, text in enumerate(texts, 1)]
    for message in new[:3]:
        there.add("c-1", message)
    answer = here.add("c-1", new[3])
    assert answer == JUDGE.answer(Conversation(conversation_id="c-1", messages=tuple(new)))
    assert answer.rules == ()


@pytest.mark.parametrize("message", [said("Hello", 2), said("Where is the menu?", 3)], ids=["known", "new"])
@pytest.mark.parametrize("begun_again", [False, True], ids=["gone", "begun again"])
def test_what_is_forgotten_while_it_is_answered(
    url: str, stores: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, message: Message, begun_again: bool
) -> None:
    live, other = LiveConversations(stores(url), JUDGE), stores(url)
    for each in (said("I want a refund", 1), said("Hello", 2)):
        live.add("c-1", each)
    new = [said("Good morning", 1, seconds=1), said("Anybody?", 7, seconds=2)] if begun_again else []
    real, left = live_module.rows.glance, [1]

    def glance(*arguments: Any) -> Any:
        found = real(*arguments)
        if left and left.pop():
            assert other.forget(Wanted(("c-1",)), tmp_path, really=True).rows.conversations == 1
            for each in new:
                LiveConversations(other, JUDGE).add("c-1", each)
        return found

    monkeypatch.setattr(live_module.rows, "glance", glance)
    answer = live.add("c-1", message)
    assert answer == JUDGE.answer(Conversation(conversation_id="c-1", messages=(*new, message)))
    assert other.conversation("c-1") == Conversation(conversation_id="c-1", messages=(*new, message))


def test_workers_write_on_while_it_is_forgotten(url: str, stores: Open, tmp_path: Path) -> None:
    workers, failures = [LiveConversations(stores(url, seconds=20), JUDGE) for _ in range(3)], []
    done = threading.Event()

    def write(live: LiveConversations, name: str) -> None:
        number = 0
        try:
            while not done.is_set():
                number += 1
                live.add("c-1", Message(role="customer", text=f"Hello {name} {number}"), key=f"{name}-{number}")
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(live, str(n))) for n, live in enumerate(workers)]
    for thread in threads:
        thread.start()
    deleting, rows = stores(url, seconds=20), NOTHING
    for _ in range(15):
        rows += deleting.forget(Wanted(("c-1",)), tmp_path, really=True).rows
    done.set()
    for thread in threads:
        thread.join()
    assert failures == [] and rows.messages > 0
    last = [live.add("c-1", Message(role="customer", text="The end")) for live in workers][-1]
    whole = deleting.conversation("c-1")
    assert whole is not None and last == JUDGE.answer(whole)
    with deleting.database._engine.connect() as connection:
        stored = connection.execute(select(messages.c.decision_id)).scalars().all()
        assert set(stored) <= set(connection.execute(select(decisions.c.id)).scalars())


def files(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.glob("handoff.sqlite*"))


def churn(store: Store) -> list[str]:
    """Conversations that grow beside each other, so that pages of the file are split; their words."""
    words = [f"w{number:03d}saxophone" for number in range(60)]
    live = LiveConversations(store, JUDGE)
    for turn in range(4):
        for place, word in enumerate(words):
            text = f"{word} " + "and I want a refund " * ((place * 7 + turn) % 5) ** 4
            customer = Customer(plan=f"{word} {turn}", customer_id=word if turn else None)
            live.add(f"c-{word}", said(text, turn + 1), Facts(customer=customer), key=f"k-{word}-{turn}")
    return words


def test_no_bytes_stay_in_files_of_sqlite(sqlite_url: str, stores: Open, tmp_path: Path) -> None:
    store = stores(sqlite_url, keep_raw_text=True)
    words = churn(store)
    assert all(word.encode() in files(tmp_path) for word in words)
    gone, kept = words[::2], words[1::2]
    store.forget(Wanted(tuple(f"c-{word}" for word in gone)), tmp_path / "spill", really=True)
    assert any(word.encode() in files(tmp_path) for word in gone), "the search would find them"
    wiped = store.wipe()
    assert wiped.rewritten and wiped.emptied
    assert [word for word in gone if word.encode() in files(tmp_path)] == []
    assert all(word.encode() in files(tmp_path) for word in kept)
    assert stores(sqlite_url).conversation(f"c-{kept[0]}") is not None


def test_rows_themselves_are_overwritten_without_rewriting_the_file(
    sqlite_url: str, stores: Open, tmp_path: Path
) -> None:
    store = stores(sqlite_url)
    store.append_message("c-1", said("saxophone " * 2_000, 1))
    store.forget(Wanted(("c-1",)), tmp_path / "spill", really=True)
    assert not store.wipe(rewrite=False).rewritten
    assert b"saxophone" not in files(tmp_path)


def test_a_reader_that_keeps_the_journal_is_told(sqlite_url: str, stores: Open) -> None:
    store, reading = stores(sqlite_url, seconds=0.2), stores(sqlite_url)
    store.append_message("c-1", said("Hello", 1))
    with reading.database._engine.connect() as connection, connection.begin():
        connection.execute(select(messages)).all()
        store.append_message("c-1", said("Hello", 2))
        assert not store.wipe(rewrite=False).emptied
    assert store.wipe(rewrite=False).emptied


class TestSpilled:
    def test_what_a_killed_process_left_goes_and_the_rest_stays(self, store: Store, tmp_path: Path) -> None:
        folder = tmp_path / "spill"
        meant, other = (decided(DISPUTE, conversation_id=c) for c in ("c-1", "c-2"))
        self.leave(folder, [meant, other])
        assert forgotten(store, Wanted(("c-1",)), tmp_path) == Forgotten(NOTHING, spilled=1, in_use=0)
        assert b"c-1" not in b"".join(path.read_bytes() for path in folder.iterdir())
        (left,) = Spill(folder).left_over()
        assert left.id == other.id

    def test_by_age(self, store: Store, tmp_path: Path) -> None:
        folder = tmp_path / "spill"
        self.leave(folder, [decided(DISPUTE, at=START + timedelta(days=day)) for day in range(3)])
        found = forgotten(store, Wanted(before=START + timedelta(days=2)), tmp_path)
        assert (found.spilled, found.rows) == (2, NOTHING)
        assert len(Spill(folder).left_over()) == 1

    def test_of_a_conversation_that_goes_on_none_goes_by_age(self, store: Store, tmp_path: Path) -> None:
        for conversation_id in ("living", "over"):
            talk(store, conversation_id, "oboe")
        now = store.clock()
        with pytest.MonkeyPatch.context() as later:
            later.setattr(store, "clock", lambda: now + timedelta(days=2))
            store.append_message("living", said("Thanks", 9))
        self.leave(
            tmp_path / "spill", [decided(DISPUTE, at=now, conversation_id=c) for c in ("living", "over", "else")]
        )
        assert forgotten(store, Wanted(before=now + timedelta(days=1)), tmp_path).spilled == 2
        (left,) = Spill(tmp_path / "spill").left_over()
        assert left.answer.conversation_id == "living"

    def test_files_that_nobody_can_read_are_named(self, url: str, stores: Open, tmp_path: Path) -> None:
        stores(url)
        folder = tmp_path / "spill"
        self.leave(folder, [decided(DISPUTE)])
        for path in folder.iterdir():
            path.write_bytes(b"\x00\x00\x00\x05hello")
        assert Spill(folder).left_over() == []
        done = run("forget", "--older-than", "1d", "--yes", HANDOFF_STORE=url, HANDOFF_SPILL=str(folder), columns=300)
        assert done.exit_code == 1
        assert f"1 files in {folder} could not be read when the service started (*.damaged)" in done.stderr
        assert len(list(folder.iterdir())) == 1

    def test_what_is_only_there_is_known(self, store: Store, tmp_path: Path) -> None:
        self.leave(tmp_path / "spill", [decided(DISPUTE, conversation_id="c-1")])
        found = forgotten(store, Wanted(("c-1", "c-2", "c-1")), tmp_path)
        assert found == Forgotten(NOTHING, spilled=1, in_use=0, unknown=("c-2",))

    def test_a_file_of_which_all_is_meant_is_removed(self, tmp_path: Path) -> None:
        self.leave(tmp_path, [decided(DISPUTE)])
        assert forget_spilled(tmp_path, lambda record: True, really=True).free == 1
        assert list(tmp_path.iterdir()) == []

    def test_that_of_a_living_process_is_left_to_it(self, url: str, stores: Open, tmp_path: Path) -> None:
        stores(url)
        folder, living = tmp_path / "spill", Spill(tmp_path / "spill")
        living.keep([decided(DISPUTE, conversation_id="c-1")])
        (before,) = [path.read_bytes() for path in folder.iterdir()]
        done = run("forget", "--conversation", "c-1", "--yes", HANDOFF_STORE=url, HANDOFF_SPILL=str(folder))
        assert done.exit_code == 1
        assert "1 decisions wait in" in done.stderr and "nothing is stored" not in done.stderr
        assert [path.read_bytes() for path in folder.iterdir()] == [before]

    @staticmethod
    def leave(folder: Path, records: list[Any]) -> None:
        """As a process that was killed."""
        import os

        spill = Spill(folder)
        spill.keep(records)
        assert spill._file is not None
        os.close(spill._file)


def test_the_command_counts_first_and_deletes_when_told_to(url: str, stores: Open, tmp_path: Path) -> None:
    store = stores(url)
    talk(store, RAW_ID, "oboe")
    spill = tmp_path / "spill"
    surroundings = {"HANDOFF_STORE": url, "HANDOFF_SPILL": str(spill)}
    done = run("forget", "--conversation", RAW_ID, **surroundings)
    assert (done.exit_code, done.stdout.splitlines()) == (0, [
        "Would delete:", "  conversations: 1", "  messages: 3", "  decisions: 3", "  outcomes: 1",
        f"  decisions on this machine's disk, in {spill}: 0",
        "Nothing was deleted. --yes deletes it, for good.",
    ])  # fmt: skip
    assert store.conversation(RAW_ID) is not None
    done = run("forget", "--conversation", RAW_ID, "--yes", "--json", **surroundings)
    assert (done.exit_code, json.loads(done.stdout)) == (0, {
        "deleted": True, "conversations": 1, "messages": 3, "decisions": 3, "outcomes": 1,
        "spilled": 0, "spill": str(spill), "in_use": 0, "damaged": 0, "unknown": [],
    })  # fmt: skip
    assert store.conversation(RAW_ID) is None
    done = run("forget", "--conversation", RAW_ID, "--yes", **surroundings)
    assert done.exit_code == 1 and "nothing is stored of" in done.stderr
    talk(store, "c-2", "oboe")
    for age, status in (("--older-than", "1d"), ("--before", "2026-01-01")):
        done = run("forget", age, status, "--yes", **surroundings)
        assert done.exit_code == 0 and "conversations: 0" in done.stdout
    done = run("forget", "--before", "2999-01-01", "--yes", "--no-vacuum", **surroundings)
    assert done.exit_code == 0 and "conversations: 1" in done.stdout
    assert ("--vacuum rewrites it" in done.stderr) == url.startswith("sqlite")


def test_the_command_tells_conversations_from_customers(sqlite_url: str, stores: Open, tmp_path: Path) -> None:
    store = stores(sqlite_url)
    talk(store, "42", "oboe")
    talk(store, "c-1", "oboe", customer_id="42")
    surroundings = {"HANDOFF_STORE": sqlite_url, "HANDOFF_SPILL": str(tmp_path / "spill")}
    for more in ((), ("--yes",)):
        done = run("forget", "--conversation", "42", "--customer", "42", "--json", *more, **surroundings)
        assert (done.exit_code, json.loads(done.stdout)["conversations"]) == (0, 2)
    assert list(store.conversations()) == []


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ((), 2, "name ids"),
        (("--conversation", "c-1", "--before", "2026-01-01"), 2, "name ids"),
        (("--before", "2026-01-01", "--older-than", "3d"), 2, "name ids"),
        (("--older-than", "3"), 2, "'3' is no age; expected days or weeks such as 400d or 52w"),
        (("--older-than", "0d"), 2, "'0d' is no age"),
        (("--older-than", "999999w"), 1, "longer than there are dates"),
        (("--before", "soon"), 2, "'soon' is no time"),
        (("--before", "0001-01-01T00:00:00+14:00"), 2, "'0001-01-01T00:00:00+14:00' is no time"),
        (("--conversation", "c-1"), 1, "HANDOFF_STORE is none"),
        (("--conversation", "c-1", "--store", "sqlite:///no-such.sqlite"), 1, "there is no store at no-such.sqlite"),
    ],
    ids=[
        "nothing",
        "id and time",
        "two times",
        "no unit",
        "no age",
        "too long",
        "no time",
        "beyond",
        "switched off",
        "no store",
    ],
)
def test_misuse_is_said(
    arguments: tuple[str, ...], status: int, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run("forget", *arguments, HANDOFF_STORE="none", columns=200)
    assert (done.exit_code, list(tmp_path.iterdir())) == (status, [])
    assert words in done.stderr
