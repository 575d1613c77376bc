"""HTTP as every route has it: the limits of a body, and answers to bad requests.

A bad request is answered with its status and {"error": "…", "detail": [{"path", "problem", "expected"}]}.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Scope

from handoff.errors import Problem
from serving.roles import MESSAGES, ROLE_OF, UNKNOWN

REQUEST_ID = "handoff.request_id"
# The id of the request that is being worked on, for the lines that it causes in the log.
NAMED: ContextVar[str | None] = ContextVar("request_id", default=None)
# Where the value in the path of MESSAGES waits while the path stands as it is written there.
_CONVERSATION_ID = "handoff.conversation_id"
_IN_PATH = re.compile(r"/conversations/(.+)/messages", re.DOTALL)


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


def json_response(value: Any, status: int = 200) -> Response:
    """`value` as JSON."""
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def refusal(refused: Refused) -> Response:
    """The answer to a request that was refused."""
    response = json_response(refused.fault, refused.status)
    response.headers.update(refused.headers)
    if refused.retry_after is not None:
        response.headers["retry-after"] = str(refused.retry_after)
    return response


def request_id(request: Request) -> str:
    """The caller's `x-request-id`, or the one that was made for this request."""
    return str(request.scope[REQUEST_ID])


def conversation_id(request: Request) -> str:
    """The conversation that the path names."""
    return str(request.scope[_CONVERSATION_ID])


def with_plain_path(scope: Scope) -> Scope:
    """The scope with the route's own name for a path, so that no metric counts every conversation by itself."""
    path = scope.get("path", "")
    if path in ROLE_OF and (path != MESSAGES or _CONVERSATION_ID in scope):
        return scope
    found = _IN_PATH.fullmatch(path)
    if found is None:
        return {**scope, "path": UNKNOWN, "raw_path": UNKNOWN.encode()}
    return {**scope, "path": MESSAGES, "raw_path": MESSAGES.encode(), _CONVERSATION_ID: found[1]}


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
    if size == 0:
        raise Refused(400, "The body is empty", Problem("", "an empty body", "JSON"))
    return b"".join(chunks)


def _too_large(found: str, limit: int) -> Refused:
    return Refused(413, "The body is too large", Problem("", found, f"at most {limit:,} bytes"))
