"""A typed client of the prediction service, for a chat backend in Python.

    with Client("http://127.0.0.1:3000", key="handoff_...") as client:
        answer = client.add_message("c-1042", Message(role="customer", text="You charged me twice."))

Every call may be repeated without harm, so a call that met no answer, or a busy service, is tried again until its
time is up: `/predict` reads only what it is sent, a message or an outcome is sent under a key. `AsyncClient` is the
same for asyncio.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from typing import Any, Self, TypeVar

import httpx
import msgspec

from handoff.course import (
    BATCH,
    TIMEOUT_SECONDS,
    Call,
    Course,
    Pause,
    answer_of,
    batch_call,
    course,
    message_call,
    outcome_call,
    predict_call,
)
from handoff.decision import Answer
from handoff.errors import BadInput
from handoff.store import Feedback, Received
from handoff.transcript import Conversation, Customer, Environment, Message, Outcome

T = TypeVar("T")

# How long a call may take with all its repetitions: a chat cannot wait longer for advice.
DEADLINE_SECONDS = 5.0
# A batch of a thousand takes seconds, and is no advice for a chat: how long one may take, with its repetitions.
BATCH_SECONDS = 60.0
_EXAMPLE = "http://127.0.0.1:3000"


class Limits(msgspec.Struct, frozen=True):
    """For how long a client waits, in seconds."""

    one_try: float
    deadline: float
    batch: float

    def course(self, call: Call) -> Course:
        """The course of a call within these limits."""
        one_try, deadline = (self.batch, self.batch) if call.path == BATCH else (self.one_try, self.deadline)
        return course(msgspec.structs.replace(call, seconds=one_try), deadline)


class Client:
    """Calls the service and waits. Safe for several threads; close it, or use it as a context."""

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
        deadline_seconds: float = DEADLINE_SECONDS,
        batch_seconds: float = BATCH_SECONDS,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """`key` is a bearer key of the service; `timeout_seconds` bounds a try, `deadline_seconds` a whole call,
        `batch_seconds` both of a batch: a service that is silent goes on working, and would begin anew at each try."""
        self._limits = Limits(timeout_seconds, deadline_seconds, batch_seconds)
        self._http = httpx.Client(base_url=_address(url), headers=_headers(key), transport=transport, trust_env=False)

    def predict(self, conversation: Conversation, *, explain: bool = False, request_id: str | None = None) -> Answer:
        """Whether the conversation needs a human after its newest message."""
        return self._ask(predict_call(conversation, explain, request_id), Answer)

    def predict_batch(
        self, conversations: Sequence[Conversation], *, explain: bool = False, request_id: str | None = None
    ) -> list[Answer]:
        """The same for many, in their order."""
        return self._ask(batch_call(conversations, explain, request_id), list[Answer])

    def add_message(
        self,
        conversation_id: str,
        message: Message,
        *,
        customer: Customer | None = None,
        environment: Environment | None = None,
        channel: str | None = None,
        locale: str | None = None,
        key: str | None = None,
        explain: bool = False,
        request_id: str | None = None,
    ) -> Answer:
        """The same by the newest message alone; the first one also tells what is known of the customer."""
        beside = {"customer": customer, "environment": environment, "channel": channel, "locale": locale}
        return self._ask(message_call(conversation_id, message, beside, key, explain, request_id), Answer)

    def report_outcome(
        self,
        conversation_id: str,
        *,
        decision: str | None = None,
        agree: bool | None = None,
        outcome: Outcome | None = None,
        key: str | None = None,
    ) -> Received:
        """Say what became of the conversation, or whether somebody agrees with a decision."""
        feedback = Feedback(
            conversation_id=conversation_id, key=key, decision=decision, agree=agree, outcome=outcome
        )  # fmt: skip
        return self._ask(outcome_call(feedback), Received)

    def status(self) -> dict[str, Any]:
        """How the worker that answers is: mode, versions, problems."""
        return self._ask(Call("GET", "/status"), dict[str, Any])

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, call: Call, kind: type[T]) -> T:
        steps = self._limits.course(call)
        came: httpx.Response | httpx.TransportError | None = None
        try:
            while True:
                came = self._do(steps.send(came))
        except StopIteration as done:
            return answer_of(call, done.value, kind)

    def _do(self, step: Call | Pause) -> httpx.Response | httpx.TransportError | None:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        try:
            return self._http.send(_request(self._http, step))
        except httpx.TransportError as error:
            return error


class AsyncClient:
    """The same for asyncio; close it, or use it as an asynchronous context."""

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
        deadline_seconds: float = DEADLINE_SECONDS,
        batch_seconds: float = BATCH_SECONDS,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """As `Client`."""
        self._limits = Limits(timeout_seconds, deadline_seconds, batch_seconds)
        self._http = httpx.AsyncClient(
            base_url=_address(url), headers=_headers(key), transport=transport, trust_env=False
        )

    async def predict(
        self, conversation: Conversation, *, explain: bool = False, request_id: str | None = None
    ) -> Answer:
        """Whether the conversation needs a human after its newest message."""
        return await self._ask(predict_call(conversation, explain, request_id), Answer)

    async def predict_batch(
        self, conversations: Sequence[Conversation], *, explain: bool = False, request_id: str | None = None
    ) -> list[Answer]:
        """The same for many, in their order."""
        return await self._ask(batch_call(conversations, explain, request_id), list[Answer])

    async def add_message(
        self,
        conversation_id: str,
        message: Message,
        *,
        customer: Customer | None = None,
        environment: Environment | None = None,
        channel: str | None = None,
        locale: str | None = None,
        key: str | None = None,
        explain: bool = False,
        request_id: str | None = None,
    ) -> Answer:
        """The same by the newest message alone; the first one also tells what is known of the customer."""
        beside = {"customer": customer, "environment": environment, "channel": channel, "locale": locale}
        return await self._ask(message_call(conversation_id, message, beside, key, explain, request_id), Answer)

    async def report_outcome(
        self,
        conversation_id: str,
        *,
        decision: str | None = None,
        agree: bool | None = None,
        outcome: Outcome | None = None,
        key: str | None = None,
    ) -> Received:
        """Say what became of the conversation, or whether somebody agrees with a decision."""
        feedback = Feedback(
            conversation_id=conversation_id, key=key, decision=decision, agree=agree, outcome=outcome
        )  # fmt: skip
        return await self._ask(outcome_call(feedback), Received)

    async def status(self) -> dict[str, Any]:
        """How the worker that answers is: mode, versions, problems."""
        return await self._ask(Call("GET", "/status"), dict[str, Any])

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _ask(self, call: Call, kind: type[T]) -> T:
        steps = self._limits.course(call)
        came: httpx.Response | httpx.TransportError | None = None
        try:
            while True:
                came = await self._do(steps.send(came))
        except StopIteration as done:
            return answer_of(call, done.value, kind)

    async def _do(self, step: Call | Pause) -> httpx.Response | httpx.TransportError | None:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return None
        try:
            return await self._http.send(_request(self._http, step))
        except httpx.TransportError as error:
            return error


def _address(url: str) -> httpx.URL:
    """Checked here: the transport finds out at each try, and every try would be repeated."""
    shown = url.rpartition("@")[2]  # without a password
    try:
        found = httpx.URL(url)
    except httpx.InvalidURL:
        raise BadInput(f"'{shown}' cannot be read as a URL; expected one such as {_EXAMPLE}") from None
    if found.scheme not in ("http", "https") or not found.host:
        raise BadInput(f"'{shown}' does not begin with http:// or https:// and a host; expected one such as {_EXAMPLE}")
    return found


def _headers(key: str | None) -> dict[str, str]:
    told = {"content-type": "application/json", "accept": "application/json"}
    if key is None:
        return told
    # Checked here: the transport's own complaint would show the key.
    if not re.fullmatch(r"[!-~]+", key.strip()):
        raise BadInput("the key is empty, or holds a character that no key has; expected what 'handoff keys add' shows")
    return told | {"authorization": f"Bearer {key.strip()}"}


def _request(http: httpx.Client | httpx.AsyncClient, call: Call) -> httpx.Request:
    content, query, headers = call.body or None, dict(call.query), dict(call.headers)
    return http.build_request(
        call.method, call.path, content=content, params=query, headers=headers, timeout=call.seconds
    )
