"""What a caller hears whose request is not answered in time."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from starlette.types import Message, Receive, Scope, Send

from serving.guard import Guard

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
