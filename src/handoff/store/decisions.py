"""What was decided, in full: one record a decision, never changed, and gone only when it is forgotten."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import numpy as np
from sqlalchemy import Connection, select

from handoff.chance import new_hex
from handoff.decision import Answer
from handoff.features import FEATURE_NAMES, FEATURES_VERSION
from handoff.policy import Action
from handoff.standing import Standing
from handoff.store.tables import decisions, feature_names, insert_or_ignore, insert_or_ignore_rows

ESCALATING: tuple[Action, ...] = ("proactive_escalation", "escalate_now")

_FEATURES = np.dtype("<f8")


class DecisionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One decision as it is stored. `row` is the feature row that it was made from, `timings` milliseconds by stage."""

    id: str
    at: datetime
    message_id: str | None
    answer: Answer
    row: tuple[float, ...]
    timings: dict[str, float]

    @property
    def escalates(self) -> bool:
        """Whether somebody will act on it, so that it must not be lost."""
        return self.answer.recommendation.action in ESCALATING


def decision_record(
    answer: Answer, standing: Standing, at: datetime, timings: Mapping[str, float] | None = None
) -> DecisionRecord:
    """The record of an answer that was made where a conversation stood. It holds no text of any message."""
    moment = standing.moment
    return DecisionRecord(
        id=_new_id(at),
        at=at,
        message_id=moment.message.message_id,
        answer=answer,
        row=moment.row,
        timings={stage: round(milliseconds, 3) for stage, milliseconds in (timings or {}).items()},
    )


def _new_id(at: datetime) -> str:
    """128 bits in hexadecimal as UUIDs of version 7 have them: milliseconds, then chance. Random ones alone would have
    every decision change another page of their index: a fifth of a write of thirty, after twelve thousand."""
    return f"{int(at.timestamp() * 1_000):012x}{new_hex(20)}"


def without_personal_ids(record: DecisionRecord, hide: Callable[[str], str]) -> DecisionRecord:
    """The record with the ids that callers made up as they may be stored: itself where nothing is to be hidden."""
    answer = record.answer
    ids = (answer.conversation_id, answer.request_id, record.message_id, *[rule.message_id for rule in answer.rules])
    hidden = {each: None if each is None else hide(each) for each in ids}
    if all(each == its for each, its in hidden.items()):
        return record
    rules = tuple(msgspec.structs.replace(rule, message_id=hidden[rule.message_id]) for rule in answer.rules)
    named = {"conversation_id": hidden[answer.conversation_id], "request_id": hidden[answer.request_id]}
    answer = msgspec.structs.replace(answer, **named, rules=rules)
    return msgspec.structs.replace(record, answer=answer, message_id=hidden[record.message_id])


def insert_decisions(connection: Connection, records: Sequence[DecisionRecord]) -> None:
    """Write the records but those that are there: an earlier try may have gone through unheard."""
    insert_or_ignore_rows(connection, decisions, [_columns(record) for record in records])


def note_feature_names(connection: Connection) -> None:
    """Write down once which features a row of this version holds."""
    row = {"version": FEATURES_VERSION, "names": msgspec.json.encode(FEATURE_NAMES).decode()}
    connection.execute(insert_or_ignore(connection, feature_names), row)


def read_decisions(connection: Connection, conversation_id: str) -> list[DecisionRecord]:
    """The decisions on a conversation, in the order in which they were stored."""
    wanted = select(decisions).where(decisions.c.conversation_id == conversation_id).order_by(decisions.c.number)
    return [
        DecisionRecord(
            id=row.id,
            at=row.at,
            message_id=row.message_id,
            answer=msgspec.json.decode(row.answer, type=Answer),
            row=feature_row(row.features),
            timings=msgspec.json.decode(row.timings, type=dict[str, float]),
        )
        for row in connection.execute(wanted)
    ]


def feature_row(stored: bytes) -> tuple[float, ...]:
    """The feature row from its bytes; NaN is missing."""
    return tuple(np.frombuffer(stored, _FEATURES).tolist())


def stored_answer(text: str, request_id: str | None) -> Answer:
    """An answer from its JSON, as it is given to the request that asks again."""
    return msgspec.structs.replace(msgspec.json.decode(text, type=Answer), request_id=request_id)


def _columns(record: DecisionRecord) -> dict[str, Any]:
    answer = record.answer
    recommendation, versions = answer.recommendation, answer.versions
    return {
        "id": record.id,
        "conversation_id": answer.conversation_id,
        "message_id": record.message_id,
        "request_id": answer.request_id,
        "at": record.at,
        "mode": answer.mode,
        "model_version": versions.model,
        "routing_version": versions.routing,
        "features_version": versions.features,
        "rules_version": versions.rules,
        "policy_version": versions.policy,
        "features": struct.pack(f"<{len(record.row)}d", *record.row),
        "rules": msgspec.json.encode([rule.rule for rule in answer.rules]).decode(),
        "probability": answer.escalation.probability,
        "action": recommendation.action,
        "reason": recommendation.reason,
        "urgency": recommendation.urgency,
        "decided_by": recommendation.decided_by,
        "timings": msgspec.json.encode(record.timings).decode(),
        "answer": msgspec.json.encode(answer).decode(),
    }
