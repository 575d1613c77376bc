"""Conversations from files of every form."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from handoff.analytics.reading import conversations_of, one_of
from handoff.errors import BadInput, BadRecord
from handoff.transcript import to_json
from tests.build import conversation

ONE, TWO = (conversation({"customer": "hi"}, conversation_id=name) for name in ("one", "two"))


def lines(folder: Path) -> Path:
    path = folder / "chats.jsonl"
    path.write_bytes(to_json(ONE) + b"\n" + to_json(TWO) + b"\n")
    return path


def pretty(folder: Path, value: object) -> Path:
    path = folder / "chat.json"
    path.write_text(json.dumps(value, indent=2), "utf-8")
    return path


def test_a_conversation_over_many_lines(tmp_path: Path) -> None:
    path = pretty(tmp_path, json.loads(to_json(ONE)))
    assert [c.conversation_id for c in conversations_of(path)] == ["one"]
    assert one_of(path, None) == ONE


def test_a_list_of_conversations(tmp_path: Path) -> None:
    path = pretty(tmp_path, [json.loads(to_json(each)) for each in (ONE, TWO)])
    assert [c.conversation_id for c in conversations_of(path)] == ["one", "two"]


def test_lines_and_folders(tmp_path: Path) -> None:
    assert [c.conversation_id for c in conversations_of(lines(tmp_path))] == ["one", "two"]
    assert [c.conversation_id for c in conversations_of(tmp_path)] == ["one", "two"]
    assert one_of(tmp_path, "two") == TWO


def test_a_bad_record_is_named(tmp_path: Path) -> None:
    good, bad = json.loads(to_json(ONE)), {"conversation_id": "x", "messages": [{"role": "bot", "text": ""}]}
    with pytest.raises(BadRecord, match=r"chat\.json: messages\[0\]\.role"):
        list(conversations_of(pretty(tmp_path, bad)))
    with pytest.raises(BadRecord, match=r"chat\.json, conversation 2 of the list: messages\[0\]\.role"):
        list(conversations_of(pretty(tmp_path, [good, bad])))
    with pytest.raises(BadInput, match="not JSON"):
        (tmp_path / "chat.json").write_text("[1, 2")
        list(conversations_of(tmp_path / "chat.json"))


def test_one_has_to_be_chosen(tmp_path: Path) -> None:
    path = lines(tmp_path)
    with pytest.raises(BadInput, match="holds several conversations; choose one with --conversation: one, two"):
        one_of(path, None)
    with pytest.raises(BadInput, match="no conversation 'three' among 2; there are one, two"):
        one_of(path, "three")
    path.write_text("")
    with pytest.raises(BadInput, match=r"\.jsonl: empty; expected"):
        one_of(path, None)


def test_json_lines_under_another_name_are_read_as_such(tmp_path: Path) -> None:
    path = lines(tmp_path)
    assert list(conversations_of(path.rename(tmp_path / "chats.json"))) == [ONE, TWO]


NOT_CONVERSATIONS = {
    "": "chat.json: empty; expected a conversation as JSON, or a list of them",
    "[]": "chat.json: an empty list; it holds no conversation",
    "id,text\n1,hello\n": "chat.json: .*; the file seems to be CSV; expected a conversation as JSON",
}


@pytest.mark.parametrize(("text", "says"), NOT_CONVERSATIONS.items(), ids=["empty", "an empty list", "CSV"])
def test_what_is_no_json_is_named(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "chat.json").write_text(text)
    with pytest.raises(BadInput, match=says):
        list(conversations_of(tmp_path / "chat.json"))
