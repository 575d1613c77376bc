"""Predictions on stored conversations, streamed to JSON Lines or Parquet: one answer a conversation, or one row a
message."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from handoff.decision import Answer, Judge, Verdict
from handoff.files import whole
from handoff.formats.native import NativeWriter
from handoff.formats.parquet import ParquetWriter
from handoff.policy import Action, level
from handoff.policy.decide import Level
from handoff.transcript import Conversation


class MessageRow(msgspec.Struct, frozen=True):
    """What was predicted right after one message. Probability and level are None without a model; `rules` holds the
    ids of the live rules, in the order of their file."""

    conversation_id: str
    message_id: str
    index: int
    probability: float | None
    level: Level | None
    action: Action
    rules: tuple[str, ...]


Prediction = MessageRow | Answer


def predictions(
    judge: Judge, conversations: Iterable[Conversation], *, every_message: bool = False, explain: bool = False
) -> Iterator[Prediction]:
    """One answer a conversation or, with `every_message`, one row a message, in the order of the conversations."""
    for conversation in conversations:
        if every_message:
            yield from message_rows(judge, conversation)
        else:
            yield judge.answer(conversation, explain=explain)


def message_rows(judge: Judge, conversation: Conversation) -> Iterator[MessageRow]:
    """One row a message, those that are no text of the episode included (announcements, agents, the system)."""
    for verdict in judge.follow(conversation, reasons=False):
        yield _row(conversation.conversation_id, verdict)


def _row(conversation_id: str, verdict: Verdict) -> MessageRow:
    probability = None if verdict.probability is None else round(verdict.probability, 6)
    return MessageRow(
        conversation_id=conversation_id,
        message_id=verdict.moment.message.message_id or "",
        index=verdict.moment.index,
        probability=probability,
        level=None if verdict.probability is None else level(verdict.probability),
        action=verdict.decision.action,
        rules=tuple(fired.rule.id for fired in verdict.fired if fired.rule.status == "live"),
    )


@contextmanager
def new_file(path: Path, kind: type[Prediction]) -> Iterator[NativeWriter | ParquetWriter]:
    """A writer to `path`, Parquet or JSON Lines by its ending. The file appears whole or not at all."""
    zipped = path.suffix == ".gz"
    with whole(path) as partial:
        opened = ParquetWriter(partial, kind) if path.suffix == ".parquet" else NativeWriter(partial, zipped=zipped)
        with opened as writer:
            yield writer
