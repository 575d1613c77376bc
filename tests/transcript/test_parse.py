"""Every way in which a conversation can be wrong is named by its field."""

from __future__ import annotations

import contextlib
import json
import math
import sys
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoff.errors import BadRecord
from handoff.transcript import Conversation, check, from_object, parse, to_json
from handoff.transcript.parse import _mended
from tests.strategies import conversations


def raw(extra: bytes = b"", top: bytes = b"") -> bytes:
    return (
        b'{"conversation_id":"c","messages":[{"role":"customer","text":"a"},{"role":"assistant","text":"b"%s}]%s}'
        % (
            extra,
            top,
        )
    )


BAD: dict[str, tuple[bytes, str, str, str]] = {
    "broken JSON": (b"{", "", "broken JSON", "one JSON object"),
    "an array": (b"[]", "", "a list", "object"),
    "null": (b"null", "", "null", "object"),
    "nested deeply where it is ignored": (b'{"x":' + b"[" * 100_000, "", "nested too deeply", "conversation"),
    "an array nested deeply": (b"[" * 100_000, "", "nested too deeply", "conversation"),
    "no id": (b'{"messages":[{"role":"customer","text":"a"}]}', "conversation_id", "missing", "required"),
    "an empty id": (b'{"conversation_id":"","messages":[]}', "conversation_id", '""', "length >= 1"),
    "an id that is a number": (b'{"conversation_id":5,"messages":[]}', "conversation_id", "5", "text"),
    "no messages": (b'{"conversation_id":"c","messages":[]}', "messages", "no messages", "at least one"),
    "messages that are an object": (b'{"conversation_id":"c","messages":{}}', "messages", "an object", "list"),
    "too many messages": (
        b'{"conversation_id":"c","messages":[' + b",".join([b'{"role":"customer","text":"a"}'] * 10_001) + b"]}",
        "messages",
        "10001 items",
        "10000",
    ),
    "a message that is a number": (b'{"conversation_id":"c","messages":[5]}', "messages[0]", "5", "object"),
    "a role that does not exist": (raw(b',"role":"bot"'), "messages[1].role", '"bot"', "assistant"),
    "no text": (b'{"conversation_id":"c","messages":[{"role":"agent"}]}', "messages[0].text", "missing", "required"),
    "a text that is null": (raw(b',"text":null'), "messages[1].text", "null", "text"),
    "a text that is too long": (raw(b',"text":"%s"' % (b"x" * 100_001)), "messages[1].text", "100001", "100000"),
    "a confidence of 7": (raw(b',"confidence":7'), "messages[1].confidence", "7", "<= 1"),
    "a confidence of NaN": (raw(b',"confidence":NaN'), "messages[1].confidence", "NaN", "finite"),
    "an infinite confidence": (raw(b',"confidence":1e999'), "messages[1].confidence", "Infinity", "finite"),
    "a confidence in quotes": (raw(b',"confidence":"0.5"'), "messages[1].confidence", '"0.5"', "number"),
    "hits below zero": (raw(b',"knowledge_hits":-1'), "messages[1].knowledge_hits", "-1", ">= 0"),
    "an unknown event": (raw(b',"event":"gone"'), "messages[1].event", '"gone"', "handed_back"),
    "a label of 2": (raw(b',"label":2'), "messages[1].label", "2", "0, 1"),
    "a time that is a number": (raw(b',"sent_at":5'), "messages[1].sent_at", "5", "2026-03-02T14:31:05Z"),
    "a time that is a date": (raw(b',"sent_at":"2026-01-01"'), "messages[1].sent_at", "2026-01-01", "2026-03-02T14"),
    "a time in the year 1": (raw(b',"sent_at":"0001-01-01T00:00:00Z"'), "messages[1].sent_at", "year 1", "1990"),
    "invalid UTF-8": (raw(b',"text":"a\xffb"'), "messages[1].text", "invalid UTF-8", "UTF-8"),
    "an escaped control character": (raw(b',"text":"\\u0000"'), "messages[1].text", "U+0000", "without control"),
    "a raw control character": (raw(b',"text":"a\x01b"'), "messages[1].text", "U+0001", "without control"),
    "half of a surrogate pair": (raw(b',"text":"\\ud800"'), "messages[1].text", "surrogate", "Unicode"),
    "a field's name that is no UTF-8, and another mistake": (
        raw(b',"\xff":1,"confidence":7'),
        "messages[1]",
        "surrogate",
        "Unicode",
    ),
    "a mistake behind much nesting": (
        raw(b',"x":' + b"[" * 600 + b"]" * 600 + b',"confidence":NaN'),
        "",
        "nested too deeply",
        "conversation",
    ),
    "a control character in an id": (raw(b',"message_id":"\\u0007"'), "messages[1].message_id", "U+0007", "without"),
    "two messages of one id": (raw(b',"message_id":"m1"'), "messages[1].message_id", "messages[0]", "its own"),
    "a flag in words": (raw(top=b',"customer":{"vip":"yes"}'), "customer.vip", '"yes"', "true or false"),
    "a rating of 9": (raw(top=b',"satisfaction":9'), "satisfaction", "9", "<= 5"),
    "a tier of 9": (raw(top=b',"outcome":{"tier":9}'), "outcome.tier", "9", "<= 4"),
}


