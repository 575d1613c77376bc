"""Why one conversation escalated: what rules and indicators said right before a human took over.

The primary reason is that of the decision which the service would have made there. Where it would not have acted,
the strongest indicator of the model speaks; where that too is silent, the escalation is `unexplained`. The recorded
reason is never used for it: it stands beside it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from handoff.decision import Judge, Verdict
from handoff.explanation import explained
from handoff.policy import decide
from handoff.rules import REASONS, Fired
from handoff.transcript import Conversation
from handoff.transcript.episodes import prefix
from handoff.transcript.outcomes import HandOff, before_the_end, handed_off

UNEXPLAINED = "unexplained"
TITLES = {**REASONS, UNEXPLAINED: "Unexplained"}

FoundBy = Literal["rule", "model", "indicator", "nothing"]


class Escalation(msgspec.Struct, frozen=True):
    """One hand-off to a human. `by_rules` and `by_model` are what the reason would have been by one of them alone;
    `by_model` is None when there is no model. `recorded` is the desk's own word, as one of ours where it is one."""

    conversation_id: str
    at: datetime | None
    primary: str
    contributing: tuple[str, ...]
    found_by: FoundBy
    by_rules: str
    by_model: str | None
    recorded: str | None = None
    team: str | None = None
    tier: str | None = None
    agent: str | None = None
    region: str | None = None
    plan: str | None = None
    channel: str | None = None
    locale: str | None = None


class Finding(msgspec.Struct, frozen=True):
    """The reasons at one moment."""

    primary: str
    contributing: tuple[str, ...]
    found_by: FoundBy
    by_rules: str
    by_model: str | None


def escalation_of(judge: Judge, conversation: Conversation) -> Escalation | None:
    """The conversation's hand-off and its reasons; None when it was not handed off."""
    handoff = handed_off(conversation)
    if handoff is None:
        return None
    finding = find(judge, conversation, handoff)
    outcome, facts = conversation.outcome, conversation.facts
    return Escalation(
        conversation_id=conversation.conversation_id,
        at=handoff.at,
        primary=finding.primary,
        contributing=finding.contributing,
        found_by=finding.found_by,
        by_rules=finding.by_rules,
        by_model=finding.by_model,
        recorded=known_reason(outcome.reason) if outcome is not None else None,
        team=outcome.team if outcome is not None else None,
        tier=str(outcome.tier) if outcome is not None and outcome.tier is not None else None,
        agent=outcome.agent if outcome is not None else None,
        region=facts.region,
        plan=facts.plan,
        channel=conversation.channel,
        locale=conversation.locale,
    )


def known_reason(recorded: str | None) -> str | None:
    """A recorded reason as one of `REASONS`, by its name or its title, capitals aside; another word stays itself."""
    if recorded is None or not recorded.strip():
        return None
    word = recorded.strip().casefold()
    for reason, title in REASONS.items():
        if word in (reason, title.casefold(), reason.replace("_", " ")):
            return reason
    return recorded.strip()


def find(judge: Judge, conversation: Conversation, handoff: HandOff) -> Finding:
    """The reasons at the last message that was read before the hand-off.

    A declined hand-off clears the rules that had fired. When it is asked for again and no rule has fired anew, those
    from before it was declined count.
    """
    before = _read_before(judge, conversation, handoff)
    if not before:
        return Finding(UNEXPLAINED, (), "nothing", UNEXPLAINED, None if judge.escalation is None else UNEXPLAINED)
    last = before[-1]
    undeclined = [verdict for verdict in before if not verdict.moment.declined]
    if last.moment.declined and undeclined and not any(fired.rule.status == "live" for fired in last.fired):
        return _finding(judge, last, undeclined[-1].fired)
    return _finding(judge, last, last.fired)


def _read_before(judge: Judge, conversation: Conversation, handoff: HandOff) -> list[Verdict]:
    """One verdict a message that was read in the episode, up to its hand-off."""
    if handoff.index == 0:
        return []
    known = prefix(before_the_end(conversation), handoff.index)
    verdicts = judge.follow(known, reasons=False)
    return [v for v in verdicts if v.moment.read and v.moment.episode == handoff.episode]


def _finding(judge: Judge, verdict: Verdict, fired: tuple[Fired, ...]) -> Finding:
    speaking = explained(judge.escalation, verdict.moment).reasons if judge.escalation is not None else ()
    owner, policy = verdict.moment.owner, judge.policy
    decision = decide(verdict.probability, fired, owner, policy, speaking, verdict.scores)
    by_rules = decide(None, fired, owner, policy).reason or UNEXPLAINED
    by_model = None
    if judge.escalation is not None:
        alone = decide(verdict.probability, (), owner, policy, speaking, verdict.scores)
        by_model = alone.reason or next(iter(speaking), UNEXPLAINED)
    if decision.reason is not None:
        found_by: FoundBy = "rule" if decision.decided_by == "rule" else "model"
        return Finding(decision.reason, decision.contributing_reasons, found_by, by_rules, by_model)
    if speaking:
        return Finding(speaking[0], speaking[1:], "indicator", by_rules, by_model)
    return Finding(UNEXPLAINED, (), "nothing", by_rules, by_model)
