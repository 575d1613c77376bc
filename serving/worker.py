"""What a worker of the service does: it answers predictions, takes in messages and outcomes, and looks for new models.

Kept apart from service.py, which the process that starts the workers imports too.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import time
import traceback
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Event
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from handoff.decision import Answer
from handoff.errors import Problem
from handoff.settings import read_settings
from handoff.store import ESCALATING, DecisionRecord, Received, decision_record
from serving.admission import lanes_of_worker
from serving.batch import Told, parts_of, together, work_on
from serving.bodies import one_conversation, one_feedback, one_message
from serving.current import Ask, CurrentJudge, Decided
from serving.gate import gate_of_worker
from serving.hands import Hands
from serving.http import Fault, Refused, conversation_id, json_response, read_body, refusal, request_id
from serving.lean import import_lightgbm_alone, settle_memory
from serving.ledger import Ledger
from serving.metrics import Gauges, metrics_of_worker
from serving.records import Rules, Status, rule_records
from serving.roles import MESSAGES

T = TypeVar("T")

LOOKS_FOR_CHAMPION_SECONDS = 1.0
# A body over this is worked on beside the event loop, so that no long conversation keeps the others waiting.
LONG_BODY_BYTES = 128 * 1024

log = logging.getLogger("bentoml.handoff")


class Worker:
    """Models, rules and store of one process, and the routes that answer by them."""

    def __init__(self) -> None:
        self.settings = read_settings()
        import_lightgbm_alone()
        self.current = CurrentJudge(self.settings)
        self.rules: Rules = rule_records(self.current.judge.rules, self.current.judge.policy)
        self.lanes = lanes_of_worker()
        self._beside, self._hands = ThreadPoolExecutor(1, "beside"), Hands(self.settings)
        self.current.refresh()
        self.ledger = Ledger(self.settings, self.current, self.lanes.store)
        self.metrics = metrics_of_worker()
        self.metrics.look(self._gauges())
        self.posts: dict[str, Callable[[Request], Awaitable[Any]]] = {
            "/predict": self._predict,
            "/predict_batch": self._predict_batch,
            MESSAGES: self._add_message,
            "/outcomes": self._report_outcome,
        }
        self._tell_of_start()
        settle_memory()

    def start_watching(self) -> None:
        """Look for newly promoted versions from now on."""
        self._watching = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """Stop looking, and store what is in line."""
        self._watching.cancel()
        self._beside.shutdown(wait=False, cancel_futures=True)
        self._hands.close()
        await asyncio.get_running_loop().run_in_executor(None, self.ledger.close)

    async def post(self, route: str, request: Request) -> Response:
        """The answer of one of `posts`."""
        try:
            return json_response(await self.posts[route](request))
        except Refused as refused:
            return refusal(refused)
        except Exception as error:
            # Whoever logged the error's own words might quote a customer.
            log.error("%s\n%s", type(error).__name__, "".join(traceback.format_tb(error.__traceback__)))
            return json_response(Fault("The service failed on this request; its log says where"), 500)

    def status(self) -> Status:
        """How this worker is."""
        status = self.current.status(os.getpid())
        keys = gate_of_worker().trouble
        beside = (*self.ledger.problems, *(() if keys is None else (keys,)))
        return msgspec.structs.replace(status, problems=(*status.problems, *beside))

    def _gauges(self) -> Gauges:
        return Gauges(
            versions=self.current.judge.versions,
            problems=frozenset(trouble.part for trouble in self.status().problems),
            waiting=self.ledger.waiting,
            refused={lane.name: lane.refused for lane in self.lanes.all()},
            cache_hits=self.current.cache_hits(),
        )

    async def _predict(self, request: Request) -> Answer:
        explain, name = _wants_all_indicators(request), request_id(request)
        with self.metrics.timed("read_body"):
            body = await read_body(request, self.settings.max_body_bytes, self.settings.body_seconds)

        ask = Ask(lambda: one_conversation(body, self.settings), explain, name)
        if len(body) < LONG_BODY_BYTES:
            decided: Decided = await self.lanes.answers.ask(ask, self._decide_each)
        else:
            [told] = await self._aside(request, lambda _: self._decide_each([ask]))
            if isinstance(told, Exception):
                raise told
            decided = told
        await self._keep_one(decided)
        return decided.answer

    def _decide_each(self, asks: Sequence[Ask]) -> list[Decided | Exception]:
        started = time.perf_counter()
        told = self.current.decide_each(asks)
        seconds = (time.perf_counter() - started) / len(asks)
        for _ in asks:
            self.metrics.took("decide", seconds)
        return told

    async def _predict_batch(self, request: Request) -> msgspec.Raw:
        explain, name = _wants_all_indicators(request), request_id(request)
        with self.metrics.timed("read_body"):
            body = await read_body(request, self.settings.max_batch_bytes, self.settings.body_seconds)

        def work(given_up: Event) -> tuple[list[Told], msgspec.Raw]:
            judge = self.current.judge
            parts = parts_of(body, self.settings, judge, explain=explain, request_id=name)
            told = self._hands.work(parts, lambda part: work_on(part, self.current, judge, self.settings), given_up)
            return told, together(told)

        with self.metrics.timed("decide"):
            told, encoded = await self._aside(request, work)
        for failure in filter(None, (each.failure for each in told)):
            self.current.note_failure_beside(failure)
        await self._keep([record for each in told for record in each.records])
        return encoded

    async def _keep_one(self, decided: Decided) -> None:
        """The same for one answer, which does not wait for what can be done after it."""
        at, answer = datetime.now(UTC), decided.answer

        def record() -> DecisionRecord:
            return decision_record(answer, decided.standing, at, {"answer": decided.milliseconds})

        if answer.recommendation.action in ESCALATING:
            await self._keep([record()])
            return
        self.metrics.answered([answer])
        self.ledger.log_soon(record)

    async def _keep(self, records: Sequence[DecisionRecord]) -> None:
        """Count the answers and log the decisions."""
        self.metrics.answered([record.answer for record in records])
        with self.metrics.timed("store"):
            await self.ledger.log(records)

    async def _add_message(self, request: Request) -> Answer:
        self._check_store_is_on()
        explain, name, conversation = _wants_all_indicators(request), request_id(request), conversation_id(request)
        body = await read_body(request, self.settings.max_body_bytes, self.settings.body_seconds)
        key = request.headers.get("idempotency-key")
        with self.metrics.timed("store"):
            answer = await self.ledger.add(
                lambda: one_message(conversation, body, self.settings), key=key, explain=explain, request_id=name
            )
        self.metrics.answered([answer])
        return answer

    async def _report_outcome(self, request: Request) -> Received:
        self._check_store_is_on()
        body = await read_body(request, self.settings.max_body_bytes, self.settings.body_seconds)
        recorded = await self.ledger.report(lambda: one_feedback(body, self.settings))
        if recorded.is_new and not recorded.is_known:
            log.info("an outcome was stored for a conversation or a decision that the store does not know, or not yet")
        reported = recorded.reported
        return Received(reported.feedback.conversation_id, reported.feedback.key or "", reported.at)

    def _check_store_is_on(self) -> None:
        if not self.ledger.is_on:
            problem = Problem("HANDOFF_STORE", "none", "a database URL")
            raise Refused(404, "This service keeps nothing, so there is no such route", problem)

    async def _aside(self, request: Request, work: Callable[[Event], T]) -> T:
        """`work` in the thread beside the event loop, which is told when nobody waits for it any more. It is in its
        lane for as long as it keeps others waiting: until it has stopped. Raises `Refused` when the caller hangs up."""
        given_up = Event()

        def wanted() -> T:
            if given_up.is_set():
                raise CancelledError
            return work(given_up)

        async def in_turn() -> T:
            async with self.lanes.beside.turn():
                return await asyncio.get_running_loop().run_in_executor(self._beside, wanted)

        working, hung_up = asyncio.create_task(in_turn()), asyncio.create_task(_hung_up(request))
        try:
            await asyncio.wait((working, hung_up), return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise Refused(400, "The caller has hung up")
            return working.result()
        finally:
            hung_up.cancel()
            if not working.done():
                given_up.set()
                working.add_done_callback(lambda done: done.cancelled() or done.exception())

    def _tell_of_start(self) -> None:
        died = self.metrics.died
        fields = {"versions": self.current.judge.versions, "died": died}
        if died:
            log.warning("worker started in place of one that died; %d have so far", len(died), extra={"fields": fields})
        else:
            log.info("worker started", extra={"fields": fields})

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(LOOKS_FOR_CHAMPION_SECONDS)
            if self.settings.supervisor not in (None, os.getppid()):
                # Killed without a chance to stop its workers. They would go on holding the port.
                signal.raise_signal(signal.SIGTERM)
            if self.current.changed():
                await loop.run_in_executor(None, self._reload)
            if self.ledger.problems or self.ledger.waiting["messages"]:
                await loop.run_in_executor(None, self.ledger.look_again)
            self.metrics.look(self._gauges())

    def _reload(self) -> None:
        self.current.refresh()
        gc.collect()
        settle_memory()


async def _hung_up(request: Request) -> None:
    """Returns when the caller, whose body was read, has closed the connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _wants_all_indicators(request: Request) -> bool:
    """Whether `?explain=always` was given. Raises `Refused` for another value."""
    if (query := request.scope["query_string"]) in (b"", b"explain=always"):  # as nearly all are
        return bool(query)
    explain = request.query_params.get("explain")
    if explain not in (None, "always"):
        problem = Problem("?explain", explain[:40], "always, or leave it out")
        raise Refused(400, "The query is not usable", problem)
    return explain is not None
