"""Answers leave in one piece: what is written in one turn of the event loop is sent together."""

from __future__ import annotations

import asyncio

from serving.wire import OnePiece


class Transport:
    """Notes what is sent."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.is_closed = False

    def write(self, data: bytes) -> None:
        self.sent.append(data)

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True

    def pause_reading(self) -> str:
        return "paused"


def test_what_is_written_in_one_turn_is_sent_together_and_in_order() -> None:
    async def write() -> list[bytes]:
        transport = Transport()
        one = OnePiece(transport, asyncio.get_running_loop())  # type: ignore[arg-type]
        one.write(b"head")
        one.write(b"body")
        assert transport.sent == []
        await asyncio.sleep(0)
        one.write(b"next")
        await asyncio.sleep(0)
        return transport.sent

    assert asyncio.run(write()) == [b"headbody", b"next"]


def test_closing_sends_what_is_held_first_and_nothing_after() -> None:
    async def close() -> Transport:
        transport = Transport()
        one = OnePiece(transport, asyncio.get_running_loop())  # type: ignore[arg-type]
        one.write(b"last")
        one.close()
        one.write(b"too late")
        await asyncio.sleep(0)
        return transport

    closed = asyncio.run(close())
    assert (closed.sent, closed.is_closed) == ([b"last"], True)


def test_all_else_is_the_transports_own() -> None:
    async def ask() -> str:
        return str(OnePiece(Transport(), asyncio.get_running_loop()).pause_reading())  # type: ignore[arg-type]

    assert asyncio.run(ask()) == "paused"
