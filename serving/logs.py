"""Logs as one JSON object a line, each with the caller's request id where a request caused it.

`HANDOFF_LOG_FORMAT=text` keeps BentoML's lines for people. Requests that were refused or failed are always logged, but
for those that would have waited too long, which are counted; every other one under `HANDOFF_LOG_REQUESTS=true`. A log
line never holds a text, a name or a key.
"""

from __future__ import annotations

import logging
import os
import time
import traceback
from datetime import UTC, datetime
from typing import Any

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from handoff.settings import Settings, read_settings
from handoff.transcript.redact import masked_id
from serving.http import KEY, NAMED, WHY, with_plain_path
from serving.metrics import metrics_of_worker

# A request this slow is worth a warning, whatever it was answered.
SLOW_SECONDS = 1.0
# Asked by machines every few seconds: logged only when they fail.
_PROBES = ("/livez", "/readyz", "/metrics")

requests = logging.getLogger("bentoml.handoff.requests")


class JsonLines(logging.Formatter):
    """A record as JSON: when, how bad, what, which worker and request; `fields` of the record beside them."""

    def __init__(self, secret: str | None = None) -> None:
        super().__init__()
        self._secret = secret

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "logger": record.name,
            "worker": os.getpid(),
            "message": record.getMessage(),
        }
        identity = NAMED.get()
        if identity is not None:
            line["request_id"] = masked_id(identity, self._secret)
        line |= getattr(record, "fields", {})
        if record.exc_info is not None and record.exc_info[2] is not None:
            line["trace"] = "".join(traceback.format_tb(record.exc_info[2]))
            line["error"] = getattr(record.exc_info[0], "__name__", None)
        return msgspec.json.encode(line).decode()


def write_json_lines(settings: Settings) -> None:
    """Let every logger of this worker write JSON lines, unless text was asked for."""
    if settings.log_format == "text":
        return
    formatter = JsonLines(settings.store_key)
    for name in (None, "bentoml", "uvicorn.error", "circus"):
        logger = logging.getLogger(name)
        logger.propagate = not logger.handlers  # else the root's would write the same line once more
        for handler in logger.handlers:
            handler.setFormatter(formatter)


class RequestLog:
    """Middleware around all routes: counts every request, and writes a line for each that deserves one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app, self._all = app, read_settings().log_requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope = with_plain_path(scope)
        started, status = time.perf_counter(), 500

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, note_status)
        finally:
            seconds = time.perf_counter() - started
            metrics_of_worker().requested(scope["path"], status, seconds)
            if status >= 400 or seconds > SLOW_SECONDS or (self._all and scope["path"] not in _PROBES):
                _log_request(scope, status, seconds)


def _log_request(scope: Scope, status: int, seconds: float) -> None:
    level = logging.ERROR if status >= 500 and status != 503 else logging.INFO
    if status == 503 or seconds > SLOW_SECONDS:
        level = max(level, logging.WARNING)
    # `path` is the route: a conversation's id in it has been replaced by then (http.with_plain_path).
    fields = {"method": scope["method"], "route": scope["path"], "status": status, "key": scope.get(KEY),
              "why": WHY.get() if status >= 400 else None, "milliseconds": round(1_000 * seconds, 3)}  # fmt: skip
    fields = {name: value for name, value in fields.items() if value is not None}
    requests.log(level, "%s %s %d", scope["method"], scope["path"], status, extra={"fields": fields})
