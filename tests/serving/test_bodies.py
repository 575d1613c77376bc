"""Bodies within the limits, and what the service ignores in them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from handoff.errors import Problem
from handoff.settings import Settings
from handoff.transcript import Customer
from serving.bodies import batch_elements, one_conversation, one_feedback, one_message, read_elements
from serving.http import Refused, refusal
from serving.nesting import is_nested_deeper
from tests.serving.conversations import BARE, CALM, chat


@pytest.mark.parametrize(
    ("body", "depth"),
    [
        (b"", 0),
        (b'{"a":[{}]}', 3),
        (b"[{}]" * 9, 2),
        (b'{"text":"' + b"[{" * 500 + b'"}', 1),
        (b'{"text":"\\"' + b"[" * 500 + b'"}', 1),
        (b"[" * 500 + b"]" * 500, 500),
        (b'{"a":' * 200, 200),
        (b'{"text":"' + b"]" * 500 + b'","a":' + b"[" * 60 + b"]" * 60 + b"}", 61),
        (b'"' + b"\\" * 9_999 + b"[" * 9, 0),
        (b'{"a\\\\":{"\\\\\\"}":[]}}', 3),
    ],
    ids=["nothing", "three", "in a row", "inside a text", "behind a quoted quote", "lists", "never closed",
         "below what a text closes", "a text without end", "backslashes"],
)  # fmt: skip
def test_depth_is_counted_outside_of_texts(body: bytes, depth: int) -> None:
    assert not is_nested_deeper(body, depth)
    assert depth == 0 or is_nested_deeper(body, depth - 1)


def test_of_a_doubled_field_the_last_counts() -> None:
    first, last = b'[{"role":"agent","text":"a"}]', b'[{"role":"customer","text":"b","text":"c"}]'
    told = one_conversation(
        b'{"conversation_id":"a","conversation_id":"b","messages":%b,"messages":%b}' % (first, last)
    )
    assert (told.conversation_id, [(m.role, m.text) for m in told.messages]) == ("b", [("customer", "c")])
    new = one_message(
        "c", b'{"role":"customer","text":"a","text":"b","customer":{"vip":true},"customer":{"vip":false}}'
    )
    assert (new.message.text, new.facts.customer) == ("b", Customer(vip=False))
    assert one_feedback(b'{"conversation_id":"a","agree":true,"agree":false}').agree is False


LIMITS = Settings(max_messages=2, max_text_characters=20, max_nesting=4)


@pytest.mark.parametrize(
    ("body", "path", "expected"),
    [
        (chat(*[("customer", "a")] * 3), "messages", "at most 2 messages"),
        (chat(("customer", "a"), ("customer", "a" * 21)), "messages[1].text", "at most 20 characters"),
        (BARE | {"x": [[[[]]]]}, "", "at most 4 levels"),
    ],
    ids=["messages", "a text", "nesting"],
)
def test_limits_hold_on_every_route(body: dict[str, Any], path: str, expected: str) -> None:
    with pytest.raises(Refused) as one:
        one_conversation(msgspec.json.encode(body), LIMITS)
    _, (many,) = read_elements(map(bytes, batch_elements(msgspec.json.encode([BARE, body]))), LIMITS, first=7)
    assert (one.value.fault.detail[0].path, one.value.fault.detail[0].expected) == (path, expected)
    assert (many.path, many.expected) == (f"[8].{path}".removesuffix("."), expected)
    assert one_conversation(msgspec.json.encode(BARE | {"x": [[[]]]}), LIMITS).conversation_id == "c-2"


@pytest.mark.parametrize("label", ["yes", 7, [], {"a": 1}, None, 0.5])
@pytest.mark.parametrize("outcome", ["won", 7, [], {"escalated": "no"}, {"tier": 9}, {"wait_seconds": -1}, None])
def test_what_is_for_training_alone_is_ignored_whatever_it_holds(label: Any, outcome: Any) -> None:
    sent = {**CALM, "outcome": outcome, "messages": [message | {"label": label} for message in CALM["messages"]]}
    usable = one_conversation(msgspec.json.encode(sent))
    assert [m.text for m in usable.messages] == [m["text"] for m in CALM["messages"]]
    assert read_elements([msgspec.json.encode(sent)]) == ([usable], [])
    message = one_message("c-1", msgspec.json.encode({"role": "customer", "text": "Hi", "label": label}))
    assert message.message.text == "Hi"


def test_what_is_not_for_training_is_still_refused_beside_it() -> None:
    sent = {**BARE, "outcome": 7, "messages": [{"role": "bot", "text": "a", "label": "yes"}]}
    with pytest.raises(Refused) as refused:
        one_conversation(msgspec.json.encode(sent))
    assert refused.value.fault.detail[0].path == "messages[0].role"


@pytest.mark.parametrize("messages", [None, 7, {}, [7]], ids=repr)
def test_messages_that_are_none_are_refused_beside_it(messages: Any) -> None:
    for sent in ({"conversation_id": "c", "outcome": 7, "messages": messages}, {"conversation_id": "c", "outcome": 7}):
        with pytest.raises(Refused) as refused:
            one_conversation(msgspec.json.encode(sent))
        assert refused.value.fault.detail[0].path.startswith("messages")


@pytest.mark.parametrize(
    "number", [b"1e400", b"-1e400", b"NaN", b"1" * 5_000], ids=["huge", "hugely negative", "NaN", "long"]
)
def test_an_outcome_with_a_number_beyond_floats_is_refused(number: bytes) -> None:
    for body in (b'{"conversation_id":"c","x":%b}', b'{"conversation_id":"c","outcome":{"wait_seconds":%b}}'):
        with pytest.raises(Refused, match="not a usable outcome"):
            one_feedback(body % number)


def test_a_refusal_can_be_sent_whatever_the_body_held() -> None:
    refused = Refused(400, "no \ud800", Problem("a.\udfff", "\ud800 é", "x"))
    assert msgspec.json.decode(refusal(refused).body)["detail"][0] == {
        "path": "a.\\udfff", "problem": "\\ud800 é", "expected": "x",
    }  # fmt: skip
