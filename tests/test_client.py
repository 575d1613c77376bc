"""The client: what it sends, when it tries again, when it gives up, and that the service understands it."""

from __future__ import annotations

import itertools
import json
import re
import time
from collections.abc import Callable, Sequence

import httpx
import pytest

from handoff.client import AsyncClient, Client
from handoff.course import Call, Pause, course
from handoff.errors import BadInput, RequestRefused, ServiceUnavailable
from handoff.transcript import Customer, Message, from_object
from tests.serving.conversations import CALM

BUSY = httpx.Response(503, headers={"retry-after": "1"}, json={"error": "Try again later"})
FINE = httpx.Response(200, json={"mode": "rules_only"})
LOST = httpx.ConnectError("nobody there")
Came = httpx.Response | httpx.TransportError


def played(came: Sequence[Came], deadline_seconds: float = 5.0) -> tuple[bytes, list[Call | Pause]]:
    """Go through a call's course with these replies; its end, and every step. Pauses move the clock."""
    now = 0.0
    steps, replies = course(Call("GET", "/status"), deadline_seconds, lambda: now), iter(came)
    taken, reply = [], None
    try:
        while True:
            step = steps.send(reply)
            taken.append(step)
            now += step.seconds if isinstance(step, Pause) else 0.0
            reply = next(replies) if isinstance(step, Call) else None
    except StopIteration as done:
        return done.value, taken


@pytest.mark.parametrize(
    ("came", "tries"),
    [([FINE], 1), ([LOST, FINE], 2), ([BUSY, LOST, FINE], 3), ([httpx.Response(502), FINE], 2)],
    ids=["at once", "after a lost connection", "after a busy service", "behind a proxy"],
)
def test_it_tries_until_it_is_answered(came: list[Came], tries: int) -> None:
    content, steps = played(came)
    assert json.loads(content) == {"mode": "rules_only"}
    assert sum(isinstance(step, Call) for step in steps) == tries


@pytest.mark.parametrize("client", [Client, AsyncClient])
@pytest.mark.parametrize(
    "url", ["127.0.0.1:3000", "localhost:3000", "", "ftp://host", "http://", "http://[::1", "/predict"]
)
def test_what_is_no_url_of_a_service_is_refused_at_once(client: type[Client] | type[AsyncClient], url: str) -> None:
    with pytest.raises(BadInput, match=r"expected one such as http://127\.0\.0\.1:3000"):
        client(url)


def test_a_password_in_a_url_is_not_shown() -> None:
    with pytest.raises(BadInput) as refused:
        Client("ann:secret@host:3000")
    assert "secret" not in str(refused.value) and "host:3000" in str(refused.value)


def test_retry_after_is_obeyed_and_other_pauses_grow() -> None:
    _, steps = played([BUSY, LOST, LOST, FINE])
    first, second, third = [step.seconds for step in steps if isinstance(step, Pause)]
    assert first >= 1.0
    assert 0.05 <= second <= 0.1 and 0.1 <= third <= 0.2


def test_it_gives_up_when_its_time_is_over_and_says_what_it_met() -> None:
    with pytest.raises(ServiceUnavailable, match=r"GET /status: status 503, after 3 tries"):
        played([BUSY] * 10, deadline_seconds=2.5)
    with pytest.raises(ServiceUnavailable, match="ConnectError: nobody there"):
        played([LOST] * 100)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 500])
def test_a_refusal_is_final_and_names_the_field(status: int) -> None:
    fault = {"error": "Not usable", "detail": [{"path": "messages[0].role", "problem": "x", "expected": "y"}]}
    with pytest.raises(RequestRefused, match=rf"status {status}: Not usable; messages\[0\]\.role: x; expected y"):
        played([httpx.Response(status, json=fault)])
    with pytest.raises(RequestRefused, match="a page of a proxy"):
        played([httpx.Response(status, text="a page of a proxy")])


