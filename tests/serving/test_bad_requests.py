"""Bad input is answered by name and place, and never with a 5xx."""

from __future__ import annotations

import gzip
import json
import socket
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.serving.conversations import BARE, CALM, RICH, chat, reply
from tests.serving.running import Running, until

DEEP = b"[" * 100_000 + b"]" * 100_000


def with_text(text: bytes) -> bytes:
    return b'{"conversation_id": "c", "messages": [{"role": "customer", "text": ' + text + b"}]}"


def with_number(number: bytes) -> bytes:
    return b'{"conversation_id":"c","messages":[{"role":"assistant","text":"a","confidence":' + number + b"}]}"


# body, path, what is wrong (a part of it), what is expected (a part of it)
REFUSED: dict[str, tuple[Any, str, str, str]] = {
    "an empty body": (b"", "", "empty", "JSON"),
    "white space": (b"  ", "", "broken JSON", "JSON object"),
    "half an object": (b'{"conversation_id": "c"', "", "broken JSON", "JSON object"),
    "two objects": (b"{}{}", "", "broken JSON", "JSON object"),
    "a list": ([BARE], "", "a list of 1 items", "object"),
    "null": (b"null", "", "null", "object"),
    "no id": ({"messages": BARE["messages"]}, "conversation_id", "missing", "required"),
    "an empty id": (BARE | {"conversation_id": ""}, "conversation_id", '""', "length >= 1"),
    "no messages": ({"conversation_id": "c"}, "messages", "missing", "required"),
    "an empty list of messages": (BARE | {"messages": []}, "messages", "no messages", "at least one"),
    "messages that are an object": (BARE | {"messages": {}}, "messages", "an object", "list"),
    "no role": (BARE | {"messages": [{"text": "a"}]}, "messages[0].role", "missing", "required"),
    "an unknown role": (chat(("customer", "a"), ("bot", "b")), "messages[1].role", '"bot"', "one of customer"),
    "no text": (BARE | {"messages": [{"role": "customer"}]}, "messages[0].text", "missing", "required"),
    "a text that is a number": (chat(("customer", 7)), "messages[0].text", "7", "text"),  # type: ignore[arg-type]
    "an unknown event": (chat(reply("a", event="gone")), "messages[0].event", '"gone"', "one of handoff_requested"),
    "a confidence of 7": (chat(("customer", "a"), reply("b", 7)), "messages[1].confidence", "7", "<= 1.0"),
    "a confidence of NaN": (with_number(b"NaN"), "messages[0].confidence", "NaN", "finite"),
    "a confidence beyond floats": (with_number(b"1e999"), "messages[0].confidence", "Infinity", "finite"),
    "a confidence in words": (with_number(b'"high"'), "messages[0].confidence", '"high"', "number"),
    "a rating of 9": (BARE | {"satisfaction": 9}, "satisfaction", "9", "<= 5"),
    "a VIP of yes": (BARE | {"customer": {"vip": "yes"}}, "customer.vip", '"yes"', "true or false"),
    "a time in words": (BARE | {"as_of": "noon"}, "as_of", '"noon"', "a time such as"),
    "a time in the year 1": (BARE | {"as_of": "0001-01-01T00:00:00+14:00"}, "as_of", "the year 1", "1990"),
    "time running backwards": (
        chat(("customer", "a"), {"role": "customer", "text": "b", "sent_at": "2026-03-02T14:29:00Z"}),
        "messages[1].sent_at", "backwards by 60 s", "in order",
    ),
    "an id used twice": (
        chat(*[{"role": "customer", "text": "a", "message_id": "m"}] * 2),
        "messages[1].message_id", "also the id of messages[0]", "own",
    ),
    "a null byte": (with_text(b'"a\\u0000b"'), "messages[0].text", "U+0000", "control"),
    "a raw null byte": (with_text(b'"a\x00b"'), "messages[0].text", "U+0000", "control"),
    "half a surrogate pair": (with_text(b'"\\ud800"'), "messages[0].text", "surrogate", "Unicode"),
    "invalid UTF-8": (with_text(b'"\xff\xfe"'), "", "UTF-8", "UTF-8"),
    "UTF-16": (json.dumps(BARE).encode("utf-16"), "", "", ""),
    "a text of 120,000 characters": (chat(("customer", "a" * 120_000)), "messages[0].text", "120000", "100000"),
    "10,001 messages": (BARE | {"messages": BARE["messages"] * 10_001}, "messages", "10001", "10000"),
    "a body nested deeply": (DEEP, "", "deep", ""),
    "an unknown field nested deeply": (with_text(b'"a", "x": ' + DEEP), "", "deep", ""),
    "a number of 10,000 digits": (
        b'{"conversation_id":"c","messages":[{"role":"assistant","text":"a","knowledge_hits":' + b"9" * 10_000 + b"}]}",
        "", "out of range", "",
    ),
}  # fmt: skip

