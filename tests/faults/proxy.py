"""A TCP proxy between a store and its server, that can be slow, dumb, or gone."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress

# A connection that is held up for longer hangs.
LONG = 30.0


class Proxy:
    """Passes on what it hears. `passes` cleared: it goes dumb, as a dead network does. `delay_seconds` holds up every
    piece in either direction. `cut` ends all connections and turns away new ones until `mend`."""

    def __init__(self, host: str, port: int) -> None:
        self._server, self.passes = (host, port), threading.Event()
        self.passes.set()
        self.delay_seconds = 0.0
        self._turns_away = False
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """The server is gone."""
        self._turns_away = True
        self._drop()

    def mend(self) -> None:
        """It is back."""
        self._turns_away = False
        self.delay_seconds = 0.0
        self.passes.set()

    def close(self) -> None:
        self.passes.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._drop()

    def _drop(self) -> None:
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._sockets = []

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._turns_away:
                client.close()
                continue
            server = socket.create_connection(self._server)
            self._sockets += [client, server]
            for one, other in ((client, server), (server, client)):
                threading.Thread(target=self._pass_on, args=(one, other), daemon=True).start()

    def _pass_on(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65_536):
                self.passes.wait(LONG)
                time.sleep(self.delay_seconds)
                other.sendall(data)
            other.shutdown(socket.SHUT_RDWR)
