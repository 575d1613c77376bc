"""Simulated conversations as a native file, for whoever reads files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from handoff.errors import BadInput
from handoff.files import whole
from handoff.formats.native import NativeWriter
from handoff.simulate.people import CUSTOMER_ID
from handoff.simulate.run import conversation_id
from handoff.transcript import Conversation

FILE_NAME = "conversations.jsonl"


class Written(msgspec.Struct, frozen=True):
    """What is in the file: counts, and the first and last conversation's start."""

    file: str
    conversations: int
    messages: int
    customers: int
    escalated: int
    first: str | None
    last: str | None


class _Customer(msgspec.Struct):
    customer_id: str


class _Ids(msgspec.Struct):
    """What of a line tells who wrote it."""

    conversation_id: str
    customer: _Customer


def write(conversations: Iterable[Conversation], out: Path, on_conversation: Callable[[], object]) -> Written:
    """Write the conversations to `out`/conversations.jsonl, in one step once all are there.

    An earlier simulation is replaced. Raises `BadInput` where that file is anything else.
    """
    _check_nothing_lost(out)
    file = out / FILE_NAME
    with whole(file) as partial:
        return _write(conversations, partial, file, on_conversation)


def _write(conversations: Iterable[Conversation], partial: Path, file: Path, step: Callable[[], object]) -> Written:
    count = messages = escalated = 0
    customers: set[str | None] = set()
    starts: list[str] = []
    with NativeWriter(partial, zipped=False) as writer:
        for conversation in conversations:
            writer.write(conversation)
            count += 1
            messages += len(conversation.messages)
            customers.add(conversation.facts.customer_id)
            escalated += bool(conversation.outcome and conversation.outcome.escalated)
            starts[1 if starts else 0 :] = [str(conversation.messages[0].sent_at)]
            step()
    first, last = (starts[0], starts[-1]) if starts else (None, None)
    return Written(str(file), count, messages, len(customers), escalated, first, last)


def _check_nothing_lost(out: Path) -> None:
    """Nothing but an earlier simulation is replaced; whatever else is in the folder stays as it is."""
    if out.exists() and not out.is_dir():
        raise BadInput(f"{out}: a file; expected a folder to write to")
    file = out / FILE_NAME
    if file.exists() and not _is_simulated(file):
        remedy = "name another folder with --out, or remove it first"
        raise BadInput(f"{file}: holds conversations that are not simulated; {remedy}")


def _is_simulated(file: Path) -> bool:
    """Whether every line has the ids of a simulation with one seed, in their order."""
    seeds: set[str] = set()
    with file.open("rb") as lines:
        for number, line in enumerate(lines):
            try:
                ids = msgspec.json.decode(line, type=_Ids)
            except (msgspec.DecodeError, UnicodeDecodeError):
                return False
            customer = CUSTOMER_ID.fullmatch(ids.customer.customer_id)
            if ids.conversation_id != conversation_id(number) or customer is None:
                return False
            seeds.add(customer["seed"])
    return len(seeds) <= 1
