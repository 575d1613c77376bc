"""One database, SQLite or PostgreSQL: short transactions that end, one way or the other, within a bounded time.

Whatever keeps a transaction from ending well (no server, a lock, a full disk) is `StoreUnavailable`. After one of
those, further calls fail at once for a second, so that a dead database costs its callers no waiting.
"""

from __future__ import annotations

import logging
import math
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, exc, make_url, text

from handoff.errors import BadInput, StoreUnavailable
from handoff.settings import NEEDS_PSYCOPG, STORE_EXAMPLES, store_backend
from handoff.store.decisions import note_feature_names
from handoff.store.migrate import is_current, migrate
from handoff.store.seal import Seal, seal_of
from handoff.store.tables import WAIT_FOR_DISK
from handoff.store.wal import WalFlush
from handoff.store.watchdog import Watchdog

log = logging.getLogger("bentoml.handoff")

T = TypeVar("T")
Work = Callable[[Connection], T]

PAUSE_SECONDS = 1.0
MIGRATION_SECONDS = 60.0
POOL = 8
_LOOKS_AGAIN_SECONDS = 0.01
_DRIVERS = {"sqlite": "sqlite+pysqlite", "postgresql": "postgresql+psycopg"}
# What our own code got wrong, or what a constraint says, is no outage.
_OURS = (exc.IntegrityError, exc.ProgrammingError, exc.DataError, exc.NotSupportedError)
# But a table or column that is gone, or may not be used, is one: somebody has to put it right, and may.
_GONE = frozenset({"42P01", "42703", "42501", "3F000"})
_LOCK_NOT_AVAILABLE = "55P03"
# What waiting cures on SQLite.
_IN_THE_WAY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL})


