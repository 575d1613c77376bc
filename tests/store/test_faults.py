"""What happens when the store is down, slow, full, or cut off: an error soon, nothing half-done, and full recovery."""

from __future__ import annotations

import resource
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest
from sqlalchemy import create_engine, make_url, text

from handoff.errors import StoreUnavailable
from handoff.store import LiveConversations, Store
from handoff.store.database import Database
from handoff.transcript import to_json
from tests.store.conftest import Open
from tests.store.talk import JUDGE, facts_of, said, talks
from tests.store.test_concurrency import of_length
from tests.store.test_log import DISPUTE, decided

T = TypeVar("T")

SOON = 2.0  # the time limit of the stores here: enough for a starved machine to open one
# A call that has not come back by then hangs.
LONG = 30.0


def finishes(call: Callable[[], object]) -> BaseException | None:
    """Run the call, which must come back; the error that it raised."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            call()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(LONG)
    assert not thread.is_alive(), "the call hangs"
    return raised[0] if raised else None


def wait_out_the_pause(store: Store) -> None:
    """As if the second were over in which nothing is tried."""
    store.database._down_until = 0.0


@contextmanager
def full_disk(*files: Path) -> Iterator[None]:
    """No file may grow beyond the largest of these."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (max(f.stat().st_size for f in files), limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@contextmanager
def held_lock(sqlite_url: str) -> Iterator[None]:
    """Somebody else writes to the file, and takes long."""
    other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


def test_a_full_disk(sqlite_url: str, stores: Open, tmp_path: Path) -> None:
    store = stores(sqlite_url)
    live = LiveConversations(store, JUDGE)
    live.add("c-1", said("Hello", 1))
    with full_disk(tmp_path / "handoff.sqlite", tmp_path / "handoff.sqlite-wal"):
        with pytest.raises(StoreUnavailable, match=r"store sqlite.*: (database or disk is full|disk I/O error)"):
            live.add("c-1", said("I want a refund", 2))
        assert live.add_unstored("c-1", said("I want a refund", 2)).recommendation.action == "escalate_now"
    wait_out_the_pause(store)
    assert len(store.conversation("c-1").messages) == 1  # type: ignore[union-attr]
    assert live.missed == 1
    assert live.add("c-1", said("Well?", 3)).recommendation.action == "escalate_now", "what was missed is in it"
    assert live.missed == 0
    assert store.close() == 0
    logged = stores(sqlite_url).decisions("c-1")
    assert sorted(d.answer.recommendation.action for d in logged) == ["escalate_now", "escalate_now", "none"]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with Store(f"sqlite:///{tmp_path}/gone/x.sqlite") as store:
        assert isinstance(finishes(lambda: store.append_message("c-1", said("Hello", 1))), StoreUnavailable)


def test_a_file_that_is_no_database(sqlite_url: str, stores: Open) -> None:
    Path(sqlite_url.removeprefix("sqlite:///")).write_bytes(b"no database " * 1000)
    with pytest.raises(StoreUnavailable, match="file is not a database"):
        stores(sqlite_url)


def test_a_journal_that_cannot_be_made_is_said_at_once_however_long_the_caller_would_wait(tmp_path: Path) -> None:
    store, file = Store(f"sqlite:///{tmp_path}/new.sqlite", seconds=10 * LONG), tmp_path / "small"
    file.write_bytes(bytes(100))
    with full_disk(file):
        assert isinstance(finishes(store.database.prepare), StoreUnavailable)


def test_a_lock_that_somebody_else_holds(sqlite_url: str, stores: Open) -> None:
    store = stores(sqlite_url, seconds=SOON)
    with held_lock(sqlite_url):
        assert isinstance(finishes(lambda: store.append_message("c-1", said("Hello", 1))), StoreUnavailable)
        assert isinstance(finishes(lambda: store.log([decided(DISPUTE)])), StoreUnavailable)
    wait_out_the_pause(store)
    assert store.append_message("c-1", said("Hello", 1)).is_new
    assert store.close() == 0
    assert len(stores(sqlite_url).decisions("c-1")) == 1