@pytest.mark.parametrize("text, path, problem, expected", BAD.values(), ids=BAD)
def test_bad_input_is_named(text: bytes, path: str, problem: str, expected: str) -> None:
    with pytest.raises(BadRecord) as error:
        parse(text)
    assert error.value.problem.path == path
    assert problem in error.value.problem.problem
    assert expected in error.value.problem.expected


def test_a_usable_conversation_is_not_named() -> None:
    assert parse(raw(b',"confidence":1,"sent_at":"2026-01-01T00:00:00Z"')).messages[1].confidence == 1


@pytest.mark.parametrize("path, value", [("customer.account_value_usd", math.nan), ("outcome.wait_seconds", math.inf)])
def test_numbers_that_json_cannot_hold_are_refused_from_objects_too(path: str, value: float) -> None:
    part, field = path.split(".")
    given = {"conversation_id": "c", "messages": [{"role": "customer", "text": "a"}], part: {field: value}}
    with pytest.raises(BadRecord) as error:
        from_object(given)
    assert error.value.problem.path == path


def test_half_of_a_surrogate_pair_is_named_from_objects_too() -> None:
    message = {"role": "customer", "text": "a\ud800", "message_id": "m1", "sent_at": "2026-01-01T10:00:00Z"}
    with pytest.raises(BadRecord, match=r"messages\[0\]\.text: half of a surrogate pair"):
        from_object({"conversation_id": "c", "messages": [message]})


def test_a_field_name_that_is_no_unicode_is_named() -> None:
    with pytest.raises(BadRecord, match="surrogate"):
        from_object({"conversation_id": "c", "messages": [{"role": "customer", "text": "a", "\ud800": 1}]})


def test_a_value_of_a_foreign_type_is_named_too() -> None:
    with pytest.raises(BadRecord, match=r"messages\[0\]\.text"):
        from_object({"conversation_id": "c", "messages": [{"role": "customer", "text": b"a"}]})


def timed(*seconds: float) -> dict[str, Any]:
    times = [f"2026-01-01T10:00:{second:06.3f}Z" for second in seconds]
    messages = [{"role": "customer", "text": "a", "sent_at": time} for time in times]
    return {"conversation_id": "c", "messages": messages}


def test_a_step_back_of_five_seconds_passes() -> None:
    from_object(timed(10, 5, 11))


def test_a_longer_step_back_is_named_even_in_small_steps() -> None:
    with pytest.raises(BadRecord, match=r"messages\[2\]\.sent_at: time runs backwards by 6 s"):
        from_object(timed(10, 7, 4))


def test_as_of_before_the_newest_message_is_named() -> None:
    with pytest.raises(BadRecord, match="as_of: earlier"):
        from_object({**timed(10), "as_of": "2026-01-01T09:00:00Z"})


def test_times_become_utc_and_ids_are_filled() -> None:
    times = ("2026-01-01T10:00:00+02:00", "2026-01-01T08:00:01")
    messages = [{"role": "customer", "text": "", "sent_at": time} for time in times]
    conversation = from_object({"conversation_id": "c", "messages": messages})
    assert [message.sent_at.isoformat() for message in conversation.messages if message.sent_at] == [
        "2026-01-01T08:00:00+00:00",
        "2026-01-01T08:00:01+00:00",
    ]
    assert [message.message_id for message in conversation.messages] == ["m1", "m2"]


