"""A load on the service, from a process of its own: `python -m tests.faults.load PORT --rate 200 --seconds 5 --out FILE`.

Open loop: requests leave at their times whether or not the earlier ones were answered, and each is timed from the
moment at which it should have left, so that a service that stalls cannot hide behind a load that waits for it. With
`--rate 0` the loop is closed: every connection sends its next request once the last is answered.

Loopback only, bounded in rate, time and connections. The outcome is one JSON line a request, written at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sys
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import msgspec

from tests.faults.traffic import KINDS, Kind, Sent, requests

MOST_RATE, MOST_SECONDS, MOST_CONNECTIONS = 20_000, 120, 1_000
# A request that is not answered by then counts as cut.
PATIENCE_SECONDS = 20.0


class Reply(msgspec.Struct, frozen=True):
    """What became of one request. `status` 0: the connection broke, or nothing came in time. `at` is when it should
    have left, by the clock that all processes of the machine share, and `seconds` how long it then took, `late` of them
    before it could leave, for want of a free connection or of time for the load itself; `body` is there where the
    answer was 200."""

    id: str
    kind: Kind
    at: float
    seconds: float
    status: int
    late: float = 0.0
    retry_after: str | None = None
    body: msgspec.Raw = msgspec.Raw(b"null")


class _Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, load: _Load) -> None:
        self._load = load
        self._sent: tuple[Sent, float, float] | None = None
        self._heard = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def send(self, sent: Sent, at: float) -> None:
        assert self._transport is not None
        self._sent, self._heard = (sent, at, self._load.now() - at), b""
        self._transport.write(sent.content)

    def data_received(self, data: bytes) -> None:
        self._heard += data
        head, separator, body = self._heard.partition(b"\r\n\r\n")
        if not separator:
            return
        fields = head.lower()
        start = fields.find(b"content-length: ")
        if start < 0 or len(body) < int(fields[start + 16 :].partition(b"\r\n")[0]):
            return
        self._done(int(head[9:12]), fields, body)
        if b"connection: close" in fields and self._transport is not None:
            self._transport.close()
        else:
            self._load.free(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._done(0, b"", b"")
        self._load.gone(self)

    def give_up(self) -> None:
        """Whoever has waited too long hangs up."""
        if self._sent is not None and self._load.now() - self._sent[1] > PATIENCE_SECONDS:
            self.close()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _done(self, status: int, fields: bytes, body: bytes) -> None:
        if self._sent is None:
            return
        (sent, at, late), self._sent = self._sent, None
        later = fields.partition(b"retry-after: ")[2].partition(b"\r\n")[0].decode() or None
        content = msgspec.Raw(body) if status == 200 else msgspec.Raw(b"null")
        self._load.note(sent, at, status, late, later, content)


class _Load:
    def __init__(self, port: int, connections: int, source: Iterator[Sent]) -> None:
        self.replies: list[Reply] = []
        self._port, self._most, self._source = port, connections, source
        self._open: set[_Connection] = set()
        self._idle: deque[_Connection] = deque()
        self._due: deque[float] = deque()
        self._opening = 0
        self._started = time.monotonic()
        self._closed_until: float | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def now(self) -> float:
        return time.monotonic() - self._started

    def note(
        self, sent: Sent, at: float, status: int, late: float = 0.0, later: str | None = None,
        body: msgspec.Raw = msgspec.Raw(b"null"),
    ) -> None:  # fmt: skip
        """What became of a request that should have left so many seconds after the start."""
        seconds = self.now() - at
        self.replies.append(Reply(sent.id, sent.kind, self._started + at, seconds, status, late, later, body))

    async def run(self, rate: float, seconds: float) -> None:
        self._started = time.monotonic()
        print("begun", flush=True)  # noqa: T201  # whoever started this waits for it
        if rate:
            await self._at_their_times(rate, seconds)
        else:
            self._closed_until = seconds
            self._due.extend([0.0] * self._most)
            self._serve()
            await asyncio.sleep(seconds)
        end = self.now() + PATIENCE_SECONDS + 1
        while (self._due or len(self._idle) < len(self._open) or self._opening) and self.now() < end:
            await asyncio.sleep(0.05)
            self._hurry()
        for connection in list(self._open):
            connection.close()

    async def _at_their_times(self, rate: float, seconds: float) -> None:
        for number in itertools.count():
            at = number / rate
            if at >= seconds:
                return
            while self.now() < at:
                await asyncio.sleep(max(0.001, at - self.now()))
                self._hurry()
            self._due.append(at)
            self._serve()
            if number % 50 == 0:
                await asyncio.sleep(0)

    def free(self, connection: _Connection) -> None:
        if self._closed_until is not None and self.now() < self._closed_until:
            self._due.append(self.now())
        self._idle.append(connection)
        self._serve()

    def gone(self, connection: _Connection) -> None:
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if self._closed_until is not None and self.now() < self._closed_until:
            self._due.append(self.now())
        self._serve()

    def _serve(self) -> None:
        while self._due and self._idle:
            self._idle.pop().send(next(self._source), self._due.popleft())
        if len(self._due) > self._opening and len(self._open) + self._opening < self._most:
            self._opening += 1
            task = asyncio.get_running_loop().create_task(self._connect())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            _, connection = await loop.create_connection(lambda: _Connection(self), "127.0.0.1", self._port)
        except OSError:
            if self._due:  # nobody listens just now: that request is lost on the way
                sent, at = next(self._source), self._due.popleft()
                self.note(sent, at, 0)
            await asyncio.sleep(0.02)
        else:
            self._open.add(connection)
            self._idle.append(connection)
        self._opening -= 1
        self._serve()

    def _hurry(self) -> None:
        if int(self.now() * 10) % 10 == 0:
            for connection in list(self._open):
                connection.give_up()


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("--rate", type=float, default=0.0, help="requests a second; 0: as fast as they are answered")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--kinds", nargs="+", default=["predict"], choices=KINDS)
    parser.add_argument("--name", default="load", help="begins the ids of all requests and conversations")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(arguments)
    if given.rate > MOST_RATE or given.seconds > MOST_SECONDS or given.connections > MOST_CONNECTIONS:
        parser.error(f"at most {MOST_RATE} a second, {MOST_SECONDS} s and {MOST_CONNECTIONS} connections")
    load = _Load(given.port, given.connections, requests(given.kinds, given.name))
    asyncio.run(load.run(given.rate, given.seconds))
    unfinished = given.out.with_suffix(".unfinished")
    unfinished.write_bytes(b"".join(msgspec.json.encode(reply) + b"\n" for reply in load.replies))
    unfinished.rename(given.out)


if __name__ == "__main__":
    main(sys.argv[1:])
