"""One conversation played again: what was believed, which rules held, and what was decided after every message."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from handoff.analytics.backtest import ALARMS
from handoff.decision import Judge, Mode, Verdict, Versions
from handoff.explanation import Indicator
from handoff.policy import Action, level
from handoff.policy.decide import DecidedBy, Level
from handoff.policy.settings import Cuts
from handoff.rules import Fired, Urgency
from handoff.transcript import Conversation, Role
from handoff.transcript.episodes import Owner
from handoff.transcript.outcomes import HandOff, handed_off, is_censored


class Started(msgspec.Struct, frozen=True):
    """A rule that began to hold, and what it says; `status` is `trial` for one that does not decide."""

    rule: str
    urgency: Urgency
    reason: str
    status: str
    says: str


class Turn(msgspec.Struct, frozen=True):
    """One message, redacted, and all that was known right after it.

    `minutes` count from the first message that has a time. `read` is False where the message is no text of the
    episode. `changed` says that action, reason or who decides differ from the message before.
    """

    index: int
    message_id: str
    role: Role
    text: str
    sent_at: datetime | None
    minutes: float | None
    event: str | None
    confidence: float | None
    owner: Owner
    episode: int
    read: bool
    probability: float | None
    level: Level | None
    action: Action
    urgency: Urgency | None
    reason: str | None
    contributing_reasons: tuple[str, ...]
    decided_by: DecidedBy
    rule: str | None
    says: str
    changed: bool
    started: tuple[Started, ...]
    stopped: tuple[str, ...]
    indicators: tuple[Indicator, ...]


class Ending(msgspec.Struct, frozen=True):
    """What became of it. `escalated` is None for a conversation abandoned before anybody took over.

    `alarm` is the index of the first message after which a human would have been called (before the hand-off, in
    the episode that was handed off); the leads run from it to the hand-off, which is at message `handed_off`.
    """

    escalated: bool | None
    abandoned: bool
    handed_off: int | None
    handed_off_at: datetime | None
    team: str | None
    reason: str | None
    needed: bool | None
    alarm: int | None
    lead_messages: int | None
    lead_minutes: float | None


class Replay(msgspec.Struct, frozen=True):
    """A conversation, turn by turn, and how it ended; `outcome_known` is False where none was recorded."""

    conversation_id: str
    channel: str | None
    locale: str | None
    plan: str | None
    mode: Mode
    versions: Versions
    cuts: Cuts
    turns: tuple[Turn, ...]
    outcome_known: bool
    ending: Ending


def replay(judge: Judge, conversation: Conversation) -> Replay:
    """Play the conversation again, each message seen with what was known then."""
    verdicts = list(judge.follow(conversation))
    start = next((v.moment.message.sent_at for v in verdicts if v.moment.message.sent_at is not None), None)
    before: list[Verdict | None] = [None, *verdicts[:-1]]
    turns = tuple(_turn(now, earlier, start) for now, earlier in zip(verdicts, before, strict=True))
    return Replay(
        conversation_id=conversation.conversation_id,
        channel=conversation.channel,
        locale=conversation.locale,
        plan=conversation.facts.plan,
        mode="rules_only" if judge.escalation is None else "model_and_rules",
        versions=judge.versions,
        cuts=judge.policy.cuts,
        turns=turns,
        outcome_known=conversation.outcome is not None,
        ending=_ending(conversation, turns),
    )


def _turn(now: Verdict, before: Verdict | None, start: datetime | None) -> Turn:
    moment, decision, message = now.moment, now.decision, now.moment.message
    held = before.fired if before is not None else ()
    minutes = None
    if start is not None and message.sent_at is not None:
        minutes = round((message.sent_at - start).total_seconds() / 60, 3)
    return Turn(
        index=moment.index,
        message_id=message.message_id or "",
        role=message.role,
        text=message.text,
        sent_at=message.sent_at,
        minutes=minutes,
        event=message.event,
        confidence=message.confidence,
        owner=moment.owner,
        episode=moment.episode,
        read=moment.read,
        probability=None if now.probability is None else round(now.probability, 6),
        level=None if now.probability is None else level(now.probability),
        action=decision.action,
        urgency=decision.urgency,
        reason=decision.reason,
        contributing_reasons=decision.contributing_reasons,
        decided_by=decision.decided_by,
        rule=decision.rule,
        says=decision.says,
        changed=_differs(now, before),
        started=_started(now.fired, held),
        stopped=_stopped(now.fired, held),
        indicators=now.explanation.indicators if now.explanation is not None else (),
    )


def _differs(now: Verdict, before: Verdict | None) -> bool:
    new, old = now.decision, before.decision if before is not None else None
    if old is None:
        return new.action != "none"
    return (new.action, new.reason, new.decided_by, new.rule) != (old.action, old.reason, old.decided_by, old.rule)


def _started(fired: Sequence[Fired], held: Sequence[Fired]) -> tuple[Started, ...]:
    # A rule that ended and began anew in one step (after a hand-back) names another message.
    earlier = {(each.rule.id, each.message_id) for each in held}
    return tuple(
        Started(each.rule.id, each.rule.urgency, each.rule.reason, each.rule.status, each.says)
        for each in fired
        if (each.rule.id, each.message_id) not in earlier
    )


def _stopped(fired: Sequence[Fired], held: Sequence[Fired]) -> tuple[str, ...]:
    still = {each.rule.id for each in fired}
    return tuple(each.rule.id for each in held if each.rule.id not in still)


def _ending(conversation: Conversation, turns: Sequence[Turn]) -> Ending:
    outcome, handoff = conversation.outcome, handed_off(conversation)
    alarm = _first_alarm(turns, handoff)
    lead = handoff.minutes_after(conversation.messages[alarm]) if handoff is not None and alarm is not None else None
    return Ending(
        escalated=None if is_censored(conversation) else handoff is not None,
        abandoned=is_censored(conversation),
        handed_off=handoff.index if handoff is not None else None,
        handed_off_at=handoff.at if handoff is not None else None,
        team=outcome.team if outcome is not None else None,
        reason=outcome.reason if outcome is not None else None,
        needed=outcome.escalation_needed if outcome is not None else None,
        alarm=alarm,
        lead_messages=handoff.index - alarm if handoff is not None and alarm is not None else None,
        lead_minutes=round(lead, 3) if lead is not None else None,
    )


def _first_alarm(turns: Sequence[Turn], handoff: HandOff | None) -> int | None:
    for turn in turns if handoff is None else turns[: handoff.index]:
        if turn.action in ALARMS and (handoff is None or turn.episode == handoff.episode):
            return turn.index
    return None