WHOLE = to_json(
    from_object(
        {
            **timed(10, 11, 12),
            "as_of": "2026-01-01T10:01:00Z",
            "satisfaction_at": "2026-01-01T10:00:30Z",
            "customer": {"name": "Ana", "account_value_usd": 1.5},
            "outcome": {"escalated_at": "2026-01-01T10:00:20Z", "wait_seconds": 2.5},
        }
    )
)
# What is written in the place of what, in a conversation of which all is known.
SLIPS = {
    "nothing": (b"", b""),
    "an id less": (b'"message_id":"m2",', b""),
    "an id twice": (b'"m2"', b'"m3"'),
    "a text on two lines": (b'"a"', b'"a\\nb"'),
    "a joined emoji": (b'"a"', "\U0001f469\u200d\U0001f4bb".join('""').encode()),
    "a control character in a text": (b'"a"', b'"a\\u0001"'),
    "a deletion in a text": (b'"a"', b'"a\x7f"'),
    "a control character in an id": (b'"m2"', b'"m\\b"'),
    "a control character in the id": (b'"c"', b'"\\f"'),
    "a control character in the name": (b"Ana", b"\\u0002"),
    "a step back": (b"10:00:11", b"10:00:04"),
    "a small step back": (b"10:00:11", b"10:00:09"),
    "another zone": (b"10:00:11Z", b"11:00:11+01:00"),
    "a time without a zone": (b"10:00:11Z", b"10:00:11"),
    "an early year": (b"2026-01-01T10:00:10Z", b"1989-12-31T23:59:59Z"),
    "the last moment": (b"2026-01-01T10:01:00Z", b"2100-12-31T23:59:59.999999Z"),
    "a late year": (b"2026-01-01T10:01:00Z", b"2101-01-01T00:00:00Z"),
    "a late rating": (b"10:00:30Z", b"10:00:30-07:00"),
    "an early hand-off": (b"2026-01-01T10:00:20Z", b"1970-01-01T00:00:00Z"),
    "an early end": (b"10:01:00", b"10:00:03"),
    "no message": (WHOLE[WHOLE.index(b"[") : WHOLE.index(b"]")], b"["),
}


@pytest.mark.parametrize("old, new", SLIPS.values(), ids=SLIPS)
@pytest.mark.parametrize("read", [parse, lambda text: check(decoded(text))], ids=["from JSON", "from an object"])
def test_a_glance_says_what_looking_part_by_part_says(
    read: Callable[[bytes], Conversation], old: bytes, new: bytes
) -> None:
    assert old in WHOLE
    text = WHOLE.replace(old, new, 1)
    assert said(lambda: read(text)) == said(lambda: _mended(decoded(text)))


def test_the_glance_is_enough_for_what_is_as_it_should_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(sys.modules["handoff.transcript.parse"], "_mended")
    lines = WHOLE.replace(b'"a"', b'"a\\nb"', 1)
    assert [len(parse(text).messages) for text in (WHOLE, WHOLE.decode(), lines)] == [3, 3, 3]


def decoded(text: bytes) -> Conversation:
    return msgspec.json.decode(text, type=Conversation)


def said(read: Callable[[], Conversation]) -> Conversation | str:
    try:
        return read()
    except (BadRecord, msgspec.DecodeError) as error:
        return str(error)


def test_unknown_fields_are_ignored() -> None:
    assert parse(raw(b',"mood":{"a":[1]}', b',"extra":null')) == parse(raw())


@given(conversations())
def test_writing_and_reading_gives_the_same(conversation: Conversation) -> None:
    assert parse(to_json(conversation)) == conversation


@given(st.one_of(st.binary(max_size=60), st.text(max_size=60)))
def test_nothing_but_bad_record_is_raised(text: bytes | str) -> None:
    with contextlib.suppress(BadRecord):
        parse(text)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(("role", "text", "x")), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(JSON_VALUES, JSON_VALUES)
def test_no_value_in_any_place_raises_anything_else(message: Any, customer: Any) -> None:
    value = {"conversation_id": "c", "messages": [message], "customer": customer}
    for attempt in (lambda: parse(json.dumps(value)), lambda: from_object(value)):
        with contextlib.suppress(BadRecord):
            attempt()
