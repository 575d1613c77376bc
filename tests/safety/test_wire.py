"""Callers who are slow, or too many: the connection ends, and the others do not notice."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.safety.raw import exchange
from tests.serving.conversations import CALM
from tests.serving.running import Running, running

POST = b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n{"


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service that waits for nobody longer than a second."""
    folder = tmp_path_factory.mktemp("short")
    limits = {"HEAD_SECONDS": "1", "BODY_SECONDS": "1", "MAX_CONNECTIONS": "20", "MAX_HEADER_BYTES": "4000", "KEEP_ALIVE_SECONDS": "1"}  # fmt: skip
    with running(folder / "models", cwd=folder, **{f"HANDOFF_{name}": value for name, value in limits.items()}) as it:
        yield it


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"", b"408"), (b"GET / HT", b"408"), (b"GET / HTTP/1.1\r\nhost: localhost\r\n", b"408"), (POST, b"408"),
        (b"GET / HTTP/1.1\r\nhost: localhost\r\na: " + b"b" * 5_000, b"431"),
        (b"GET / HTTP/1.1\r\nhost: localhost\r\na: " + b"b" * 5_000 + b"\r\n\r\n", b"431"),
    ],
    ids=["nothing comes", "half a line", "half a head", "half a body", "half a large head", "a large head"],
)  # fmt: skip
def test_what_does_not_come_is_not_waited_for(short: Running, sent: bytes, status: bytes) -> None:
    answer = exchange(short.port, sent, leave=False)
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert b"x-content-type-options: nosniff" in answer


def complaints(service: Running) -> int:
    """How often the log says that something was no request."""
    return service.output.read_text("utf-8").count("Invalid HTTP request")


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"GET /livez HTTP/9.9\r\n\r\n",
        b"GET /livez HTTP/1.1\r\na b: c\r\n\r\n",
        b"\x16\x03\x01" * 50,
    ],
    ids=["words", "a version that is none", "a header's name with a space", "TLS"],
)
def test_what_is_no_request_is_answered_as_any_error(short: Running, sent: bytes) -> None:
    before = complaints(short)
    head, _, body = exchange(short.port, sent, leave=False).partition(b"\r\n\r\n")
    assert complaints(short) == before + 1
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\n")
    assert [name for name in HEADERS if f"\r\n{name}: ".encode() not in head] == [] and b"connection: close" in head
    assert json.loads(body) == {"error": "This is no HTTP request", "detail": []}


def test_a_body_that_nobody_reads_is_not_answered_once_more(short: Running) -> None:
    head = (
        b"POST /nothing HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 200000\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", short.port), timeout=10) as connection:
        connection.sendall(head)
        came = connection.recv(65_536)
        with suppress(OSError):  # it is closed while this is sent
            for _ in range(20):
                connection.sendall(b"x" * 1_000)
                time.sleep(0.01)
        with suppress(OSError):
            while part := connection.recv(65_536):
                came += part
    assert came.startswith(b"HTTP/1.1 404") and came.count(b"HTTP/1.1") == 1


def test_who_is_still_sending_a_body_hears_that_it_is_refused_and_goes_on(short: Running) -> None:
    body = b"x" * 400_000
    head = b"POST /nothing HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    with socket.create_connection(("127.0.0.1", short.port), timeout=10) as connection:
        for _ in range(2):
            connection.sendall(head % len(body))
            time.sleep(0.1)  # it is refused by now
            connection.sendall(body)
            assert connection.recv(65_536).startswith(b"HTTP/1.1 404")
        time.sleep(0.1)
        connection.sendall(b"GET / HTTP/1.1\r\na: " + b"x" * 5_000)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 431"), "the next head is one like any other"


def test_what_is_no_request_is_answered_after_one_that_was(short: Running) -> None:
    with socket.create_connection(("127.0.0.1", short.port), timeout=10) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200")
        time.sleep(0.1)
        connection.sendall(b"CONNECT host:443 HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 400")


def test_who_offers_http_2_with_a_body_is_answered_in_http_1(short: Running) -> None:
    body = json.dumps(CALM).encode()
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABk\r\n%bUpgrade: h2c\r\n"
    head = b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
    with socket.create_connection(("127.0.0.1", short.port), timeout=10) as connection:
        for more in (b"", b"a: b\r\n"):
            connection.sendall(head % len(body) + offer % more + b"\r\n" + body)
            assert connection.recv(65_536).startswith(b"HTTP/1.1 200")


def test_a_body_without_end_is_not_passed_over_for_ever(short: Running) -> None:
    head = b"POST /nothing HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n" % 10**9
    with socket.create_connection(("127.0.0.1", short.port), timeout=10) as connection:
        connection.sendall(head)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 404")
        with pytest.raises(ConnectionError):
            for _ in range(1_000):
                connection.sendall(b"x" * 100_000)


def test_a_trickle_is_no_way_to_hold_a_connection(short: Running) -> None:
    with socket.create_connection(("127.0.0.1", short.port), timeout=30) as caller:
        caller.sendall(POST)
        with pytest.raises(ConnectionError):
            for _ in range(60):
                time.sleep(0.2)
                caller.sendall(b" ")
    assert short.post("/predict", CALM).status_code == 200


def test_a_connection_too_many_is_turned_away_and_room_comes_back(short: Running) -> None:
    held = [socket.create_connection(("127.0.0.1", short.port), timeout=10) for _ in range(40)]
    answers = [caller.recv(40) for caller in held]
    for caller in held:
        caller.close()
    assert {answer[9:12] for answer in answers} == {b"503", b"408"}
    assert short.get("/livez").status_code == 200
    assert 'handoff_requests_total{route="(connection)",status="503"}' in short.get("/metrics").text


def test_an_unused_connection_is_closed(short: Running) -> None:
    answered = exchange(short.port, b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n", leave=False)
    assert answered.startswith(b"HTTP/1.1 200")


HEADERS = (
    "content-security-policy",
    "x-content-type-options",
    "x-frame-options",
    "referrer-policy",
    "cache-control",
    "x-request-id",
)


@pytest.mark.parametrize("path", ["/docs", "/rules", "/status", "/metrics", "/livez", "/nothing", "/predict"])
def test_every_answer_carries_what_keeps_browsers_from_harm(short: Running, path: str) -> None:
    reply = short.get(path)
    assert [name for name in HEADERS if name not in reply.headers] == []
    policy = reply.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "script-src 'unsafe" not in policy
    assert "access-control-allow-origin" not in reply.headers


def test_the_page_has_no_script_in_it(short: Running) -> None:
    page = short.get("/docs").text
    assert page.count("<script") == page.count("<script src=")
    assert "script-src 'self';" in short.get("/docs").headers["content-security-policy"]
