"""What became of a conversation or a decision, as people report it afterwards."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, and_, exists, or_, select, update

from handoff.errors import BadRecord, Conflict, Problem
from handoff.store.facts import check_storable
from handoff.store.tables import conversations, decisions, insert_or_ignore, outcomes
from handoff.transcript import Outcome
from handoff.transcript.redact import redact_text
from handoff.transcript.types import Name

Key = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class Feedback(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What happened, or whether somebody agrees with a decision; at least one of the two.

    `decision` is the `request_id` of the answer, or the decision's own id; without it the whole conversation is
    meant. The same `key` twice is the same feedback; without one, the same content is, unless something else was
    reported in between.
    """

    conversation_id: Name
    key: Key | None = None
    decision: Name | None = None
    agree: bool | None = None
    outcome: Outcome | None = None

    @property
    def says_nothing(self) -> bool:
        """Whether neither an opinion is in it nor anything that happened."""
        return self.agree is None and self.outcome in (None, Outcome())


class Reported(msgspec.Struct, frozen=True):
    """Feedback as it is stored, and when it came. Its key is always there."""

    feedback: Feedback
    at: datetime


class Received(msgspec.Struct, frozen=True):
    """An outcome as it was taken in: the conversation, the key that it goes by from now on, and when it first came."""

    conversation_id: str
    key: str
    at: datetime


class Recorded(msgspec.Struct, frozen=True):
    """Feedback as it is stored; `is_new` is False when it was there already.

    `is_known` says whether the store holds what it is about: the decision that it names, else anything of the
    conversation. (A decision that escalates nobody is there a twentieth of a second after its answer.)
    """

    reported: Reported
    is_new: bool
    is_known: bool


def record(connection: Connection, feedback: Feedback, at: datetime, name: str | None = None) -> Recorded:
    """Store the feedback once; `name` is the customer's. Raises `Conflict` when its key came with other content."""
    prepared = _prepared(connection, feedback, () if name is None else (name,))
    row = {
        "conversation_id": prepared.conversation_id,
        "idempotency_key": prepared.key,
        "decision": prepared.decision,
        "at": at,
        "agree": prepared.agree,
        "outcome": None if prepared.outcome is None else msgspec.json.encode(prepared.outcome).decode(),
    }
    made = connection.execute(insert_or_ignore(connection, outcomes).returning(outcomes.c.number), row)
    is_new = made.first() is not None
    found = connection.execute(
        select(outcomes).where(
            outcomes.c.conversation_id == prepared.conversation_id, outcomes.c.idempotency_key == prepared.key
        )
    ).one()
    reported = _reported(found)
    if reported.feedback != prepared:
        problem = f"'{prepared.key}' came with another outcome of conversation '{prepared.conversation_id}'"
        raise Conflict(Problem("key", problem, "a key of its own for each outcome"))
    return Recorded(reported, is_new, _is_known(connection, prepared))


def read_outcomes(connection: Connection, conversation_id: str) -> list[Reported]:
    """All feedback on a conversation, in the order in which it came."""
    rows = connection.execute(
        select(outcomes).where(outcomes.c.conversation_id == conversation_id).order_by(outcomes.c.number)
    )
    return [_reported(row) for row in rows]


def together(reported: Iterable[Reported]) -> Outcome | None:
    """What all reports say of the conversation's end; of two on the same field the newer. None where none says a thing.

    A desk tells at the hand-off who took over, and days later that it is resolved.
    """
    fields: dict[str, Any] = {}
    for each in reported:
        outcome = each.feedback.outcome or Outcome()
        fields |= {name: value for name in outcome.__struct_fields__ if (value := getattr(outcome, name)) is not None}
    return Outcome(**fields) if fields else None


def mask_outcomes(connection: Connection, conversation_id: str, name: str | None) -> None:
    """Mask the name in what was reported before it was known."""
    if name is None:
        return
    for row in connection.execute(select(outcomes).where(outcomes.c.conversation_id == conversation_id)).all():
        outcome = _reported(row).feedback.outcome
        if outcome is not None and (masked := _masked(outcome, (name,))) != outcome:
            text = msgspec.json.encode(masked).decode()
            connection.execute(update(outcomes).where(outcomes.c.number == row.number).values(outcome=text))


def _is_known(connection: Connection, feedback: Feedback) -> bool:
    decided = exists().where(decisions.c.conversation_id == feedback.conversation_id)
    if feedback.decision is not None:
        named = or_(decisions.c.request_id == feedback.decision, decisions.c.id == feedback.decision)
        return bool(connection.scalar(select(decided.where(named))))
    begun = exists().where(conversations.c.id == feedback.conversation_id)
    return bool(connection.scalar(select(or_(begun, decided))))


def _prepared(connection: Connection, feedback: Feedback, names: tuple[str, ...]) -> Feedback:
    if feedback.says_nothing:
        raise BadRecord(Problem("", "neither outcome nor agree", "what happened (outcome), or agree: true or false"))
    check_storable(feedback, "")
    outcome = None if feedback.outcome is None else _masked(feedback.outcome, names)
    masked = msgspec.structs.replace(feedback, outcome=outcome)
    return msgspec.structs.replace(masked, key=feedback.key or _content_key(connection, masked))


def _masked(outcome: Outcome, names: tuple[str, ...]) -> Outcome:
    """Free text of people may name people."""
    texts = {field: value for field in outcome.__struct_fields__ if isinstance(value := getattr(outcome, field), str)}
    return msgspec.structs.replace(outcome, **{field: redact_text(text, names) for field, text in texts.items()})


def _content_key(connection: Connection, feedback: Feedback) -> str:
    """The same for the same content, until another report contradicts it: whoever takes back an opinion, and then
    returns to it, says something new."""
    content = f"content:{hashlib.sha256(msgspec.json.encode(feedback)).hexdigest()}"
    about = outcomes.c.conversation_id == feedback.conversation_id
    may: list[ColumnElement[bool]] = [] if feedback.outcome is None else [outcomes.c.outcome.is_not(None)]
    if feedback.agree is not None:
        same = outcomes.c.decision.is_not_distinct_from(feedback.decision)
        may.append(and_(same, outcomes.c.agree != feedback.agree))
    newest_first = connection.execute(select(outcomes).where(about, or_(*may)).order_by(outcomes.c.number.desc()))
    before = (row.number for row in newest_first if _contradict(_reported(row).feedback, feedback))
    number = next(before, None)
    newest_first.close()
    return content if number is None else f"{content}:{number}"


def _contradict(one: Feedback, other: Feedback) -> bool:
    """Whether they say different things of the conversation's end, or of the same decision."""
    if one.decision == other.decision and None not in (one.agree, other.agree) and one.agree != other.agree:
        return True
    ends = one.outcome or Outcome(), other.outcome or Outcome()
    both = [tuple(getattr(end, field) for end in ends) for field in Outcome.__struct_fields__]
    return any(None not in pair and pair[0] != pair[1] for pair in both)


def _reported(row: Row[Any]) -> Reported:
    outcome = None if row.outcome is None else msgspec.json.decode(row.outcome, type=Outcome)
    feedback = Feedback(
        conversation_id=row.conversation_id,
        key=row.idempotency_key,
        decision=row.decision,
        agree=row.agree,
        outcome=outcome,
    )
    return Reported(feedback, row.at)
