"""HTTP as every route has it: the limits of a body, and answers to bad requests.

A bad request is answered with its status and {"error": "…", "detail": [{"path", "problem", "expected"}]}.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Scope

from handoff.errors import Problem
from serving.roles import MESSAGES, ROLE_OF, UNKNOWN, methods_of

REQUEST_ID = "handoff.request_id"
# The id of the request that is being worked on, for the lines that it causes in the log.
NAMED: ContextVar[str | None] = ContextVar("request_id", default=None)
# Why it was refused, and where in its scope the name of its caller's key stands, for the same.
WHY: ContextVar[str | None] = ContextVar("why", default=None)
KEY = "handoff.key"
# Where the value in the path of MESSAGES waits while the path stands as it is written there.
_CONVERSATION_ID = "handoff.conversation_id"
_IN_PATH = re.compile(rb"/conversations/(.+)/messages", re.DOTALL)
_NO_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Fault(msgspec.Struct, frozen=True):
    """Why a request was refused; `detail` names each field, what is wrong with it and what is expected."""

    error: str
    detail: tuple[Problem, ...] = ()


class Refused(Exception):
    """A request that cannot be answered: the HTTP status, why, and after how many seconds to try again."""

    def __init__(
        self,
        status: int,
        error: str,
        *detail: Problem,
        retry_after: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(error)
        self.status, self.retry_after = status, retry_after
        self.fault = Fault(_sendable(error), tuple(_sendable_problem(problem) for problem in detail))
        self.headers = dict(headers or {})


def _sendable(text: str) -> str:
    """The text with halves of surrogate pairs written out, which a body may hold and no answer can."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _sendable_problem(problem: Problem) -> Problem:
    return Problem(_sendable(problem.path), _sendable(problem.problem), _sendable(problem.expected))


class _JsonResponse(Response):
    """As Starlette's, which takes ten times as long to see that none of its two headers was given."""

    def __init__(self, body: bytes, status: int) -> None:
        self.body, self.status_code, self.background = body, status, None
        self.raw_headers = [(b"content-length", b"%d" % len(body)), (b"content-type", b"application/json")]


def json_response(value: Any, status: int = 200) -> Response:
    """`value` as JSON."""
    return _JsonResponse(msgspec.json.encode(value), status)


def refusal(refused: Refused) -> Response:
    """The answer to a request that was refused."""
    WHY.set(refused.fault.error)
    response = json_response(refused.fault, refused.status)
    response.headers.update(refused.headers)
    if refused.retry_after is not None:
        response.headers["retry-after"] = str(refused.retry_after)
    return response


def request_id(request: Request) -> str:
    """The caller's `x-request-id`, or the one that was made for this request."""
    return str(request.scope[REQUEST_ID])


def conversation_id(request: Request) -> str:
    """The conversation that the path names. Raises `Refused` where it is not percent-encoded UTF-8: made into something
    readable, different ids would become one."""
    raw: bytes = request.scope[_CONVERSATION_ID]
    if _NO_ESCAPE.search(raw):
        raise _not_an_id("a % without two hexadecimal digits")
    try:
        return unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        raise _not_an_id("bytes that are no UTF-8") from None


def with_plain_path(scope: Scope) -> Scope:
    """The scope with the route's own name for a path, so that no metric counts every conversation by itself."""
    path = scope.get("path", "")
    if path in ROLE_OF and (path != MESSAGES or _CONVERSATION_ID in scope):
        return scope
    found = _IN_PATH.fullmatch(scope["raw_path"])
    if found is None:
        return {**scope, "path": UNKNOWN, "raw_path": UNKNOWN.encode()}
    return {**scope, "path": MESSAGES, "raw_path": MESSAGES.encode(), _CONVERSATION_ID: found[1]}


def _not_an_id(found: str) -> Refused:
    return Refused(400, "The path is not usable", Problem("conversation_id", found, "percent-encoded UTF-8"))


def check_route(path: str, method: str) -> None:
    """Raise `Refused`: 404 where there is no such route, 405 where it does not take the method."""
    if path not in ROLE_OF:
        raise Refused(404, "There is no such route", Problem("", "an unknown path", "a route that /docs lists"))
    methods = methods_of(path)
    if method not in methods:
        allowed = ", ".join(methods)
        problem = Problem("", method[:20], allowed)
        raise Refused(405, "This route does not take this method", problem, headers={"allow": allowed})


async def read_body(request: Request, limit: int, seconds: float) -> bytes:
    """The body, read no further than `limit` bytes and for no longer than `seconds`.

    Raises `Refused`: 413 when it is larger, 408 when it takes longer, 400 when it is empty or the caller leaves before
    its end.
    """
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdecimal() and int(declared) > limit:
        raise _too_large(f"{int(declared):,} bytes", limit)
    chunks, size = [], 0
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                size += len(chunk)
                if size > limit:
                    raise _too_large(f"more than {limit:,} bytes", limit)
                chunks.append(chunk)
    except TimeoutError:
        problem = Problem("", f"{size:,} bytes so far", f"the whole body within {seconds:g} seconds")
        raise Refused(408, "The body does not come", problem) from None
    except ClientDisconnect:  # nobody will read this answer; it keeps the log and the metrics free of false alarms
        raise Refused(400, "The body was cut short", Problem("", f"{size:,} bytes", "the whole body")) from None
    body = b"".join(chunks).removeprefix(_BYTE_ORDER_MARK)
    if not body:
        raise Refused(400, "The body is empty", Problem("", "an empty body", "JSON"))
    return body


def _too_large(found: str, limit: int) -> Refused:
    return Refused(413, "The body is too large", Problem("", found, f"at most {limit:,} bytes"))
