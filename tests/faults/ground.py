"""The ground that a fault is tried on: a running service over a store, a load in a process of its own, and the count."""

from __future__ import annotations

import random
import string
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import msgspec
from sqlalchemy import create_engine, make_url, select, text

from handoff.store.decisions import ESCALATING
from handoff.store.tables import decisions
from tests.faults.load import Reply
from tests.faults.proxy import Proxy
from tests.faults.traffic import Kind
from tests.serving.running import Running, running

RECOVERY_SECONDS = 60.0
LOAD_SECONDS_MORE = 60.0


class Share(msgspec.Struct, frozen=True):
    """How many requests were sent in some time, how many of them were answered, and what share of them must be."""

    requests: int
    answered: int
    least: float

    @property
    def holds(self) -> bool:
        """Whether enough were answered. Where none was sent, nothing was shown."""
        return self.requests > 0 and self.answered >= self.least * self.requests

    def __str__(self) -> str:
        return f"{self.answered:,} of {self.requests:,}" + (" (too few)" if not self.holds else "")


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One fault, what was done, and what became of the requests.

    `cut` had no answer at all, `wrong` one that no caller should see, `lost` were acknowledged escalations that the
    decision log does not have; `gone` the same for decisions that escalate nobody. `outside` are the requests that met
    the fault at no time, `during` the others; each is there where the scene promises that a share of them is answered.
    """

    fault: str
    done: str
    requests: int
    answered: int
    refused: int
    cut: int
    wrong: int
    escalations: int
    lost: int
    gone: int
    recovery_seconds: float | None
    outside: Share | None = None
    during: Share | None = None
    notes: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether the service did what is promised of it."""
        shares = [share for share in (self.outside, self.during) if share is not None]
        enough = bool(shares) and all(share.holds for share in shares)
        return enough and self.wrong == 0 and self.lost == 0 and not self.notes


@dataclass
class Ground:
    """Where the models are, a folder to work in, and the store. `proxy` stands before a store in PostgreSQL.

    `rate` is what the load sends a second, for `seconds`.
    """

    models: Path
    folder: Path
    store: str
    rate: float
    seconds: float
    proxy: Proxy | None = None
    notes: list[str] = field(default_factory=list)
    faults: list[tuple[float, float]] = field(default_factory=list)

    @contextmanager
    def fault(self, begins: float | None = None, ends: float | None = None) -> Iterator[None]:
        """What is done to the service, until it has recovered. `begins` is 0 where it was done before the load, and
        `ends` infinite where nothing recovers while the load lasts."""
        begun = time.monotonic() if begins is None else begins
        try:
            yield
        finally:
            self.faults.append((begun, time.monotonic() if ends is None else ends))

    @property
    def database(self) -> str:
        """Which database it is, for people."""
        return "SQLite" if self.proxy is None else "PostgreSQL"

    @property
    def url(self) -> str:
        """The store as the service knows it."""
        if self.proxy is None:
            return self.store
        return make_url(self.store).set(port=self.proxy.port).render_as_string(hide_password=False)

    @contextmanager
    def service(
        self, *options: str, models: Path | None = None, count: int = 2, **environment: str
    ) -> Iterator[Running]:
        """So many workers, once all answer."""
        given = ("--workers", str(count), "--store", self.url, *options)
        with running(models or self.models, *given, cwd=self.folder, **environment) as it:
            wait_for(lambda: len(workers(it)) == count)
            yield it

    @contextmanager
    def load(
        self, it: Running, *kinds: Kind, rate: float | None = None, seconds: float | None = None, connections: int = 16
    ) -> Iterator[list[Reply]]:
        """A load while the body runs; the list holds the replies once it is over. It has begun when this returns."""
        replies: list[Reply] = []
        lasts = seconds or self.seconds
        # Letters only: a long number in an id is masked in the log, as personal data is, and would not be found again.
        out = self.folder / f"load-{''.join(random.choices(string.ascii_lowercase, k=8))}.jsonl"
        command = [
            sys.executable, "-m", "tests.faults.load", str(it.port), "--rate", str(self.rate if rate is None else rate),
            "--seconds", str(lasts), "--connections", str(connections), "--name", out.stem, "--out", str(out),
            "--kinds", *(kinds or ("predict", "messages")),
        ]  # fmt: skip
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            try:
                assert process.stdout is not None and process.stdout.readline(), "the load did not begin"
                time.sleep(min(1.5, lasts / 3))
                yield replies
                process.wait(lasts + LOAD_SECONDS_MORE)
            finally:
                process.kill()
        replies.extend(msgspec.json.decode(line, type=Reply) for line in out.read_bytes().splitlines())

    def note(self, claim: str, holds: bool) -> None:
        """Remember what did not hold."""
        if not holds:
            self.notes.append(claim)

    def row(
        self, fault: str, done: str, replies: Sequence[Reply], recovery_seconds: float | None = None, *,
        outside: float | None = None, during: float | None = None,
    ) -> Row:  # fmt: skip
        """The count, once the service has stopped. Of the requests that met no fault, and of those that did, these
        shares must be answered."""
        answered = [reply for reply in replies if reply.status == 200]
        acknowledged = [pair for reply in answered for pair in _decided(reply)]
        logged = self._logged()
        missing = [action for key, action in acknowledged if key not in logged]
        return Row(
            fault=fault,
            done=f"{done} ({self.database})",
            requests=len(replies),
            answered=len(answered),
            refused=sum(reply.status == 503 and reply.retry_after is not None for reply in replies),
            cut=sum(reply.status == 0 for reply in replies),
            wrong=sum(reply.status not in (0, 200) and reply.retry_after is None for reply in replies),
            escalations=sum(action in ESCALATING for _, action in acknowledged),
            lost=sum(action in ESCALATING for action in missing),
            gone=sum(action not in ESCALATING for action in missing),
            recovery_seconds=None if recovery_seconds is None else round(recovery_seconds, 1),
            outside=_share([reply for reply in replies if not self._met(reply)], outside),
            during=_share([reply for reply in replies if self._met(reply)], during),
            notes=tuple(self.notes),
        )

    def _met(self, reply: Reply) -> bool:
        return any(reply.at < end and reply.at + reply.seconds > begun for begun, end in self.faults)

    def _logged(self) -> set[tuple[str, str]]:
        engine = create_engine(make_url(self.store))
        try:
            with engine.connect() as connection:
                rows = connection.execute(select(decisions.c.request_id, decisions.c.conversation_id))
                return {(row.request_id, row.conversation_id) for row in rows}
        finally:
            engine.dispose()


