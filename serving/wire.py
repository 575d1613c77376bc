"""Connections that cannot be held open for nothing: limits that uvicorn leaves to a proxy in front of it.

A head of a request that comes too slowly is answered 408, one that grows too large 431, and a connection too many is
turned away with 503. Bodies and whole requests have their limits in http.py and guard.py.
"""

from __future__ import annotations

import asyncio
from functools import cache
from typing import Any

import uvicorn.protocols.http.auto as auto

from handoff.settings import Settings, read_settings

_limits = cache(read_settings)


def bound_connections() -> None:
    """Let every server that this process starts from now on keep to the limits in the settings."""
    if not hasattr(auto.AutoHTTPProtocol, "is_bounded"):
        auto.AutoHTTPProtocol = _bounded(auto.AutoHTTPProtocol)


def _bounded(protocol: Any) -> type[asyncio.Protocol]:
    """uvicorn's protocol, of whichever parser is installed, with limits. Both keep the newest request in `cycle`."""

    class Bounded(protocol):  # type: ignore[misc]
        is_bounded = True

        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            self.limits: Settings = _limits()
            self.timeout_keep_alive = self.limits.keep_alive_seconds
            self.head_bytes = 0
            self.head_timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            if len(self.connections) > self.limits.max_connections:
                self.turn_away(b"503 Service Unavailable", b"Too many connections")
            else:
                self.wait_for_head()

        def connection_lost(self, error: Exception | None) -> None:
            self.stop_waiting()
            super().connection_lost(error)

        def data_received(self, data: bytes) -> None:
            if self.transport.is_closing():
                return
            before = self.cycle
            super().data_received(data)
            if self.cycle is not before:  # a head is complete
                self.stop_waiting()
            elif before is None or before.response_complete:  # part of a head, or of a body that nobody reads
                self.head_bytes += len(data)
                self.wait_for_head()
                if self.head_bytes > self.limits.max_header_bytes:
                    self.turn_away(b"431 Request Header Fields Too Large", b"The head is too large")

        def wait_for_head(self) -> None:
            if self.head_timer is None:
                late = (b"408 Request Timeout", b"The head does not come")
                self.head_timer = self.loop.call_later(self.limits.head_seconds, self.turn_away, *late)

        def stop_waiting(self) -> None:
            self.head_bytes = 0
            if self.head_timer is not None:
                self.head_timer.cancel()
                self.head_timer = None

        def turn_away(self, status: bytes, why: bytes) -> None:
            self.stop_waiting()
            if self.transport.is_closing():
                return
            body = b'{"error":"%b","detail":[]}' % why
            head = b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
            if self.cycle is None or self.cycle.response_complete:
                self.transport.write(head % (status, len(body)) + body)
            self.transport.close()

    return Bounded