# Odd, and yet usable.
ANSWERED: dict[str, Any] = {
    "unknown fields": RICH,
    "repeated keys": b'{"conversation_id":"a","conversation_id":"b","messages":[{"role":"customer","text":"a"}]}',
    "a huge amount": BARE | {"customer": {"account_value_usd": 1e308}},
    "a name that is a pattern": BARE | {"customer": {"name": "(.*)+["}},
    "nothing but marks": chat(("customer", "!?" * 40_000)),
    "right to left and invisible": chat(("customer", "\u202e\ufeff\u200d" * 1_000)),
    "one word of 99,999 letters": chat(("customer", "a" * 99_999)),
    "combining marks": chat(("customer", "a\u0301" * 40_000)),
}


@pytest.mark.parametrize(("body", "path", "problem", "expected"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(rules_only: Running, body: Any, path: str, problem: str, expected: str) -> None:
    reply = rules_only.post("/predict", body)
    assert reply.status_code == 400
    (found,) = reply.json()["detail"]
    assert reply.json()["error"]
    assert set(found) == {"path", "problem", "expected"}
    assert path in found["path"]
    assert problem in found["problem"]
    assert expected in found["expected"]


@pytest.mark.parametrize("body", ANSWERED.values(), ids=ANSWERED.keys())
def test_odd_and_yet_answered(rules_only: Running, body: Any) -> None:
    assert rules_only.post("/predict", body).status_code == 200


@pytest.mark.parametrize(
    ("body", "path", "problem"),
    [
        ([CALM, BARE, BARE, chat(("customer", "a"), ("bot", "b"))], "[3].messages[1].role", '"bot"'),
        ([CALM, None], "[1]", "null"),
        ([CALM, []], "[1]", "a list of 0 items"),
        ([BARE | {"messages": []}], "[0].messages", "no messages"),
        (CALM, "", "an object"),
        (b"[{]", "", "broken JSON"),
        (b"[" + with_text(b'"\xff"') + b"]", "[0].messages[0].text", "UTF-8"),
        (DEEP, "", "deep"),
    ],
    ids=["a bad role", "null", "a list", "no messages", "no list", "broken JSON", "invalid UTF-8", "nested deeply"],
)
def test_a_bad_batch_is_refused(rules_only: Running, body: Any, path: str, problem: str) -> None:
    answer = rules_only.post("/predict_batch", body)
    assert answer.status_code == 400
    assert path in answer.json()["detail"][0]["path"]
    assert problem in answer.json()["detail"][0]["problem"]


def test_all_bad_elements_are_named_up_to_twenty(rules_only: Running) -> None:
    detail = rules_only.post("/predict_batch", [BARE, *[{}] * 30]).json()["detail"]
    assert [problem["path"] for problem in detail] == [f"[{i}].conversation_id" for i in range(1, 21)]


def test_a_batch_over_the_limit_is_refused(rules_only: Running) -> None:
    answer = rules_only.post("/predict_batch", [BARE] * 1_001)
    assert answer.status_code == 400
    assert answer.json()["detail"] == [
        {"path": "", "problem": "1,001 conversations", "expected": "at most 1,000 in one batch"}
    ]


@pytest.mark.parametrize("declared", [True, False], ids=["with its length", "in chunks"])
def test_a_body_over_the_limit_is_refused(rules_only: Running, declared: bool) -> None:
    body = b" " * (8 * 2**20 + 1)
    content = body if declared else iter([body[:9_000_000], b""])
    answer = rules_only.client.post("/predict", content=content, headers={"content-type": "application/json"})
    assert answer.status_code == 413
    assert answer.json()["detail"][0]["expected"] == "at most 8,388,608 bytes"


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/x-www-form-urlencoded", "application/vnd.bentoml+pickle", "multipart/x"]
)
def test_other_media_types_are_refused(rules_only: Running, media_type: str) -> None:
    answer = rules_only.post("/predict", CALM, {"content-type": media_type})
    assert answer.status_code == 415
    assert answer.json()["detail"][0] == {
        "path": "content-type", "problem": media_type, "expected": "application/json",
    }  # fmt: skip


def test_json_with_a_charset_is_taken(rules_only: Running) -> None:
    assert rules_only.post("/predict", CALM, {"content-type": "Application/JSON; charset=utf-8"}).status_code == 200


def test_an_unknown_query_is_refused(rules_only: Running) -> None:
    answer = rules_only.post("/predict?explain=maybe", CALM)
    assert answer.status_code == 400
    assert answer.json()["detail"] == [{"path": "?explain", "problem": "maybe", "expected": "always, or leave it out"}]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/predict", "POST"),
        ("PUT", "/predict_batch", "POST"),
        ("GET", "/conversations/c-1/messages", "POST"),
        ("OPTIONS", "/outcomes", "POST"),
        ("POST", "/rules", "GET, HEAD"),
        ("DELETE", "/metrics", "GET, HEAD"),
        ("POST", "/static_content/swagger-ui.css", "GET, HEAD"),
    ],
)
def test_another_method_is_told_which_there_are(rules_only: Running, method: str, path: str, allowed: str) -> None:
    answer = rules_only.client.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    assert answer.json()["detail"] == [{"path": "", "problem": method, "expected": allowed}]


