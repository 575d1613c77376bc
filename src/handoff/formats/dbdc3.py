"""DBDC3: English chats between a person and a bot, each bot turn judged by 30 people.

A turn's judgements are counts of O (no breakdown), T (possibly) and X (breakdown). Its label is 1 when more people
said X than O and more than T, else 0: a tie is not a breakdown. Turns that nobody judged have no label.
(Dialogue Breakdown Detection Challenge 3, Higashinaka et al. 2017.)
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec

from handoff.formats.convert import converted, decoded
from handoff.formats.record import Record
from handoff.formats.source import lines
from handoff.transcript import Conversation, from_object

_ROLES = {"bot": "assistant", "user": "customer"}


class Judgements(msgspec.Struct, frozen=True):
    """How many people called a bot turn no breakdown (O), a possible one (T), a breakdown (X)."""

    O: int  # noqa: E741 (the format's names)
    T: int
    X: int


class _Turn(msgspec.Struct, frozen=True):
    speaker: Literal["bot", "user"]
    text: str
    breakdown: Judgements | None = None


class _Dialogue(msgspec.Struct, frozen=True):
    dialogue_id: str
    turns: list[msgspec.Raw]


def read_dbdc3(path: Path) -> Iterator[Record]:
    """Dialogues as conversations named by the file and their own id (dev-CIC0003)."""
    stem = path.name.partition(".")[0]
    for line in lines(path):
        if line.raw.strip():
            yield converted(path, line, lambda raw: _conversation(stem, raw))


def read_judgements(path: Path) -> list[tuple[Judgements | None, ...]]:
    """The judgements of every turn, dialogue by dialogue; None for a turn that nobody judged.

    Raises `BadRecord` for a dialogue that cannot be read, so that the order is that of `read_dbdc3` without rejects.
    """
    dialogues = (decoded(line.raw, _Dialogue) for line in lines(path) if line.raw.strip())
    return [tuple(decoded(turn, _Turn).breakdown for turn in dialogue.turns) for dialogue in dialogues]


def _conversation(stem: str, raw: bytes) -> Conversation:
    dialogue = decoded(raw, _Dialogue)
    turns = [decoded(each, _Turn, f"turns[{index}]") for index, each in enumerate(dialogue.turns)]
    messages = [_message(turn) for turn in turns]
    return from_object(
        {"conversation_id": f"{stem}-{dialogue.dialogue_id}", "locale": "en", "channel": "chat", "messages": messages}
    )


def _message(turn: _Turn) -> dict[str, Any]:
    message: dict[str, Any] = {"role": _ROLES[turn.speaker], "text": turn.text}
    counts = turn.breakdown
    if counts is not None:
        message["label"] = int(counts.X > counts.O and counts.X > counts.T)
    return message
