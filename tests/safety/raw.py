"""Bytes as they are, to a service: what no client of HTTP would send."""

from __future__ import annotations

import socket


def exchange(port: int, sent: bytes, seconds: float = 10.0, *, leave: bool = True) -> bytes:
    """What is answered to the bytes; `leave` says that nothing more comes."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as caller:
        try:
            caller.sendall(sent)
            if leave:
                caller.shutdown(socket.SHUT_WR)
            received = b""
            while part := caller.recv(65_536):
                received += part
        except (ConnectionError, TimeoutError):
            pass
        return received