@pytest.mark.parametrize("path", ["/predict", "/predict_batch", "/conversations/c-1/messages", "/outcomes"])
def test_a_compressed_body_is_named(rules_only: Running, path: str) -> None:
    body = gzip.compress(msgspec.json.encode(CALM))
    answer = rules_only.post(path, body, {"content-encoding": "gzip"})
    assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "identity")
    assert answer.json() == {
        "error": "The body is compressed",
        "detail": [
            {"path": "content-encoding", "problem": "gzip", "expected": "the body as it is, without this header"}
        ],
    }


def test_a_body_may_say_that_it_is_as_it_is(rules_only: Running) -> None:
    assert rules_only.post("/predict", CALM, {"content-encoding": "Identity"}).status_code == 200


@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("GET", "/livez"), ("HEAD", "/docs"), ("HEAD", "/metrics")])
def test_the_other_routes_are_read(rules_only: Running, method: str, path: str) -> None:
    assert rules_only.client.request(method, path).status_code == 200


@pytest.mark.parametrize("path", ["/nothing", "/rules/", "/static_content/other.css", "/schema.json"])
def test_a_path_that_nobody_knows_is_answered_as_any_error(rules_only: Running, path: str) -> None:
    answer = rules_only.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/json")
    assert answer.json() == {
        "error": "There is no such route",
        "detail": [{"path": "", "problem": "an unknown path", "expected": "a route that /docs lists"}],
    }


@pytest.mark.parametrize(("path", "one", "many"), [("/predict", b"", b""), ("/predict_batch", b"[", b"]")])
def test_a_byte_order_mark_is_passed_over(rules_only: Running, path: str, one: bytes, many: bytes) -> None:
    mark = b"\xef\xbb\xbf"
    assert rules_only.post(path, mark + one + msgspec.json.encode(CALM) + many).status_code == 200
    assert rules_only.post(path, mark).json()["error"] == "The body is empty"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FIELDS = ("conversation_id", "messages", "customer", "environment", "as_of", "locale", "satisfaction", "outcome", "x")
INNER = ("role", "text", "sent_at", "confidence", "knowledge_hits", "event", "satisfaction", "message_id", "label", "y")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    outer=st.dictionaries(st.sampled_from(FIELDS), json_values, max_size=2),
    inner=st.dictionaries(st.sampled_from(INNER), json_values, max_size=2),
    cut=st.none() | st.integers(0, 200),
)
def test_anything_is_answered_without_a_5xx(
    rules_only: Running, outer: dict[str, Any], inner: dict[str, Any], cut: int | None
) -> None:
    sent = BARE | {"messages": [{"role": "customer", "text": "hi"} | inner]} | outer
    body = msgspec.json.encode(sent, enc_hook=str)[:cut]
    answer = rules_only.post("/predict", body)
    assert answer.status_code in (200, 400)
    if answer.status_code == 400:
        assert answer.json()["detail"]


def test_a_caller_that_leaves_halfway_is_no_error(rules_only: Running) -> None:
    with socket.create_connection(("127.0.0.1", rules_only.port)) as caller:
        caller.sendall(b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n{")
        assert rules_only.get("/livez").status_code == 200
    assert until(lambda: 'handoff_requests_total{route="/predict",status="400"}' in rules_only.get("/metrics").text)
    assert rules_only.get("/livez").status_code == 200
    assert "ERROR" not in rules_only.output.read_text("utf-8")


def test_after_all_that_it_is_still_well(rules_only: Running) -> None:
    status = rules_only.get("/status").json()
    assert [trouble["part"] for trouble in status["problems"]] == ["escalation", "routing"]
    assert rules_only.get("/readyz").status_code == 200
