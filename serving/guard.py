"""What stands around all routes: who is let in, what a request may look like, and the headers of every answer."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from handoff.chance import new_hex
from handoff.errors import Problem
from handoff.settings import read_settings
from serving.gate import gate_of_worker
from serving.http import NAMED, REQUEST_ID, Refused, check_route, refusal, with_plain_path

# Bodies in memory at once, of the largest that there may be.
LARGEST_BODIES = 4
JSON_TYPES = ("application/json", "text/json")
# What a caller may name its request: anything that a log line and a header can carry as it is.
_USABLE_ID = re.compile(rb"[\x21-\x7e]{1,200}")

# Of these the caller may still be sending a body that nobody reads.
_LEAVES_BODY_UNREAD = (401, 403, 408, 413, 415, 431)
SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)
_NOT_STORED = (b"cache-control", b"no-store")
# Swagger's page sets styles as it is shown; no page has a script in it or one from elsewhere.
PAGE_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; "
    b"connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
DATA_POLICY = b"default-src 'none'; frame-ancestors 'none'"
# Of an answer that does not come this way: refused before, or no answer to a request.
DATA_HEADERS = ((b"content-security-policy", DATA_POLICY), *SECURITY_HEADERS, _NOT_STORED)

log = logging.getLogger("bentoml.handoff")


class Guard:
    """Middleware around all routes: lets in whom the keys allow, and whatever comes in within the limits.

    Gives every request an id and sends it back, with the headers that keep browsers from doing harm.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app, self._settings, self._gate = app, read_settings(), gate_of_worker()
        self._bodies = Bodies(LARGEST_BODIES * max(self._settings.max_batch_bytes, self._settings.max_body_bytes))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        scope = with_plain_path(scope)
        headers = dict(scope["headers"])
        identity = usable_id(headers.get(b"x-request-id", b""))
        scope[REQUEST_ID] = identity.decode("ascii")
        NAMED.set(scope[REQUEST_ID])
        answer = _Answer(send, identity, is_fixed=scope["path"].startswith("/static_content/"))
        body = Body(self._bodies, receive)
        try:
            self._check(scope, headers)
            async with asyncio.timeout(self._settings.request_seconds):
                await self._app(scope, body.receive, answer.send)
        except Refused as refused:
            await refusal(refused)(scope, receive, answer.send)
        except TimeoutError:
            # An answer that has begun cannot be taken back: the server closes the connection.
            if not answer.has_begun:
                await refusal(self._too_slow())(scope, receive, answer.send)
        except asyncio.CancelledError:
            # The service stops, and no longer waits for what takes so long.
            if not answer.has_begun:
                await refusal(_stopping())(scope, receive, answer.send)
        finally:
            self._bodies.held -= body.held

    def _check(self, scope: Scope, headers: Mapping[bytes, bytes]) -> None:
        size = len(scope.get("raw_path") or b"") + len(scope.get("query_string") or b"")
        size += sum(len(name) + len(value) for name, value in scope["headers"])
        most = self._settings.max_header_bytes
        if size > most:
            raise Refused(431, "The head is too large", Problem("", f"{size:,} bytes", f"at most {most:,} bytes"))
        self._gate.check(scope, headers)
        check_route(scope["path"], scope["method"])
        media_type = headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()
        if scope["method"] == "POST" and media_type and media_type not in JSON_TYPES:
            raise Refused(415, "The body is not JSON", Problem("content-type", media_type[:100], JSON_TYPES[0]))
        coding = headers.get(b"content-encoding", b"").decode("latin-1").strip().lower()
        if coding not in ("", "identity"):
            problem = Problem("content-encoding", coding[:100], "the body as it is, without this header")
            raise Refused(415, "The body is compressed", problem, headers={"accept-encoding": "identity"})

    def _too_slow(self) -> Refused:
        seconds = self._settings.request_seconds
        log.warning("a request took more than %d seconds and was given up", seconds)
        problem = Problem("", f"more than {seconds} seconds", "less work in one request")
        return Refused(503, "Answering takes too long", problem, retry_after=seconds)


class Bodies:
    """The bodies of all requests that this worker has in memory, in bytes."""

    def __init__(self, most: int) -> None:
        self.held, self.most = 0, most


class Body:
    """The body of one request on its way in. Without a bound on all of them, many large ones at once, each within its
    own limit, would take more memory than there is."""

    __slots__ = ("_all", "_receive", "held")

    def __init__(self, every: Bodies, receive: Receive) -> None:
        self._all, self._receive, self.held = every, receive, 0

    async def receive(self) -> Message:
        """The next part. Raises `Refused` (503) where there is no room for it."""
        message = await self._receive()
        if body := message.get("body"):
            self.held += len(body)
            self._all.held += len(body)
            if self._all.held > self._all.most:
                problem = f"Try again later: bodies of more than {self._all.most:,} bytes are being answered already"
                raise Refused(503, problem, retry_after=1, headers={"connection": "close"})
        return message


def _stopping() -> Refused:
    problem = Problem("", "not answered by then", "the request once more, of another worker or after the start")
    return Refused(503, "The service is stopping", problem, retry_after=1)


class _Answer:
    """Sends an answer on its way with the headers that every answer carries."""

    def __init__(self, send: Send, identity: bytes, *, is_fixed: bool) -> None:
        self._send, self._identity, self._is_fixed = send, identity, is_fixed
        self.has_begun = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.has_begun = True
            message["headers"] = [*message.get("headers", ()), *self._added(message)]
        await self._send(message)

    def _added(self, message: Message) -> list[tuple[bytes, bytes]]:
        kinds = [value for name, value in message.get("headers", ()) if name.lower() == b"content-type"]
        is_page = bool(kinds) and kinds[0].startswith(b"text/html")
        policy = (b"content-security-policy", PAGE_POLICY if is_page else DATA_POLICY)
        added = [(b"x-request-id", self._identity), policy, *SECURITY_HEADERS]
        if not self._is_fixed:
            added.append(_NOT_STORED)
        if message["status"] in _LEAVES_BODY_UNREAD:
            added.append((b"connection", b"close"))
        return added


def usable_id(given: bytes) -> bytes:
    """The caller's own id for a request where it can be used, else one made here."""
    given = given.strip()
    return given if _USABLE_ID.fullmatch(given) else new_hex(32).encode()
