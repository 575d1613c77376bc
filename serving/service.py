"""The prediction service: `handoff serve`, or `bentoml serve serving.service:HandoffService`."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import traceback
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import bentoml
import msgspec
from bentoml import IODescriptor
from starlette.requests import Request
from starlette.responses import Response

from handoff.decision import Answer
from handoff.errors import Problem
from handoff.settings import read_settings
from handoff.store import Received
from serving.admission import lanes_of_worker
from serving.bodies import many_conversations, one_conversation, one_feedback, one_message
from serving.current import CurrentJudge, Decided
from serving.front import put_in_front
from serving.gate import gate_of_worker
from serving.http import Fault, Refused, conversation_id, json_response, read_body, refusal, request_id
from serving.lean import import_lightgbm_alone
from serving.ledger import Ledger
from serving.metrics import Gauges, metrics_of_worker
from serving.records import Rules, Status, rule_records
from serving.roles import MESSAGES
from serving.routes import get_routes
from serving.wire import bound_connections

T = TypeVar("T")

LOOKS_FOR_CHAMPION_SECONDS = 1.0
# A body over this is worked on beside the event loop, so that no long conversation keeps the others waiting.
LONG_BODY_BYTES = 128 * 1024
# Guard gives up earlier, and says more.
REQUEST_SECONDS = 3_600

log = logging.getLogger("bentoml.handoff")


class Body(IODescriptor):
    """A body that BentoML hands to the endpoint as it came: our own parser checks it, and says more."""

    __root_input__ = True

    @classmethod
    async def from_http_request(cls, request: Request, serde: Any) -> Request:
        return request


class ConversationBody(Body):
    """A conversation; documented in /docs.json."""


class BatchBody(Body):
    """A list of conversations; documented in /docs.json."""


class MessageBody(Body):
    """One message; documented in /docs.json."""


class OutcomeBody(Body):
    """What became of a conversation; documented in /docs.json."""


@bentoml.service(
    name="HandoffService",
    workers=1,
    http={"host": "127.0.0.1"},
    traffic={"timeout": REQUEST_SECONDS},
    logging={"access": {"enabled": False}},
)
@bentoml.asgi_app(get_routes(), path="/")
class HandoffService:
    """Says after every message whether a conversation needs a human, why, who should take it, and how soon."""

    def __init__(self) -> None:
        self.settings = read_settings()
        import_lightgbm_alone()
        self.current = CurrentJudge(self.settings)
        self.rules: Rules = rule_records(self.current.judge.rules, self.current.judge.policy)
        self.lanes = lanes_of_worker()
        self._beside = ThreadPoolExecutor(1, "beside")
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
        _settle_memory()

    @bentoml.on_startup
    async def start_watching(self) -> None:
        """Look for newly promoted versions from now on."""
        self._watching = asyncio.create_task(self._watch())

    @bentoml.on_shutdown
    async def stop_watching(self) -> None:
        """Stop looking, and store what is in line."""
        self._watching.cancel()
        self._beside.shutdown(wait=False, cancel_futures=True)
        await asyncio.get_running_loop().run_in_executor(None, self.ledger.close)

    @bentoml.api(route="/predict", input_spec=ConversationBody, output_spec=Body)
    async def predict(self, request: Request) -> Response:
        """Whether the conversation needs a human after its newest message."""
        return await self.post("/predict", request)

    @bentoml.api(route="/predict_batch", input_spec=BatchBody, output_spec=Body)
    async def predict_batch(self, request: Request) -> Response:
        """The same for many conversations, in their order."""
        return await self.post("/predict_batch", request)

    @bentoml.api(route=MESSAGES, input_spec=MessageBody, output_spec=Body)
    async def add_message(self, request: Request) -> Response:
        """The same, by the newest message alone: the ones before it are in the store."""
        return await self.post(MESSAGES, request)

    @bentoml.api(route="/outcomes", input_spec=OutcomeBody, output_spec=Body)
    async def report_outcome(self, request: Request) -> Response:
        """Take in what became of a conversation, or whether somebody agrees with a decision."""
        return await self.post("/outcomes", request)

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

    async def __is_ready__(self) -> bool:
        return self.current.is_ready()

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
            decisions_waiting=self.ledger.decisions_waiting,
            requests_waiting=self.ledger.requests_waiting,
            refused={lane.name: lane.refused for lane in self.lanes.all()},
            cache_hits=self.current.cache_hits(),
        )

    async def _predict(self, request: Request) -> Answer:
        explain, name = _wants_all_indicators(request), request_id(request)
        with self.metrics.timed("read_body"):
            body = await read_body(request, self.settings.max_body_bytes, self.settings.body_seconds)

        def work() -> list[Decided]:
            conversation = one_conversation(body, self.settings)
            return [self.current.decide_one(conversation, explain=explain, request_id=name)]

        if len(body) < LONG_BODY_BYTES:
            async with self.lanes.answers.turn():
                with self.metrics.timed("decide"):
                    decided = work()
        else:
            with self.metrics.timed("decide"):
                decided = await self._aside(work)
        await self._keep(decided)
        return decided[0].answer

    async def _predict_batch(self, request: Request) -> list[Answer]:
        explain, name = _wants_all_indicators(request), request_id(request)
        with self.metrics.timed("read_body"):
            body = await read_body(request, self.settings.max_batch_bytes, self.settings.body_seconds)

        def work() -> list[Decided]:
            conversations = many_conversations(body, self.settings)
            return self.current.decide(conversations, explain=explain, request_id=name)

        with self.metrics.timed("decide"):
            decided = await self._aside(work)
        await self._keep(decided)
        return [each.answer for each in decided]

    async def _keep(self, decided: Sequence[Decided]) -> None:
        """Count the decisions and log them."""
        self.metrics.answered([each.answer for each in decided])
        with self.metrics.timed("store"):
            await self.ledger.log(decided)

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
        reported = (await self.ledger.report(lambda: one_feedback(body, self.settings))).reported
        return Received(reported.feedback.conversation_id, reported.feedback.key or "", reported.at)

    def _check_store_is_on(self) -> None:
        if not self.ledger.is_on:
            problem = Problem("HANDOFF_STORE", "none", "a database URL")
            raise Refused(404, "This service keeps nothing, so there is no such route", problem)

    async def _aside(self, work: Callable[[], T]) -> T:
        async with self.lanes.beside.turn():
            return await asyncio.get_running_loop().run_in_executor(self._beside, work)

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(LOOKS_FOR_CHAMPION_SECONDS)
            if self.settings.supervisor not in (None, os.getppid()):
                # Killed without a chance to stop its workers. They would go on holding the port.
                signal.raise_signal(signal.SIGTERM)
            if self.current.changed():
                await loop.run_in_executor(None, self._reload)
            if self.ledger.problems:
                await loop.run_in_executor(None, self.ledger.look_again)
            self.metrics.look(self._gauges())

    def _reload(self) -> None:
        self.current.refresh()
        _settle_memory()


def _wants_all_indicators(request: Request) -> bool:
    """Whether `?explain=always` was given. Raises `Refused` for another value."""
    if (query := request.scope["query_string"]) in (b"", b"explain=always"):  # as nearly all are
        return bool(query)
    explain = request.query_params.get("explain")
    if explain not in (None, "always"):
        problem = Problem("?explain", explain[:40], "always, or leave it out")
        raise Refused(400, "The query is not usable", problem)
    return explain is not None


def _settle_memory() -> None:
    """Take what was loaded out of the collector's sight: at 8 callers p99 fell from 118 ms to 9 (FACTS)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)


bound_connections()
put_in_front()
