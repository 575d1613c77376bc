"""What `/rules` and `/status` answer."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from handoff.decision import Mode, Versions
from handoff.policy import Action, Policy, rule_action
from handoff.rules import Rule, RuleBook, Urgency
from handoff.rules.words import condition_in_words

Component = Literal["escalation", "routing", "scoring", "store", "spill", "keys"]


class RuleRecord(msgspec.Struct, frozen=True):
    """One rule. `condition` is when it fires, in words; `action` what it asks for; `says` may show features."""

    id: str
    title: str
    group: str
    condition: str
    urgency: Urgency
    within_seconds: int
    action: Action
    reason: str
    team: str | None
    tier: int | None
    status: Literal["live", "trial"]
    says: str


class Rules(msgspec.Struct, frozen=True):
    """The rules in the order that decides between equals, and the version that answers name."""

    version: str
    rules: tuple[RuleRecord, ...]


class Trouble(msgspec.Struct, frozen=True):
    """What does not work, since when, and the version that serves in its place (null when none does)."""

    part: Component
    problem: str
    since: datetime
    serving: str | None


class Status(msgspec.Struct, frozen=True):
    """How one worker of the service is. `models` is the folder that it watches."""

    mode: Mode
    versions: Versions
    problems: tuple[Trouble, ...]
    models: str
    require_model: bool
    started_at: datetime
    uptime_seconds: float
    worker: int


def rule_records(book: RuleBook, policy: Policy) -> Rules:
    """All rules of `book`, with what the policy makes of them."""
    return Rules(book.version, tuple(_record(rule, policy) for rule in book.rules))


def _record(rule: Rule, policy: Policy) -> RuleRecord:
    return RuleRecord(
        id=rule.id,
        title=rule.title,
        group=rule.group,
        condition=condition_in_words(rule),
        urgency=rule.urgency,
        within_seconds=getattr(policy.within_seconds, rule.urgency),
        action=rule_action(rule, policy),
        reason=rule.reason,
        team=rule.team,
        tier=rule.tier,
        status=rule.status,
        says=rule.says,
    )
