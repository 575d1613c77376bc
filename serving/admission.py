"""Who is let in when more comes than can be answered: whoever would not have to wait too long.

A worker does its work in lanes: answers on the event loop, in small groups; long bodies and batches in a thread beside
it; what needs the store in a few threads. A lane knows how many are in it and at what pace it finishes them,
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
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from handoff.settings import read_settings
from serving.guard import DATA_HEADERS, usable_id
from serving.http import Refused

Asked = TypeVar("Asked")
Told = TypeVar("Told")

# A batch may wait for those before it, each of which may take seconds.
MOST_BATCH_WAIT_SECONDS = 10.0
# A lane is never closed to so many, however slow the last ones were: else one slow answer could close it for good.
ALWAYS_LET_IN = 8
# So many are answered on the event loop together before it looks at its sockets again; more, where it was busy with
# others for longer, but for no longer than so many seconds.
MOST_TOGETHER, MOST_AT_ONCE_SECONDS = 8, 0.1
# While others are refused, of the time that the loop was busy with them.
FLOOD_SHARE = 1 / 3
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
            yield
        finally:
            self.inside -= 1
            self._note(entered)

    def _note(self, entered: float, count: int = 1) -> None:
        """While others are in the lane, what passes until so many leave it together is what they cost."""
        now = self._clock()
        seconds = (now - max(entered, self._last_left)) / count
        self._last_left = now
        weight = 1 - (1 - _WEIGHT) ** count
        self._pace = seconds if self._pace == 0.0 else self._pace + weight * (seconds - self._pace)


class _Waiting(NamedTuple, Generic[Asked, Told]):
    """Somebody in line: what is asked, where the answer goes, and since when."""

    asked: Asked
    told: asyncio.Future[Told]
    entered: float


# What is made of all that is asked together: an answer each, or what is wrong with the question.
Work = Callable[[Sequence[Asked]], Sequence[Told | Exception]]


class LoopLane(Lane, Generic[Asked, Told]):
    """The lane of work that is done on the event loop itself, the oldest first, several together where several wait:
    what one of them has used is then at hand for the next.

    Between two groups the loop looks at its sockets. Without that, a hundred requests that arrive together would all
    start before the first newcomer could be counted, let alone refused, and nobody could ask for /livez meanwhile.
    A group may be larger where the loop was busy with others for longer. While some are refused, it takes no more than
    a third of that time, for what follows an answer takes time, too, and who is refused must hear soon.
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
        self._line: deque[_Waiting[Asked, Told]] = deque()
        self._is_taken = False
        self._work_seconds = 0.0
        self._stopped = self._clock()
        self._refused_before = 0

    async def ask(self, asked: Asked, work: Work[Asked, Told]) -> Told:
        """The answer; `work` is the same for all in this lane. Raises what `work` says is wrong, or `Refused` (503)
        like `check`."""
        self.check()
        waiting = _Waiting[Asked, Told](asked, asyncio.get_running_loop().create_future(), self._clock())
        self.inside += 1
        try:
            if self._is_taken:
                self._line.append(waiting)
            else:
                self._is_taken = True
                self._do([waiting], work)
            return await waiting.told
        finally:
            self.inside -= 1

    def _do(self, group: list[_Waiting[Asked, Told]], work: Work[Asked, Told]) -> None:
        """Work for these, and come back to the line when the loop has looked at its sockets."""
        began = self._clock()
        try:
            for waiting, told in zip(group, _done(work, [waiting.asked for waiting in group]), strict=True):
                if isinstance(told, Exception):
                    waiting.told.set_exception(told)
                else:
                    waiting.told.set_result(told)
        finally:  # whatever becomes of these, those behind them get their turn
            asyncio.get_running_loop().call_soon(self._next, work)
        self._note(group[0].entered, len(group))
        self._stopped = self._clock()
        seconds, known = (self._stopped - began) / len(group), self._work_seconds
        self._work_seconds = seconds if known == 0.0 else known + _WEIGHT * (seconds - known)

    def _next(self, work: Work[Asked, Told]) -> None:
        fair_seconds = min(self._clock() - self._stopped, self._most_at_once_seconds)
        together = MOST_TOGETHER
        if self.refused > self._refused_before:
            fair_seconds, together = FLOOD_SHARE * fair_seconds, 1
        self._refused_before = self.refused
        group: list[_Waiting[Asked, Told]] = []
        while self._line and (len(group) < together or (len(group) + 1) * self._work_seconds <= fair_seconds):
            waiting = self._line.popleft()
            if not waiting.told.done():  # whoever asked has not left
                group.append(waiting)
        self._is_taken = bool(group)
        if group:
            self._do(group, work)


def _done(work: Work[Asked, Told], asked: Sequence[Asked]) -> Sequence[Told | Exception]:
    """What `work` makes of it. Should it fail as a whole, nobody in line waits for ever."""
    try:
        return work(asked)
    except Exception as error:
        return [error] * len(asked)


class Lanes:
    """The lanes of one worker."""

    def __init__(self, most_wait_seconds: float) -> None:
        self.answers: LoopLane[Any, Any] = LoopLane("answers", most_wait_seconds)
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
        *DATA_HEADERS,
    ]
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