def test_a_row_that_somebody_else_holds_does_not_stop_the_others(postgresql_url: str, stores: Open) -> None:
    store = stores(postgresql_url, seconds=SOON)
    for name in ("c-1", "c-2"):
        store.append_message(name, said("Hello", 1))
    with database(postgresql_url) as other:
        other.execute(text("SELECT 1 FROM conversations WHERE id = 'c-1' FOR UPDATE"))
        error = finishes(lambda: store.append_message("c-1", said("Hello", 2)))
        assert isinstance(error, StoreUnavailable)
        assert store.append_message("c-2", said("Hello", 2)).is_new
        other.rollback()
    assert store.append_message("c-1", said("Hello", 2)).is_new


@contextmanager
def database(url: str) -> Iterator[Any]:
    """A connection of somebody else."""
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@pytest.mark.parametrize("how", ["deleted", "restored"])
def test_a_file_that_is_deleted_or_restored_beneath_us_is_opened_anew(
    sqlite_url: str, stores: Open, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    file = Path(sqlite_url.removeprefix("sqlite:///"))
    store = stores(sqlite_url)
    live = LiveConversations(store, JUDGE)
    live.add("c-1", said("Hello", 1))
    backup = file.with_name("backup.sqlite")
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(backup)) as copy:
        source.backup(copy)
    for number in (2, 3):
        live.add("c-1", said("Hello", number))
    for each in file.parent.glob(f"{file.name}*"):
        each.unlink()
    if how == "restored":
        backup.rename(file)
    deadline = time.monotonic() + LONG
    while (answer := tried(lambda: live.add("c-1", said("I want a refund", 4)))) is None:
        assert time.monotonic() < deadline
        wait_out_the_pause(store)
    assert answer.recommendation.action == "escalate_now"
    assert caplog.text.count("was deleted or replaced") == 1
    assert file.stat().st_mode & 0o077 == 0 or how == "restored"
    store.close()
    again = stores(sqlite_url)
    (escalated,) = [d for d in again.decisions("c-1") if d.answer.recommendation.action == "escalate_now"]
    assert escalated.message_id == "m4"
    kept = again.conversation("c-1")
    assert kept is not None and len(kept.messages) == (1 if how == "deleted" else 2)


def tried(call: Callable[[], T]) -> T | None:
    """What the call says, unless the store is away."""
    try:
        return call()
    except StoreUnavailable:
        return None


@contextmanager
def table_away(url: str, table: str) -> Iterator[None]:
    """An administrator's slip: a table that is not where it was."""
    driver = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg"}[make_url(url).get_backend_name()]
    engine = create_engine(make_url(url).set(drivername=driver))
    with engine.begin() as connection:
        connection.execute(text(f"ALTER TABLE {table} RENAME TO elsewhere"))
    try:
        yield
    finally:
        with engine.begin() as connection:
            connection.execute(text(f"ALTER TABLE elsewhere RENAME TO {table}"))
        engine.dispose()


@pytest.mark.parametrize("table", ["decisions", "messages"])
def test_a_table_that_is_gone_for_a_while_loses_no_decision(url: str, stores: Open, table: str) -> None:
    store = stores(url)
    live, refund = LiveConversations(store, JUDGE), said("I want a refund", 1)
    with table_away(url, table):
        with pytest.raises(StoreUnavailable, match=table):
            live.add("c-1", refund)
        assert live.add_unstored("c-1", refund).recommendation.action == "escalate_now"
        wait_out_the_pause(store)
        if table == "decisions":
            assert isinstance(finishes(lambda: store.log([decided(DISPUTE)])), StoreUnavailable)
    wait_out_the_pause(store)
    assert live.add("c-1", refund).recommendation.action == "escalate_now"
    assert store.close() == 0
    logged = stores(url).decisions("c-1")
    count = {"messages": 2, "decisions": 3}[table]  # what was said without the store, when it was back, and the other
    assert [d.answer.recommendation.action for d in logged].count("escalate_now") == count