def sent(do: Callable[[Client], object], status: int = 200, body: object = None) -> list[httpx.Request]:
    """The requests that the client made."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return (
            httpx.Response(503)
            if len(seen) == 1 and status == 503
            else httpx.Response(200, json={} if body is None else body)
        )

    with Client("http://service", key="hk_1", transport=httpx.MockTransport(answer)) as client:
        do(client)
    return seen


def test_the_key_goes_with_every_request_and_explain_and_id_where_asked() -> None:
    conversation = from_object(CALM)
    (request,) = sent(lambda c: c.predict_batch([conversation], explain=True, request_id="chat-7"), body=[])
    assert request.headers["authorization"] == "Bearer hk_1"
    assert request.headers["x-request-id"] == "chat-7"
    assert request.url.raw_path == b"/predict_batch?explain=always"


@pytest.mark.parametrize("key", ["", "  ", "hk_1 secret", "hk_1\nsecret", "hk_é"])
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_a_key_that_no_header_may_carry_is_refused_at_once_and_not_shown(
    kind: type[Client] | type[AsyncClient], key: str
) -> None:
    with pytest.raises(BadInput, match="handoff keys add") as refused:
        kind("http://127.0.0.1:9", key=key)
    assert "hk_" not in str(refused.value)


def test_a_key_may_come_with_the_end_of_its_line() -> None:
    with Client("http://handoff", key="hk_1\n", transport=httpx.MockTransport(echo)) as client:
        assert client.status() == {"authorization": "Bearer hk_1"}


@pytest.mark.parametrize(
    ("do", "named"),
    [
        (lambda c: c.add_message("c-1", Message(role="customer", text="Hi"), key="Zoë-1"), "key 'Zoë-1'"),
        (lambda c: c.add_message("c-1", Message(role="customer", text="Hi"), request_id="Zoë"), "request_id 'Zoë'"),
        (lambda c: c.predict(from_object(CALM), request_id="a\nb"), "request_id"),
        (lambda c: c.add_message("..", Message(role="customer", text="Hi")), "conversation_id '..'"),
        (lambda c: c.add_message(".", Message(role="customer", text="Hi")), "conversation_id '.'"),
    ],
    ids=["key", "id", "line", "dots", "dot"],
)
def test_what_no_request_can_carry_is_named(do: Callable[[Client], object], named: str) -> None:
    with pytest.raises(BadInput, match=re.escape(named)):
        sent(do)


@pytest.mark.parametrize("body", [b"<html>Welcome</html>", b"[]", b'{"mode": "\xff"}'], ids=["page", "list", "bytes"])
def test_an_answer_that_is_none_of_this_service_is_no_answer(body: bytes) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=body)

    with (
        Client("http://service", transport=httpx.MockTransport(answer)) as client,
        pytest.raises(ServiceUnavailable, match="no answer of this service"),
    ):
        client.predict(from_object(CALM))


def echo(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json={"authorization": request.headers["authorization"]})


def test_a_message_without_id_keeps_its_key_when_sent_again() -> None:
    message = Message(role="customer", text="Hello")

    def send(client: Client) -> None:
        with pytest.raises(Exception, match="no answer of this service"):  # the stand-in's answer is no Answer
            client.add_message("a/b c", message, customer=Customer(name="Ana"), locale="en")

    first, second = sent(send, status=503)
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert first.url.raw_path == b"/conversations/a%2Fb%20c/messages"
    assert json.loads(first.content) == {
        "role": "customer", "text": "Hello", "customer": {"name": "Ana"}, "locale": "en"
    }  # fmt: skip


def test_both_clients_offer_the_same() -> None:
    def offered(kind: type) -> set[str]:
        return {name for name in vars(kind) if not name.startswith("_")}

    assert offered(Client) == offered(AsyncClient)


def test_nobody_there_is_said_in_time() -> None:
    with Client("http://127.0.0.1:9", deadline_seconds=0.3) as client, pytest.raises(ServiceUnavailable, match="tries"):
        client.status()


def waited(client: Callable[[httpx.MockTransport], Client], ask: Callable[[Client], object]) -> list[float]:
    """For how long each try of a call would have been waited for by a client whom nobody answers."""
    seen: list[float] = []

    def silent(request: httpx.Request) -> httpx.Response:
        seen.append(request.extensions["timeout"]["read"])
        time.sleep(seen[-1])
        raise httpx.ReadTimeout("timed out")

    with client(httpx.MockTransport(silent)) as asked, pytest.raises(ServiceUnavailable, match="ReadTimeout"):
        ask(asked)
    return seen


def test_no_try_outlasts_the_deadline() -> None:
    def client(transport: httpx.MockTransport) -> Client:
        return Client("http://handoff", timeout_seconds=0.2, deadline_seconds=0.5, transport=transport)

    seen = waited(client, lambda c: c.predict(from_object(CALM)))
    assert len(seen) >= 2
    assert seen[0] == pytest.approx(0.2) and sum(seen) <= 0.5


def test_a_batch_has_its_own_time_and_is_not_begun_anew_while_the_service_may_work_on_it() -> None:
    def client(transport: httpx.MockTransport) -> Client:
        return Client("http://handoff", timeout_seconds=0.01, batch_seconds=0.2, transport=transport)

    assert waited(client, lambda c: c.predict_batch([from_object(CALM)])) == [pytest.approx(0.2, abs=0.01)]


def test_a_planted_endless_course_would_be_seen() -> None:
    with pytest.raises(ServiceUnavailable):
        played(itertools.repeat(BUSY))  # type: ignore[arg-type]
