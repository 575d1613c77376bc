"""What stands in front of BentoML's application, the outermost first: who is let in, what is noted, and the short way.

BentoML's own layers (tracing, metrics by path, timeouts, routing) take two thirds of the time of a request that does
nothing. The routes that answer predictions do without them; all others, and starting and stopping, go through.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from bentoml import Service
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from handoff.settings import read_settings
from serving.lean import collect_later
from serving.routes import current_worker

if TYPE_CHECKING:
    from serving.worker import Worker


class ShortWay:
    """Hands the requests that the service answers itself to it, and all others to BentoML's application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] in self._worker.posts:
            response = await self._worker.post(scope["path"], Request(scope, receive))
            await response(scope, receive, send)
            return
        await self._app(scope, receive, send)

    @cached_property
    def _worker(self) -> Worker:
        return current_worker()


def put_in_front() -> None:
    """Put these layers around the application that BentoML makes, whoever starts it. It is made in a worker alone."""
    build = Service.to_asgi

    def to_asgi(service: Any, *given: Any, **named: Any) -> ASGIApp:
        collect_later()
        from serving.admission import Admission, lanes_of_worker
        from serving.guard import Guard
        from serving.logs import RequestLog, write_json_lines
        from serving.wire import bound_connections

        bound_connections()
        write_json_lines(read_settings())  # BentoML logs from here on
        return Admission(RequestLog(Guard(ShortWay(build(service, *given, **named)))), lanes_of_worker())

    Service.to_asgi = to_asgi  # type: ignore[method-assign]