def cut_all_connections(url: str) -> int:
    """What an administrator does, or a failover: every connection but this one ends."""
    with database(url) as connection:
        ended = connection.execute(
            text(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        ).scalar()
        return int(ended)


def test_connections_that_the_server_ends(postgresql_url: str, stores: Open) -> None:
    store = stores(postgresql_url)
    live = LiveConversations(store, JUDGE)
    conversation = of_length(41, 12)
    for index, message in enumerate(conversation.messages):
        answer = live.add(conversation.conversation_id, message, facts_of(conversation))
        if index % 3 == 0:
            assert cut_all_connections(postgresql_url) >= 1
    assert answer == JUDGE.answer(conversation)
    assert len(store.decisions(conversation.conversation_id)) == len(conversation.messages)


def test_a_connection_that_ends_while_the_log_is_written(postgresql_url: str, stores: Open) -> None:
    store = stores(postgresql_url)
    for _ in range(4):
        store.log([decided(DISPUTE)])
        cut_all_connections(postgresql_url)
    assert len(store.decisions("c-1")) == 4


def test_a_server_that_is_not_there() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with Store(f"postgresql://nobody:secret@127.0.0.1:{port}/x", seconds=SOON) as store:
        error = finishes(lambda: store.append_message("c-1", said("Hello", 1)))
        assert isinstance(error, StoreUnavailable)
        assert f"127.0.0.1:{port}/x" in str(error) and "secret" not in str(error)


class Proxy:
    """Stands between a store and its server, and can stop passing on what it hears, as a dead network does."""

    def __init__(self, host: str, port: int) -> None:
        self._server, self.passes = (host, port), threading.Event()
        self.passes.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = [self._listener]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._server)
                self._sockets += [client, server]
                for one, other in ((client, server), (server, client)):
                    threading.Thread(target=self._pass_on, args=(one, other), daemon=True).start()

    def _pass_on(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65_536):
                self.passes.wait(LONG)
                other.sendall(data)
            other.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.passes.set()
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


@pytest.fixture
def proxy(postgresql_url: str) -> Iterator[Proxy]:
    url = make_url(postgresql_url)
    proxy = Proxy(url.host or "127.0.0.1", url.port or 5432)
    yield proxy
    proxy.close()


def test_a_server_that_says_nothing_any_more(postgresql_url: str, proxy: Proxy, stores: Open) -> None:
    through = make_url(postgresql_url).set(host="127.0.0.1", port=proxy.port).render_as_string(hide_password=False)
    store = stores(through, seconds=SOON)
    live = LiveConversations(store, JUDGE)
    conversation = of_length(42, 10)
    for message in conversation.messages[:6]:
        live.add(conversation.conversation_id, message, facts_of(conversation))
    proxy.passes.clear()
    error = finishes(lambda: live.add(conversation.conversation_id, conversation.messages[6]))
    assert isinstance(error, StoreUnavailable) and f"no answer within {SOON:g} s" in str(error)
    for known in (7, 8):
        answer = live.add_unstored(conversation.conversation_id, conversation.messages[known - 1])
        assert answer == JUDGE.answer(msgspec.structs.replace(conversation, messages=conversation.messages[:known]))
    proxy.passes.set()
    wait_out_the_pause(store)
    for message in conversation.messages[6:]:
        answer = live.add(conversation.conversation_id, message)
    assert answer == JUDGE.answer(conversation)


