"""From belief and rules to one action: the only place where that happens.

Evaluation, replay, back-tests and the service call the same function, so that a published figure is the served
system's. Nothing that a model believes weakens a rule: the stronger action wins, and ties go to the rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from handoff.policy.settings import ACTIONS, Action, Policy
from handoff.policy.trigger import DECIMALS, is_up, may_be_up
from handoff.rules import Fired, Rule, Urgency
from handoff.transcript.episodes import Owner

DecidedBy = Literal["rule", "model", "owner"]
Level = Literal["low", "medium", "high", "critical"]
Trend = Literal["rising", "steady", "falling"]

_URGENCY_OF: dict[Action, Urgency | None] = {
    "none": None,
    "monitor": None,
    "prepare_specialist": "scheduled",
    "proactive_escalation": "rapid",
    "escalate_now": "immediate",
}
_URGENCIES: tuple[Urgency, ...] = ("immediate", "rapid", "scheduled")
_LEVELS: tuple[tuple[float, Level], ...] = ((0.30, "low"), (0.60, "medium"), (0.80, "high"))

# When a model alone decides and none of its indicators speaks for a reason.
UNEXPLAINED = "ai_uncertainty"


class Decision(msgspec.Struct, frozen=True):
    """What to do, how soon, why, and who decided. `rule` is the deciding rule's id, None when a model decided."""

    action: Action
    urgency: Urgency | None
    within_seconds: int | None
    reason: str | None
    contributing_reasons: tuple[str, ...]
    decided_by: DecidedBy
    rule: str | None
    says: str


def level(probability: float) -> Level:
    """low under .30, medium under .60, high under .80, else critical."""
    return next((name for limit, name in _LEVELS if round(probability, 6) < limit), "critical")


def trend(probability: float, before: float | None, band: float) -> Trend | None:
    """Against the probability at the customer's message before; None at the first."""
    if before is None:
        return None
    change = round(probability - before, 6)
    return "rising" if change > band else "falling" if change < -band else "steady"


def plain_action(probability: float, policy: Policy) -> Action:
    """The strongest action whose cut the probability reaches."""
    reached = [action for action in ACTIONS[1:] if round(probability, DECIMALS) >= getattr(policy.cuts, action)]
    return reached[-1] if reached else "none"


def model_action(probability: float | None, policy: Policy, scores: Sequence[float] | None = None) -> Action:
    """What the model asks for; `none` without one.

    `monitor` follows its plain cut. What is stronger is an alarm, which `scores` raise: the probabilities after the
    episode's messages so far, oldest first (the newest `WINDOW` are enough). Without them, the first message's alone.
    """
    if probability is None:
        return "none"
    so_far = (probability,) if scores is None else scores
    up = [action for action, trigger in policy.triggers if is_up(so_far, trigger)]
    if up:
        return up[-1]
    return "none" if plain_action(probability, policy) == "none" else "monitor"


def may_alarm(score: float, policy: Policy) -> bool:
    """Whether an alarm can be up after this score; if not, `model_action` needs none of those before it."""
    return any(may_be_up(score, trigger) for _, trigger in policy.triggers)


def rule_action(rule: Rule, policy: Policy) -> Action:
    """What the rule alone asks for."""
    if rule.group in policy.only_prepare:
        return "prepare_specialist"
    return "escalate_now" if rule.urgency == "immediate" else "proactive_escalation"


def rank(fired: Sequence[Fired], policy: Policy) -> list[Rule]:
    """The live rules that fired: strongest action first, then most urgent, then in the order of the file."""
    rules = [f.rule for f in fired if f.rule.status == "live"]
    return sorted(rules, key=lambda r: (-ACTIONS.index(rule_action(r, policy)), _URGENCIES.index(r.urgency)))


def decide(
    probability: float | None,
    fired: Sequence[Fired],
    owner: Owner,
    policy: Policy,
    model_reasons: Sequence[str] = (),
    scores: Sequence[float] | None = None,
) -> Decision:
    """One decision from the model's probability (None without a model), the rules that hold and the owner.

    `model_reasons` are the reasons that the model's indicators speak for, strongest first; `scores` the probabilities
    of the episode so far, as for `model_action`.
    """
    if owner == "human":
        return Decision(
            "none", None, None, "human_owns_conversation", (), "owner", None, "A human owns the conversation"
        )
    rules = rank(fired, policy)
    by_model = model_action(probability, policy, scores)
    by_rule = rule_action(rules[0], policy) if rules else "none"
    if rules and ACTIONS.index(by_rule) >= ACTIONS.index(by_model):
        return _by_rule(by_rule, rules, model_reasons if probability is not None else (), fired, policy)
    return _by_model(by_model, rules, model_reasons, probability, policy)


def _by_rule(
    action: Action, rules: list[Rule], model_reasons: Sequence[str], fired: Sequence[Fired], policy: Policy
) -> Decision:
    deciding = rules[0]
    others = _others(deciding.reason, [rule.reason for rule in rules], model_reasons)
    sentence = next(f.says for f in fired if f.rule.id == deciding.id)
    within = getattr(policy.within_seconds, deciding.urgency)
    return Decision(action, deciding.urgency, within, deciding.reason, others, "rule", deciding.id, sentence)


def _by_model(
    action: Action, rules: list[Rule], model_reasons: Sequence[str], probability: float | None, policy: Policy
) -> Decision:
    if probability is None or action in ("none", "monitor"):
        by: DecidedBy = "rule" if probability is None else "model"
        return Decision(action, None, None, None, (), by, None, _calm(action, probability, policy))
    urgency = _URGENCY_OF[action]
    reason = model_reasons[0] if model_reasons else UNEXPLAINED
    others = _others(reason, [rule.reason for rule in rules], model_reasons)
    within = getattr(policy.within_seconds, urgency) if urgency else None
    says = (
        f"The model expects a hand-off with a probability of {probability:.0%}{_standing(action, probability, policy)}"
    )
    return Decision(action, urgency, within, reason, others, "model", None, says)


def _calm(action: Action, probability: float | None, policy: Policy) -> str:
    if action == "none":
        return "Nothing calls for a human"
    if probability is not None and plain_action(probability, policy) != "monitor":
        return f"Worth watching: {probability:.0%} is over a cut, but not in enough messages in a row"
    return "Worth watching, no action needed"


def _standing(action: Action, probability: float, policy: Policy) -> str:
    """Why an alarm is up that the probability alone would not raise."""
    cut: float = getattr(policy.cuts, action)
    if round(probability, DECIMALS) >= cut:
        return ""
    return f"; raised over {cut:.0%}, it stands until it falls below {cut - policy.trigger.fall_back:.0%}"


def _others(first: str, *groups: Sequence[str]) -> tuple[str, ...]:
    """The other reasons in order, each once."""
    return tuple(dict.fromkeys(reason for group in groups for reason in group if reason != first))
