"""The conversations of a file, whatever its form: one JSON conversation, a list of them, JSON Lines or Parquet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from handoff.errors import BadInput, BadRecord, Problem
from handoff.formats import read_conversations
from handoff.formats.document import is_json_lines
from handoff.formats.kind import seems
from handoff.transcript import Conversation, parse

# How many ids are named where one has to be chosen.
NAMED_IDS = 5


def conversations_of(path: Path) -> Iterator[Conversation]:
    """The conversations of a `.json` file (one, or a list), of JSON Lines, Parquet, or a folder of the last two.

    Raises `BadRecord` naming file and line (in a list: which one) at the first that cannot be used, and `BadInput`
    where there is nothing.
    """
    if path.suffix != ".json" or is_json_lines(path):
        yield from read_conversations(path)
        return
    raw = path.read_bytes()
    if not raw.strip():
        raise BadInput(f"{path}: empty; expected a conversation as JSON, or a list of them")
    if not raw.lstrip().startswith(b"["):
        yield _parsed(raw, str(path))
        return
    several = _list(raw, path)
    if not several:
        raise BadInput(f"{path}: an empty list; it holds no conversation")
    for number, one in enumerate(several, 1):
        yield _parsed(bytes(one), f"{path}, conversation {number} of the list")


def one_of(path: Path, conversation_id: str | None) -> Conversation:
    """The conversation of that id, or the only one there is. Raises `BadInput` naming some ids otherwise."""
    return one_among(conversations_of(path), conversation_id, str(path))


def one_among(conversations: Iterable[Conversation], conversation_id: str | None, place: str) -> Conversation:
    """The same of any conversations; `place` is where they come from, for the message."""
    ids: list[str] = []
    first: Conversation | None = None
    for conversation in conversations:
        if conversation.conversation_id == conversation_id:
            return conversation
        ids.append(conversation.conversation_id)
        first = first or conversation
        if conversation_id is None and len(ids) > NAMED_IDS:
            break
    if conversation_id is None and len(ids) == 1 and first is not None:
        return first
    named = ", ".join(ids[:NAMED_IDS]) + (", …" if len(ids) > NAMED_IDS else "")
    if not ids:
        raise BadInput(f"{place}: holds no conversation")
    if conversation_id is None:
        raise BadInput(f"{place}: holds several conversations; choose one with --conversation: {named}")
    raise BadInput(f"{place}: no conversation '{conversation_id}' among {len(ids):,}; there are {named}")


def _list(raw: bytes, path: Path) -> list[msgspec.Raw]:
    try:
        return msgspec.json.decode(raw, type=list[msgspec.Raw])
    except msgspec.DecodeError as error:
        raise BadInput(f"{path}: not JSON ({error}); expected a conversation or a list of them") from None


def _parsed(raw: bytes, place: str) -> Conversation:
    try:
        return parse(raw)
    except BadRecord as error:
        problem, found = error.problem, seems(raw)
        if found is not None and not raw.lstrip().startswith(b"{"):
            expected = "a conversation as JSON, or a list of them (other formats: 'handoff ingest --format')"
            problem = Problem(problem.path, f"{problem.problem}; the file seems to be {found}", expected)
        raise BadRecord(problem, file=place) from None