def test_after_a_failure_nobody_waits_for_a_second(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    now, tried = [100.0], []
    database = Database(sqlite_url, clock=lambda: now[0])
    database.prepare()

    def work(_: object) -> None:
        tried.append(now[0])
        raise OSError(5, "Input/output error")

    for second in (100.0, 100.5, 100.99, 101.0, 101.5):
        now[0] = second
        with pytest.raises(StoreUnavailable, match="Input/output error"):  # also by those who did not try
            database.write(work)
    assert tried == [100.0, 101.0]
    now[0] = 102.0
    assert database.write(lambda connection: "works") == "works"
    now[0] = 102.1
    assert database.read(lambda connection: "works") == "works"
    database.close()


def away(*_: object, **__: object) -> None:
    raise StoreUnavailable("away")


def test_without_the_store_what_is_remembered_is_enough(
    url: str, stores: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = stores(url)
    live = LiveConversations(store, JUDGE)
    for conversation in talks(4, 43):
        half = len(conversation.messages) // 2
        for message in conversation.messages[:half]:
            live.add(conversation.conversation_id, message, facts_of(conversation))
        with monkeypatch.context() as patch:
            patch.setattr(store.database, "read", away)
            for known in range(half + 1, len(conversation.messages) + 1):
                message = conversation.messages[known - 1]
                with pytest.raises(StoreUnavailable):
                    live.add(conversation.conversation_id, message)
                first = live.add_unstored(conversation.conversation_id, message, facts_of(conversation))
                again = live.add_unstored(conversation.conversation_id, message)
                whole = msgspec.structs.replace(conversation, messages=conversation.messages[:known])
                assert first == again == JUDGE.answer(whole)
        for message in conversation.messages:
            answer = live.add(conversation.conversation_id, message)
        assert answer == JUDGE.answer(conversation)


def test_a_reading_that_fails_in_the_middle_costs_no_memory(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    live = LiveConversations(store, JUDGE)
    live.add("c-1", said("I want to talk to a human", 5))
    real, calls = store.database.read, [0]

    def second_fails(work: Callable[[Any], Any]) -> Any:
        calls[0] += 1
        return real(work) if calls[0] == 1 else away()

    early = said("Hello", 1)
    with monkeypatch.context() as patch:
        patch.setattr(store.database, "read", second_fails)
        with pytest.raises(StoreUnavailable):
            live.add("c-1", early)
        assert live.add_unstored("c-1", early).recommendation.action == "proactive_escalation"


@pytest.mark.parametrize("how", ["id", "key", "nothing"])
def test_a_message_that_comes_again_while_the_store_is_away_is_not_heard_twice(
    sqlite_url: str, stores: Open, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    store = stores(sqlite_url)
    live, key = LiveConversations(store, JUDGE), "k-2" if how == "key" else None
    first, second = said("How do I export my invoices?", 1), said("Where do I set the currency of my shop?", 2)
    if how != "id":
        first, second = (msgspec.structs.replace(each, message_id=None) for each in (first, second))
    live.add("c-1", first, key=None if key is None else "k-1")
    before = live.add("c-1", second, key=key)

    monkeypatch.setattr(store.database, "read", away)
    assert live.add_unstored("c-1", second, key=key) == before
    if how != "nothing":  # an older one is known by its name
        assert live.add_unstored("c-1", first, key=None if key is None else "k-1") == before
    assert live.add_unstored("c-1", said("Anybody?", 3), key="k-3") != before


def test_an_answer_stands_where_the_disk_fails_right_after_it(
    sqlite_url: str, stores: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = stores(sqlite_url)
    live = LiveConversations(store, JUDGE)
    message = said("I want a refund", 1)

    def slow() -> None:
        raise StoreUnavailable("the disk is slow")

    monkeypatch.setattr(store.database, "flush", slow)
    answer = live.add("c-1", message)
    assert answer.recommendation.action == "escalate_now"
    monkeypatch.undo()
    assert live.add("c-1", message) == answer
    store.close()
    again = stores(sqlite_url)
    assert len(again.decisions("c-1")) == 1
    found = again.conversation("c-1")
    assert found is not None and len(found.messages) == 1


def test_without_the_store_a_message_alone_is_answered_with_its_facts(url: str, stores: Open) -> None:
    live = LiveConversations(stores(url), JUDGE)
    (conversation,) = talks(1, 44)
    alone = msgspec.structs.replace(conversation, messages=conversation.messages[:1])
    answer = live.add_unstored(conversation.conversation_id, conversation.messages[0], facts_of(conversation))
    assert answer == JUDGE.answer(alone)


def test_a_killed_worker_loses_nothing_that_it_answered(url: str, stores: Open) -> None:
    conversations = [msgspec.structs.replace(c, conversation_id=f"c-{n}") for n, c in enumerate(talks(40, 45))]
    worker = subprocess.Popen(
        [sys.executable, "-m", "tests.store.worker", url, "0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert worker.stdin is not None and worker.stdout is not None
    worker.stdin.write(b"\n".join(map(to_json, conversations)))
    worker.stdin.close()
    answered = [worker.stdout.readline() for _ in range(60)]
    worker.send_signal(signal.SIGKILL)
    answered += worker.stdout.readlines()
    worker.stdout.close()
    worker.wait()
    complete = [line.decode().strip() for line in answered if line.endswith(b"\n")]
    expected = [(c.conversation_id, m.message_id) for c in conversations for m in c.messages][: len(complete)]
    assert [message_id for _, message_id in expected] == complete
    store = stores(url)
    logged = {c.conversation_id: {d.message_id for d in store.decisions(c.conversation_id)} for c in conversations}
    assert [pair for pair in expected if pair[1] not in logged[pair[0]]] == []
    live = LiveConversations(store, JUDGE)
    for conversation in conversations[:12]:
        for message in conversation.messages:
            live.add(conversation.conversation_id, message, facts_of(conversation))
        found = store.conversation(conversation.conversation_id)
        assert found is not None and len(found.messages) == len(conversation.messages)