def _share(replies: Sequence[Reply], least: float | None) -> Share | None:
    if least is None:
        return None
    return Share(len(replies), sum(reply.status == 200 for reply in replies), least)


def _decided(reply: Reply) -> list[tuple[tuple[str, str], str]]:
    """Request, conversation and action of every decision that a reply acknowledges."""
    if reply.kind == "outcomes":
        return []
    body: Any = msgspec.json.decode(reply.body)
    answers = body if isinstance(body, list) else [body]
    return [((a["request_id"], a["conversation_id"]), a["recommendation"]["action"]) for a in answers]


def answers_of(replies: Sequence[Reply]) -> list[list[dict[str, Any]]]:
    """The answers of every reply that had some."""
    bodies = [msgspec.json.decode(r.body) for r in replies if r.status == 200 and r.kind != "outcomes"]
    return [body if isinstance(body, list) else [body] for body in bodies]


def ask(it: Running, path: str) -> httpx.Response:
    """GET over a connection of its own, so that any worker may get it."""
    address = f"http://127.0.0.1:{it.port}{path}"
    return httpx.get(address, headers={"connection": "close"}, timeout=10)


def workers(it: Running, looks: int = 12) -> dict[int, dict[str, Any]]:
    """What /status says, by worker, of those that answer."""
    found = {}
    for _ in range(looks):
        try:
            status = ask(it, "/status").json()
        except (httpx.TransportError, ValueError):
            continue
        found[status["worker"]] = status
    return found


def has_trouble(it: Running, part: str) -> bool:
    """Whether any worker has this trouble."""
    return any(trouble["part"] == part for status in workers(it).values() for trouble in status["problems"])


def all_well(it: Running, part: str) -> bool:
    """Whether two workers answer, and neither has this trouble."""
    found = workers(it)
    return len(found) == 2 and not any(t["part"] == part for status in found.values() for t in status["problems"])


def wait_for(what: Callable[[], bool], seconds: float = RECOVERY_SECONDS) -> float:
    """How long it takes until `what` is true. Raises AssertionError when it does not come true in time."""
    begun = time.monotonic()
    while not what():
        if time.monotonic() > begun + seconds:
            raise AssertionError(f"nothing came true within {seconds:.0f} s")
        time.sleep(0.1)
    return time.monotonic() - begun


@contextmanager
def postgresql_store(server: str, name: str) -> Iterator[tuple[str, Proxy]]:
    """A database of its own, dropped at the end, and the proxy before its server."""
    engine = create_engine(make_url(server).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        connection.execute(text(f"CREATE DATABASE {name}"))
    url = engine.url.set(database=name)
    proxy = Proxy(url.host or "127.0.0.1", url.port or 5432)
    try:
        yield url.render_as_string(hide_password=False), proxy
    finally:
        proxy.close()
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        engine.dispose()