class Database:
    """A pool of connections to one database, which is migrated before its first use."""

    def __init__(
        self,
        url: str,
        *,
        secret: str | None = None,
        seconds: float = 2.0,
        must_exist: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Connects to nothing yet. `seconds` is the longest that a transaction may take. Raises `BadInput`."""
        self.url = _usable(url)
        self._secret, self._seconds, self._must_exist, self._clock = secret, seconds, must_exist, clock
        self._seal: Seal | None = None
        self._preparing, self._writing = threading.Lock(), threading.Lock()
        self._down_until = -math.inf
        self._down_because = ""
        self._watchdog = Watchdog()
        self._engine = (
            _sqlite(self.url, seconds, self._begin_anew) if self.is_sqlite else _postgresql(self.url, seconds)
        )
        # Nothing is read twice that must stay the same: each statement by itself saves beginning and ending.
        alone = {"handoff_begin": None} if self.is_sqlite else {"isolation_level": "AUTOCOMMIT"}
        self._reader = self._engine.execution_options(**alone)
        self._writer = self._engine.execution_options(handoff_begin="BEGIN IMMEDIATE")
        self._flush = WalFlush(Path(self.url.database or "")) if self.is_sqlite else None

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @property
    def seal(self) -> Seal:
        """What closes and opens the customers' names."""
        self.prepare()
        assert self._seal is not None
        return self._seal

    def prepare(self) -> None:
        """Connect and migrate, unless that was done. Raises `StoreUnavailable`, `BadInput`."""
        if self._seal is not None:
            return
        if not self._preparing.acquire(timeout=MIGRATION_SECONDS):
            raise self._unavailable("is being migrated by another thread")
        try:
            if self._seal is None:
                self._seal = self._guarded(self._prepare)
        finally:
            self._preparing.release()

    def _begin_anew(self) -> None:
        """The file is another one than was opened: what is to be done before its first use is to be done again."""
        log.warning("%s was deleted or replaced; what was in it is gone, and it is opened anew", self.url.database)
        self._seal = None
        if not self._must_exist:
            _make_private(Path(self.url.database or ""))

    def _find_or_make_file(self, path: Path) -> None:
        if not self._must_exist:
            _make_private(path)
        elif not path.exists():
            raise BadInput(f"there is no store at {path}; name an existing one, as HANDOFF_STORE or with --store")

    def read(self, work: Work[T]) -> T:
        """What `work` reads. Not a snapshot: a second statement may see what was written after the first."""
        self.prepare()
        return self._guarded(lambda: self._transact(self._reader, work, self._seconds))

    def write(self, work: Work[T], *, durable: bool = False) -> T:
        """`work` in one transaction; on SQLite it holds the only write lock. `durable` also waits for the disk.

        `work` runs again when the connection was lost, perhaps after the first run was committed.
        """
        self.prepare()
        with self._turn():
            found = self._guarded(lambda: self._transact(self._writer, _waiting(work, durable), self._seconds))
        if durable:
            self.flush()
        return found

    def flush(self) -> None:
        """Wait until what was committed is on disk; nothing to do on PostgreSQL, which waits in the commit."""
        if self._flush is not None:
            try:
                self._flush(self._seconds)
            except OSError as error:  # TimeoutError is one
                raise self._failed(str(error)) from error

    def close(self) -> None:
        """Give up all connections."""
        self._watchdog.stop()
        self._engine.dispose()

    def _prepare(self) -> Seal:
        if self.is_sqlite:
            self._find_or_make_file(Path(self.url.database or ""))

        def bring_up_to_date(connection: Connection) -> Seal:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SET LOCAL statement_timeout = 0"))
                connection.execute(text("SET LOCAL lock_timeout = 0"))
            migrate(connection)
            return introduce(connection)

        def introduce(connection: Connection) -> Seal:
            note_feature_names(connection)
            return seal_of(connection, self._secret)

        def look(connection: Connection) -> Seal | None:
            return introduce(connection) if is_current(connection) else None

        seal = self._transact(self._writer, look, self._seconds)
        return seal or self._transact(self._writer, bring_up_to_date, MIGRATION_SECONDS)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """One writer at a time in this process: SQLite's own queue polls, and is not fair."""
        if not self.is_sqlite:
            yield
            return
        self._check_not_down()
        if not self._writing.acquire(timeout=self._seconds):
            raise self._failed(f"is busy for more than {self._seconds:g} s")
        try:
            yield
        finally:
            self._writing.release()

    def _transact(self, engine: Engine, work: Work[T], seconds: float) -> T:
        with engine.connect() as connection, self._limited(connection, seconds), connection.begin():
            return work(connection)

    def _limited(self, connection: Connection, seconds: float) -> AbstractContextManager[None]:
        if self.is_sqlite:
            return nullcontext()
        driver: Any = connection.connection.driver_connection
        return self._watchdog.limit(driver.fileno(), seconds)

    def _guarded(self, call: Callable[[], T]) -> T:
        """`call`, a second time when the connection had been lost in the meantime."""
        self._check_not_down()
        for last in (False, True):
            try:
                found = call()
            except TimeoutError as error:
                raise self._failed(str(error)) from error
            except exc.TimeoutError as error:
                raise self._failed("all connections are busy") from error
            except exc.DBAPIError as error:
                state = getattr(error.orig, "sqlstate", None)
                if isinstance(error, _OURS) and state not in _GONE:
                    raise
                if error.connection_invalidated and not last:
                    continue
                if state == _LOCK_NOT_AVAILABLE:  # one row, not the database
                    raise self._unavailable(_said(error)) from error
                raise self._failed(_said(error)) from error
            except OSError as error:
                raise self._failed(error.strerror or str(error)) from error
            self._down_until = -math.inf
            return found
        raise AssertionError("unreachable")

    def _check_not_down(self) -> None:
        if self._clock() < self._down_until:
            raise self._unavailable(f"did not work a moment ago ({self._down_because})")

    def _failed(self, problem: str) -> StoreUnavailable:
        self._down_until, self._down_because = self._clock() + PAUSE_SECONDS, problem
        return self._unavailable(problem)

    def _unavailable(self, problem: str) -> StoreUnavailable:
        shown = self.url.set(query={}).render_as_string(hide_password=True)
        return StoreUnavailable(f"store {shown}: {problem}; nothing was stored, try again later")


def _usable(url: str) -> URL:
    backend = store_backend(url)
    try:
        parsed = make_url(url)
    except (exc.ArgumentError, ValueError):  # ValueError: a port that is no number
        raise BadInput(f"the store's URL cannot be read; expected {STORE_EXAMPLES}") from None
    return parsed.set(drivername=_DRIVERS[backend])


def _sqlite(url: URL, seconds: float, moved: Callable[[], None]) -> Engine:
    """`moved` is called when the file turns out to be another one than a connection has open: whatever is written
    there, nobody would find."""
    path = Path(url.database or "")
    engine = create_engine(
        url,
        connect_args={"timeout": seconds, "check_same_thread": False},
        pool_size=POOL,
        max_overflow=0,
        pool_timeout=seconds,
    )

    def set_up(connection: Any, record: Any) -> None:
        connection.isolation_level = None  # transactions begin where we say, not where sqlite3 thinks
        if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            _use_wal(connection, seconds)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA secure_delete = ON")  # what is deleted or overwritten leaves no bytes in its place
        record.info["file"] = _identity(path)

    def check(_: Any, record: Any, __: Any) -> None:
        if record.info["file"] != _identity(path):
            moved()
            raise exc.InvalidatePoolError("the file is another one by now")

    def begin(connection: Connection) -> None:
        if statement := connection.get_execution_options().get("handoff_begin", "BEGIN"):
            connection.exec_driver_sql(statement)

    event.listen(engine, "connect", set_up)
    event.listen(engine, "checkout", check)
    event.listen(engine, "begin", begin)
    return engine


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _use_wal(connection: Any, seconds: float) -> None:
    """Several that open a new file at once get in each other's way, and SQLite does not wait here by itself."""
    end = time.monotonic() + seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # the rest says more
            if code not in _IN_THE_WAY or time.monotonic() > end:
                raise
            time.sleep(_LOOKS_AGAIN_SECONDS)
        else:
            return


def _postgresql(url: URL, seconds: float) -> Engine:
    try:
        import psycopg  # noqa: F401
    except ImportError:
        raise BadInput(NEEDS_PSYCOPG) from None
    milliseconds = int(seconds * 1000)
    # Commits do not wait for the server's disk, except where a transaction asks for it: a killed worker loses
    # nothing, a crashed server at most the last 0.6 seconds of what escalated nobody.
    # Less for a lock than for the whole, so that one can tell a row that is held from a server that does not move.
    locks = milliseconds * 3 // 4
    options = f"-c statement_timeout={milliseconds} -c lock_timeout={locks} -c synchronous_commit=off"
    given = url.query.get("options", "")
    return create_engine(
        url.difference_update_query(["options"]),
        connect_args={
            "connect_timeout": max(2, math.ceil(seconds)),
            "tcp_user_timeout": milliseconds,
            "options": f"{options} {given if isinstance(given, str) else ' '.join(given)}".strip(),
        },
        pool_size=POOL,
        max_overflow=0,
        pool_timeout=seconds,
    )


def _waiting(work: Work[T], durable: bool) -> Work[T]:
    def run(connection: Connection) -> T:
        if durable and connection.dialect.name == "postgresql":
            connection.execute(WAIT_FOR_DISK)
        return work(connection)

    return run if durable else work


def _make_private(path: Path) -> None:
    """Make the file so that only its owner reads it. What lies beside it (-wal, -shm) inherits that."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _said(error: exc.DBAPIError) -> str:
    """The driver's first line, which names no value of a statement."""
    return (str(error.orig).strip().splitlines() or [type(error.orig).__name__])[0]
