"""What a caller hears whose request is not answered in time."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from serving.guard import LARGEST_BODIES, Guard

SCOPE = {
    "type": "http",
    "method": "POST",
    "path": "/predict",
    "raw_path": b"/predict",
    "query_string": b"",
    "headers": [(b"host", b"localhost"), (b"x-request-id", b"r-1")],
    "server": ("127.0.0.1", 3000),
}


async def endless(scope: Scope, receive: Receive, send: Send) -> None:
    await asyncio.sleep(60)


async def nothing_comes() -> Message:
    raise AssertionError("nobody reads the body")


async def asked(cancel_after: float | None) -> list[dict[str, Any]]:
    """What is sent in answer, where the server gives up on the request after so many seconds."""
    sent: list[dict[str, Any]] = []

    async def send(message: Message) -> None:
        sent.append(dict(message))

    asking = asyncio.create_task(Guard(endless)(dict(SCOPE), nothing_comes, send))
    if cancel_after is not None:
        await asyncio.sleep(cancel_after)
        asking.cancel()
    await asking
    return sent


@pytest.mark.parametrize(
    ("cancel_after", "error"), [(None, "Answering takes too long"), (0.05, "The service is stopping")]
)
def test_it_is_told_to_come_again(monkeypatch: pytest.MonkeyPatch, cancel_after: float | None, error: str) -> None:
    monkeypatch.setenv("HANDOFF_REQUEST_SECONDS", "1")
    start, body = asyncio.run(asked(cancel_after))
    headers = dict(start["headers"])
    assert (start["status"], headers[b"retry-after"], headers[b"x-request-id"]) == (503, b"1", b"r-1")
    assert msgspec.json.decode(body["body"])["error"] == error


def test_bodies_that_would_take_too_much_memory_together_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HANDOFF_MAX_BODY_BYTES", "HANDOFF_MAX_BATCH_BYTES"):
        monkeypatch.setenv(name, "100")
    statuses, held = asyncio.run(many_bodies())
    assert statuses == [200] * LARGEST_BODIES + [503, 200]
    assert held == 0


async def many_bodies() -> tuple[list[int], int]:
    """What is answered to as many of the largest bodies at once as may be, one more, and one later; and the bytes that
    are still held then."""
    go_on = asyncio.Event()

    async def reads_and_waits(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await go_on.wait()
        await Response()(scope, receive, send)

    guard = Guard(reads_and_waits)

    async def one() -> int:
        statuses = list[int]()

        async def body() -> Message:
            return {"type": "http.request", "body": b"x" * 100, "more_body": False}

        async def send(message: Message) -> None:
            statuses.extend([message["status"]] if "status" in message else [])

        await guard(dict(SCOPE), body, send)
        return statuses[0]

    first = [asyncio.create_task(one()) for _ in range(LARGEST_BODIES)]
    await asyncio.sleep(0)
    refused = await one()
    go_on.set()
    answered = [await asking for asking in first]
    return [*answered, refused, await one()], guard._bodies.held
