"""Who is let in when more comes than can be answered: whoever would not have to wait too long.

A worker does its work in lanes: answers on the event loop, one after the other; long bodies and batches in a thread
beside it; what needs the store in a few threads. A lane knows how many are in it and at what pace it finishes them,
and the product is how long a newcomer would wait. Over the limit it is refused, before its body is read, with 503 and
`retry-after`: a caller who hears "not now" at once can retry or go on, one who waits can do neither.

Nothing here depends on how long an answer takes: the pace is measured, so that a slow machine, a cold cache or a slow
store lower what is let in by themselves.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from handoff.settings import read_settings
from serving.guard import SECURITY_HEADERS, usable_id
from serving.http import Refused

# A batch may wait for those before it, each of which may take seconds.
MOST_BATCH_WAIT_SECONDS = 10.0
# A lane is never closed to so many, however slow the last ones were: else one slow answer could close it for good.
ALWAYS_LET_IN = 8
# So long may turns on the event loop take before it looks at its sockets again; one alone may take longer.
MOST_AT_ONCE_SECONDS = 0.1
# What one more finished request counts for in the pace: the last twenty or so make it up.
_WEIGHT = 0.1


class Lane:
    """Those who wait for the same thing, or are at it."""

    def __init__(
        self,
        name: str,
        most_wait_seconds: float,
        *,
        always: int = ALWAYS_LET_IN,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.name, self.inside, self.refused = name, 0, 0
        self._most_wait_seconds, self._always, self._clock = most_wait_seconds, always, clock
        self._pace = 0.0
        self._last_left = -math.inf

    @property
    def wait_seconds(self) -> float:
        """How long a newcomer would be in the lane."""
        return (self.inside + 1) * self._pace

    def check(self) -> None:
        """Raise `Refused` (503) where a newcomer would wait too long."""
        if self.inside >= self._always and self.wait_seconds > self._most_wait_seconds:
            self.refused += 1
            problem = f"{self.inside} are in line, for {self.wait_seconds:.1f} s of work"
            raise Refused(503, f"Try again later: {problem}", retry_after=max(1, math.ceil(self.wait_seconds)))

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """In the lane from here to the end. Raises `Refused` (503) like `check`."""
        self.check()
        entered = self._clock()
        self.inside += 1
        try:
            await self._my_turn()
            try:
                yield
            finally:
                self._leave()
                self._note(entered)
        finally:
            self.inside -= 1

    async def _my_turn(self) -> None:
        """Threads keep their own line."""

    def _leave(self) -> None:
        """Nothing to hand on."""

    def _note(self, entered: float) -> None:
        """While others are in the lane, what passes between two that leave it is what each of them costs."""
        now = self._clock()
        seconds = now - max(entered, self._last_left)
        self._last_left = now
        self._pace = seconds if self._pace == 0.0 else self._pace + _WEIGHT * (seconds - self._pace)


class LoopLane(Lane):
    """The lane of work that is done on the event loop itself, the oldest first.

    Between turns the loop looks at its sockets. Without that, a hundred requests that arrive together would all start
    before the first newcomer could be counted, let alone refused, and nobody could ask for /livez meanwhile. As many
    have their turns at once as take about as long as the loop was busy with others, so that a flood of requests to
    refuse leaves half of the time to those who were let in.
    """

    def __init__(
        self,
        name: str,
        most_wait_seconds: float,
        *,
        most_at_once_seconds: float = MOST_AT_ONCE_SECONDS,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        super().__init__(name, most_wait_seconds, clock=clock)
        self._most_at_once_seconds = most_at_once_seconds
        self._line: deque[asyncio.Future[None]] = deque()
        self._is_taken = False
        self._going = 0
        self._began = self._work_seconds = self._elsewhere_seconds = 0.0
        self._stopped: float | None = None

    async def _my_turn(self) -> None:
        if self._is_taken:
            await self._wait()
        else:
            self._is_taken, self._going = True, 1
        self._began = self._clock()
        if self._stopped is not None:
            self._elsewhere_seconds, self._stopped = self._began - self._stopped, None

    async def _wait(self) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._line.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it was this one's turn just then
                self._hand_on()
            raise

    def _leave(self) -> None:
        seconds = self._clock() - self._began
        known = self._work_seconds
        self._work_seconds = seconds if known == 0.0 else known + _WEIGHT * (seconds - known)
        self._hand_on()

    def _hand_on(self) -> None:
        self._going -= 1
        if self._going == 0:
            self._stopped = self._clock()
            asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        fair_seconds = min(self._elsewhere_seconds, self._most_at_once_seconds)
        while self._line and (self._going == 0 or (self._going + 1) * self._work_seconds <= fair_seconds):
            turn = self._line.popleft()
            if not turn.done():
                turn.set_result(None)
                self._going += 1
        if self._going == 0:
            self._is_taken, self._stopped, self._elsewhere_seconds = False, None, 0.0


class Lanes:
    """The lanes of one worker."""

    def __init__(self, most_wait_seconds: float) -> None:
        self.answers = LoopLane("answers", most_wait_seconds)
        self.beside = Lane("beside", MOST_BATCH_WAIT_SECONDS)
        self.store = Lane("store", most_wait_seconds)
        self._of_path = {
            "/predict": self.answers, "/predict_batch": self.beside, "/outcomes": self.store,
        }  # fmt: skip

    def all(self) -> tuple[Lane, ...]:
        """Every lane, for the metrics."""
        return self.answers, self.beside, self.store

    def check(self, path: str) -> None:
        """Raise `Refused` (503) where a request for this route would wait too long; other routes are always let in."""
        lane = self._of_path.get(path) or (self.store if path.startswith("/conversations/") else None)
        if lane is not None:
            lane.check()


@cache
def lanes_of_worker() -> Lanes:
    """The lanes of this process. Asking BentoML for its service would cost more than all of a refusal."""
    return Lanes(read_settings().max_wait_ms / 1_000)


class Admission:
    """The service's outermost layer: refuses, before anything else is done, a request that would wait too long.

    A refusal must cost much less than an answer, or a flood of them takes the time of those who were let in. Here it
    costs a fifth of what it does behind BentoML's layers of metrics, tracing and routing.
    """

    def __init__(self, app: ASGIApp, lanes: Lanes) -> None:
        self._app, self._lanes = app, lanes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST":
            try:
                self._lanes.check(scope["path"])
            except Refused as refused:
                await _refuse(refused, scope, send)
                return
        await self._app(scope, receive, send)


async def _refuse(refused: Refused, scope: Scope, send: Send) -> None:
    body = msgspec.json.encode(refused.fault)
    given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"retry-after", str(refused.retry_after).encode()),
        (b"x-request-id", usable_id(given)),
        *SECURITY_HEADERS,
    ]
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
