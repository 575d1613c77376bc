"""Connections that cannot be held open for nothing, limits that uvicorn leaves to a proxy in front of it, and answers
that leave in one piece.

A head of a request that comes too slowly is answered 408, one that grows too large 431, bytes that are no request 400,
and a connection too many is turned away with 503. Bodies and whole requests have their limits in http.py and guard.py.
"""

from __future__ import annotations

import asyncio
import re
from functools import cache
from typing import Any

import uvicorn.protocols.http.auto as auto

from handoff.settings import Settings, read_settings
from serving.guard import DATA_HEADERS, usable_id
from serving.metrics import metrics_of_worker

_limits = cache(read_settings)
# Java's client offers to speak HTTP/2, and sends a body with it, which uvicorn then takes for another protocol's.
_OFFER = re.compile(rb"\r\nupgrade:(?=[ \t]*h2c[ \t]*\r\n)", re.IGNORECASE)


def bound_connections() -> None:
    """Let every server that this process starts from now on keep to the limits in the settings."""
    protocol: Any = auto.AutoHTTPProtocol  # of whichever parser is installed
    if not issubclass(protocol, Bounds):
        auto.AutoHTTPProtocol = type("BoundedProtocol", (Bounds, protocol), {})


class Bounds(asyncio.Protocol):
    """What is put before uvicorn's protocol, which keeps the newest request in `cycle`."""

    cycle: Any
    connections: set[Any]
    loop: asyncio.AbstractEventLoop
    transport: Any
    timeout_keep_alive_handler: Any

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.limits: Settings = _limits()
        self.timeout_keep_alive = self.limits.keep_alive_seconds
        self.access_log = False  # uvicorn's own, which nobody sees: requests are logged by logs.py
        self.head_bytes = 0
        self.head_timer: asyncio.TimerHandle | None = None
        self.expects_body = False

    def connection_made(self, transport: Any) -> None:
        super().connection_made(OnePiece(transport, self.loop))  # type: ignore[arg-type]
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
        if not self.expects_body and b"h2c" in data:
            data = _without_offer(data)
        before = self.cycle
        is_late_body = before is not None and before.response_complete and self.expects_body
        super().data_received(data)
        if self.cycle is not before:  # a head is complete
            self.stop_waiting()
        elif is_late_body and not self.expects_body:  # and that was the last of it
            self.stop_waiting()
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
        elif before is None or before.response_complete:
            self.head_bytes += len(data)
            self.wait_for_head()
            # Who is still sending a body that nobody reads would not hear the answer if this hung up.
            if self.head_bytes > (self.limits.max_body_bytes if is_late_body else self.limits.max_header_bytes):
                self.turn_away(b"431 Request Header Fields Too Large", b"The head is too large")

    def on_headers_complete(self) -> None:
        """Called by uvicorn's parser."""
        super().on_headers_complete()  # type: ignore[misc]
        self.expects_body = True

    def on_message_complete(self) -> None:
        """The same: all of a body has come, whether somebody reads it or not."""
        self.expects_body = False
        super().on_message_complete()  # type: ignore[misc]

    def on_response_complete(self) -> None:
        """Called by uvicorn, before it turns to the next request."""
        self.transport.send()
        super().on_response_complete()  # type: ignore[misc]

    def wait_for_head(self) -> None:
        """Begin to wait, unless that goes on already."""
        if self.head_timer is None:
            late = (b"408 Request Timeout", b"The head does not come")
            self.head_timer = self.loop.call_later(self.limits.head_seconds, self.turn_away, *late)

    def stop_waiting(self) -> None:
        """The head is there, or the connection is gone."""
        self.head_bytes = 0
        if self.head_timer is not None:
            self.head_timer.cancel()
            self.head_timer = None

    def send_400_response(self, why: str) -> None:
        """What uvicorn says, in plain text, of bytes that are no request."""
        self.turn_away(b"400 Bad Request", b"This is no HTTP request")

    def turn_away(self, status: bytes, why: bytes) -> None:
        """Answer, where an answer is due, and close. None is where one was given, and the body behind it goes on."""
        self.stop_waiting()
        if self.transport.is_closing():
            return
        if self.cycle is None or (self.cycle.response_complete and not self.expects_body):
            self.transport.write(_last_answer(status, why))
            metrics_of_worker().turned_away(int(status[:3]))
        self.transport.close()


class OnePiece:
    """A transport that sends head and body of an answer together, as soon as both are there.

    uvicorn writes them by themselves: the first wakes the caller, for whom there is nothing to do yet, and on a machine
    that they share takes the processor away from the second.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._held: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Send the data when the answer is complete, at the end of this turn of the event loop at the latest."""
        if not self._held:
            self._loop.call_soon(self.send)
        self._held.append(data)

    def close(self) -> None:
        """Send what is held, and close."""
        self.send()
        self._transport.close()

    def send(self) -> None:
        """Send what is held."""
        held, self._held = self._held, []
        if held and not self._transport.is_closing():
            self._transport.write(b"".join(held))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def _without_offer(data: bytes) -> bytes:
    """The beginning of a request that offers HTTP/2, as if it did not, which a server may pass over (RFC 9110, 7.8)."""
    head, end, body = data.partition(b"\r\n\r\n")
    return _OFFER.sub(b"\r\nx-upgrade:", head + b"\r\n")[:-2] + end + body


def _last_answer(status: bytes, why: bytes) -> bytes:
    body = b'{"error":"%b","detail":[]}' % why
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
        *([(b"retry-after", b"1")] if status.startswith(b"503") else ()),
        (b"x-request-id", usable_id(b"")),
        *DATA_HEADERS,
    ]
    head = b"".join(b"%b: %b\r\n" % header for header in headers)
    return b"HTTP/1.1 %b\r\n%b\r\n%b" % (status, head, body)
