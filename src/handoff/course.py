"""What a client sends to the service, and when it tries again: without a socket, so for any of them."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Generator, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from handoff.errors import BadInput, Problem, RequestRefused, ServiceUnavailable
from handoff.store import Feedback
from handoff.transcript import Conversation, Customer, Environment, Message

T = TypeVar("T")

# A whole answer takes about a millisecond; a service that needs this long is not there.
TIMEOUT_SECONDS = 2.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.05, 1.0
SHORTEST_TRY_SECONDS = 0.01
# Too busy, or behind a proxy that found nobody: worth another try.
TRY_AGAIN = (429, 502, 503, 504)
BATCH = "/predict_batch"


class Call(msgspec.Struct, frozen=True):
    """One request, the same at every try, and for how long its answer is waited for."""

    method: str
    path: str
    body: bytes = b""
    query: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}
    seconds: float = TIMEOUT_SECONDS


class Pause(msgspec.Struct, frozen=True):
    """Wait so long, then go on."""

    seconds: float


class _Refusal(msgspec.Struct, frozen=True):
    error: str = "no reason given"
    detail: tuple[Problem, ...] = ()


# What a call goes through: it asks for requests and pauses, is told what came of each request, and ends in a body.
Course = Generator[Call | Pause, httpx.Response | httpx.TransportError | None, bytes]


def course(call: Call, deadline_seconds: float, clock: Any = time.monotonic) -> Course:
    """Try the call until it is answered, refused for good, or out of time.

    Pauses double from 50 ms, each shortened by chance so that callers do not come back all at once; `Retry-After`
    is obeyed. No try outlasts the deadline. Raises `RequestRefused` and `ServiceUnavailable`.
    """
    end, pause, tries = clock() + deadline_seconds, FIRST_PAUSE_SECONDS, 0
    while True:
        tries += 1
        left = max(end - clock(), SHORTEST_TRY_SECONDS)  # a pause may have overslept
        came = yield msgspec.structs.replace(call, seconds=min(call.seconds, left))
        if isinstance(came, httpx.Response) and came.status_code not in TRY_AGAIN:
            return _content(came)
        wait = max(_asked_to_wait(came), pause * random.uniform(0.5, 1.0))
        if clock() + wait >= end:
            raise ServiceUnavailable(f"{call.method} {call.path}: {_what(came)}, after {tries} tries; see its /status")
        yield Pause(wait)
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


def _content(response: httpx.Response) -> bytes:
    if response.is_success:
        return response.content
    try:
        refusal = msgspec.json.decode(response.content, type=_Refusal)
    except msgspec.DecodeError:
        refusal = _Refusal(response.text[:200])
    raise RequestRefused(response.status_code, refusal.error, refusal.detail)


def _asked_to_wait(came: httpx.Response | httpx.TransportError | None) -> float:
    """Seconds of `Retry-After`, which may also be a date: that one is not obeyed."""
    given = came.headers.get("retry-after", "") if isinstance(came, httpx.Response) else ""
    return float(given) if given.isdecimal() else 0.0


def _what(came: httpx.Response | httpx.TransportError | None) -> str:
    return f"status {came.status_code}" if isinstance(came, httpx.Response) else f"{type(came).__name__}: {came}"


def predict_call(conversation: Conversation, explain: bool, request_id: str | None) -> Call:
    """Ask about a whole conversation."""
    return Call("POST", "/predict", msgspec.json.encode(conversation), _query(explain), _named(request_id))


def batch_call(conversations: Sequence[Conversation], explain: bool, request_id: str | None) -> Call:
    """Ask about many whole conversations."""
    return Call("POST", BATCH, msgspec.json.encode(conversations), _query(explain), _named(request_id))


def message_call(
    conversation_id: str,
    message: Message,
    beside: Mapping[str, Customer | Environment | str | None],
    key: str | None,
    explain: bool,
    request_id: str | None,
) -> Call:
    """Send the newest message. Without `message_id` and `key` it is sent under a key of its own."""
    if conversation_id in (".", ".."):
        raise BadInput(f"conversation_id '{conversation_id}': no URL can name it; expected another id")
    told = {name: value for name, value in beside.items() if value is not None}
    body = msgspec.json.encode(msgspec.to_builtins(message) | told)
    if key is None and message.message_id is None:
        key = uuid.uuid4().hex
    headers = _named(request_id) | ({"idempotency-key": _sendable("key", key)} if key is not None else {})
    path = f"/conversations/{quote(conversation_id, safe='')}/messages"
    return Call("POST", path, body, _query(explain), headers)


def outcome_call(feedback: Feedback) -> Call:
    """Report what happened. The same content is stored once."""
    return Call("POST", "/outcomes", msgspec.json.encode(feedback))


def _query(explain: bool) -> dict[str, str]:
    return {"explain": "always"} if explain else {}


def _named(request_id: str | None) -> dict[str, str]:
    return {"x-request-id": _sendable("request_id", request_id)} if request_id is not None else {}


def _sendable(name: str, value: str) -> str:
    """Raises `BadInput` for what no header can carry."""
    if not (value.isascii() and value.isprintable()):
        raise BadInput(f"{name} '{value}': a header cannot carry it; expected printable ASCII characters")
    return value


def answer_of(call: Call, content: bytes, kind: type[T]) -> T:
    """What the body of an answer says. Raises `ServiceUnavailable` for what this service does not say."""
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        problem = (
            f"answered with {content[:100]!r}, which is no answer of this service; look at the URL, and at proxies"
        )
        raise ServiceUnavailable(f"{call.method} {call.path}: {problem}") from None
