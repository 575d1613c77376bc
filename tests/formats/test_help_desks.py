"""Exports of Chatwoot, Intercom and Zendesk, from fixtures written by hand after their documentation."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from handoff.errors import BadRecord
from handoff.formats.times import read_time
from handoff.transcript import Conversation
from tests.formats.reading import FIXTURES, read, story

DESKS = ["chatwoot", "intercom", "zendesk"]
START = datetime(2026, 1, 2, 10, tzinfo=UTC)


def fixture(name: str) -> list[Conversation]:
    found, rejects = read(FIXTURES / f"{name}.json", name)
    assert rejects == []
    return found


def test_chatwoot_tells_who_spoke_and_what_happened() -> None:
    first, second = fixture("chatwoot")
    assert story(first) == [
        ("system", None, "Shop typically replies in a few hours."),
        ("customer", None, "I was charged twice & my <order number> is 1 < 2?"),
        ("assistant", None, "I can look into that.\nWhich card was it?"),
        ("customer", None, ""),
        ("system", "handoff_requested", "Conversation was marked open by Helper"),
        ("system", "handoff_requested", "Assigned to billing desk by Helper"),
        ("system", "accepted", "Assigned to Bo Berg by Mia"),
        ("agent", None, "Refunded, sorry about that."),
        ("system", "resolved", "Conversation was marked resolved by Bo Berg"),
        ("system", None, "Please rate the conversation"),
        ("system", "reopened", "System reopened the conversation due to a new incoming message."),
        ("customer", None, "One more thing"),
        ("system", "handed_back", "Conversation was marked as pending by Bo Berg"),
    ]
    assert story(second)[1] == ("assistant", None, "Under Settings, Invoices.")


def test_intercom_tells_who_spoke_and_what_happened() -> None:
    first, second = fixture("intercom")
    assert story(first) == [
        ("customer", None, "My site is down."),
        ("assistant", None, "Have you tried clearing the cache?\nOpen settings\nPress clear"),
        ("customer", None, "Yes\n> Have you tried clearing\n> the cache?"),
        ("system", "handoff_requested", ""),
        ("system", "accepted", ""),
        ("agent", None, "I am looking & will fix it."),
        ("customer", None, ""),
        ("agent", "resolved", "Fixed."),
        ("customer", "reopened", "Down again"),
        ("system", "reopened", ""),
        ("system", "handed_back", ""),
        ("system", "resolved", ""),
    ]
    assert [role for role, _, _ in story(second)] == ["system", "customer", "assistant", "system"]


def test_zendesk_tells_who_spoke_and_what_happened() -> None:
    first, second = fixture("zendesk")
    assert story(first) == [
        ("customer", None, "My printer is on fire & nobody helps"),
        ("assistant", None, "Is it plugged in?"),
        ("system", "handoff_requested", ""),
        ("system", "accepted", ""),
        ("agent", None, "Please use the extinguisher."),
        ("customer", None, "I am her colleague, it is out now"),
        ("system", None, "This ticket will be closed soon."),
        ("system", "resolved", ""),
        ("system", "reopened", ""),
        ("system", "handed_back", ""),
    ]
    assert story(second) == [("customer", None, "hello?"), ("assistant", None, "Hi Kim")]


@pytest.mark.parametrize("name", DESKS)
def test_private_notes_are_nowhere(name: str) -> None:
    assert "SECRET" in (FIXTURES / f"{name}.json").read_text()
    assert not any("SECRET" in repr(conversation) for conversation in fixture(name))


OUTCOMES = {
    "chatwoot": [(True, True, 4.0), (False, True, None)],
    "intercom": [(True, True, 2.0), (False, True, 5.0)],
    "zendesk": [(True, True, 1.0), None],
}
HANDED_OVER_AFTER = {"chatwoot": 50, "intercom": 30, "zendesk": 60}


@pytest.mark.parametrize("name", DESKS)
def test_the_outcome_is_what_the_export_says(name: str) -> None:
    found = fixture(name)
    said = [c.outcome and (c.outcome.escalated, c.outcome.resolved, c.outcome.satisfaction) for c in found]
    assert said == OUTCOMES[name]
    assert found[0].outcome is not None
    assert found[0].outcome.escalated_at == START + timedelta(seconds=HANDED_OVER_AFTER[name])


def test_a_rating_has_a_time_only_where_the_export_tells_when_it_was_given() -> None:
    given = {name: [(c.satisfaction, c.satisfaction_at) for c in fixture(name)] for name in DESKS}
    assert given["chatwoot"] == [(4.0, START + timedelta(minutes=5)), (None, None)]
    # The second was asked for at a known time, which is not when it was given.
    assert given["intercom"] == [(2.0, START + timedelta(seconds=710)), (5.0, None)]
    assert given["zendesk"] == [(1.0, START + timedelta(minutes=8)), (None, None)]


def test_what_else_is_known_of_a_chatwoot_conversation() -> None:
    first = fixture("chatwoot")[0]
    assert (first.conversation_id, first.channel, first.locale) == ("1042", "web", "en")
    assert (first.facts.customer_id, first.facts.name, first.facts.region) == ("77", "Ana Lima", "PT")
    assert first.environment is not None
    assert (first.environment.browser, first.environment.os) == ("Firefox 140.0", "macOS 15.1")
    assert first.outcome is not None
    assert (first.outcome.team, first.outcome.agent) == ("billing desk", "Bo Berg")


def chatwoot(messages: list[dict[str, Any]], **fields: Any) -> dict[str, Any]:
    filled = [
        {"id": index, "message_type": 0, "created_at": 1767348000 + index, **m} for index, m in enumerate(messages)
    ]
    return {"id": 1, "messages": filled, **fields}


def read_one(tmp_path: Path, value: Any, name: str = "chatwoot") -> Conversation:
    (tmp_path / "a.json").write_text(json.dumps(value))
    (found,), rejects = read(tmp_path / "a.json", name)
    assert rejects == []
    return found


def test_messages_come_in_order_of_time(tmp_path: Path) -> None:
    messages = [{"content": "second", "created_at": 1767348010}, {"content": "first", "created_at": 1767348000}]
    assert [text for _, _, text in story(read_one(tmp_path, chatwoot(messages)))] == ["first", "second"]


@pytest.mark.parametrize(
    "sender, role",
    [("agent_bot", "assistant"), ("captain_assistant", "assistant"), ("user", "agent"), (None, "system")],
)
def test_an_outgoing_chatwoot_message_is_of_its_sender(tmp_path: Path, sender: str | None, role: str) -> None:
    out = {"message_type": 1, "content": "x", "sender": {"type": sender} if sender else None}
    assert story(read_one(tmp_path, chatwoot([{"content": "hi"}, out])))[1][0] == role


def test_a_deleted_message_keeps_its_place_without_words(tmp_path: Path) -> None:
    deleted = {"content": "This message was deleted", "content_attributes": {"deleted": True}}
    assert story(read_one(tmp_path, chatwoot([deleted]))) == [("customer", None, "")]


def test_without_an_assistant_nothing_is_said_of_escalation(tmp_path: Path) -> None:
    human = {"message_type": 1, "content": "x", "sender": {"type": "user"}}
    found = read_one(tmp_path, chatwoot([{"content": "hi"}, human], status="open"))
    assert found.outcome is None


BROKEN: dict[str, tuple[str, Any, str]] = {
    "chatwoot, a message without a type": ("chatwoot", {"id": 1, "messages": [{"id": 1}]}, "messages[0]"),
    "chatwoot, a time in words": ("chatwoot", chatwoot([{"created_at": "noon"}]), "messages[0].created_at"),
    "chatwoot, only notes": ("chatwoot", chatwoot([{"content": "x", "private": True}]), "messages"),
    "chatwoot, no messages": ("chatwoot", {"id": 1}, ""),
    "chatwoot, a control character": ("chatwoot", chatwoot([{"content": "a\x00"}]), "messages[0].text"),
    "chatwoot, a text too long": ("chatwoot", chatwoot([{"content": "a" * 100_001}]), "messages[0].text"),
    "intercom, a part without a type": (
        "intercom",
        {"id": "1", "conversation_parts": {"conversation_parts": [{"id": "2"}]}},
        "conversation_parts.conversation_parts[0]",
    ),
    "intercom, a rating of 9": (
        "intercom",
        {"id": "1", "source": {"body": "x", "author": {"type": "user"}}, "conversation_rating": {"rating": 9}},
        "satisfaction",
    ),
    "zendesk, a comment that is a text": ("zendesk", {"id": 1, "comments": ["x"]}, "comments[0]"),
    "zendesk, an id that is a list": ("zendesk", {"id": [1], "comments": []}, "id"),
}


@pytest.mark.parametrize("name, value, path", BROKEN.values(), ids=BROKEN)
def test_a_broken_record_is_named_and_costs_no_other(tmp_path: Path, name: str, value: Any, path: str) -> None:
    good = json.loads((FIXTURES / f"{name}.json").read_text())
    good = (good.get("data", {}).get("payload") or good.get("conversations") or good.get("tickets"))[0]
    (tmp_path / "a.json").write_text(json.dumps([value, good], indent=1))
    found, (reject,) = read(tmp_path / "a.json", name)
    assert len(found) == 1
    assert (reject.line, reject.path) == (2, path)
    assert reject.raw is not None


@pytest.mark.parametrize("name", DESKS)
def test_an_array_and_lines_read_as_the_page_does(tmp_path: Path, name: str) -> None:
    page = json.loads((FIXTURES / f"{name}.json").read_text())
    values = page.get("data", {}).get("payload") or page.get("conversations") or page.get("tickets")
    for value in values if name == "zendesk" else []:
        value["users"] = page["users"]  # which the page lists beside the tickets
    (tmp_path / "a.json").write_text(json.dumps(values))
    (tmp_path / "b.jsonl").write_text("\n".join(map(json.dumps, values)))
    assert fixture(name) == read(tmp_path / "a.json", name)[0] == read(tmp_path / "b.jsonl", name)[0]


def test_zendesk_audits_alone_hold_the_words_too(tmp_path: Path) -> None:
    ticket = json.loads((FIXTURES / "zendesk.json").read_text())["tickets"][0]
    del ticket["comments"]
    found = read_one(tmp_path, ticket, "zendesk")
    assert story(found)[0] == ("customer", None, "My printer is on fire")


@pytest.mark.parametrize(
    "value",
    [
        1767348000,
        1767348000.0,
        1767348000000,
        "1767348000",
        "2026-01-02T10:00:00Z",
        "2026-01-02T10:00:00.000Z",
        "2026-01-02 10:00:00 UTC",
        "2026/01/02 12:00:00 +0200",
        "2026-01-02T10:00:00",
    ],
)
def test_times_in_every_writing(value: int | float | str) -> None:
    assert read_time(value, "x") == START


def test_a_time_that_utc_has_no_year_for_is_refused() -> None:
    with pytest.raises(BadRecord, match="x: 0001-01-01T00:00:00"):
        read_time("0001-01-01T00:00:00+14:00", "x")


@pytest.mark.parametrize("value", [None, 0, ""])
def test_an_absent_time(value: int | str | None) -> None:
    assert read_time(value, "x") is None
