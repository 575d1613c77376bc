"""From a conversation to an answer: features, models, rules and policy put together.

`Judge` is what the service, `handoff predict`, replay and the analyses all ask. It is pure: the same conversation
and the same versions give the same answer.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from handoff.explanation import Contributions, Explanation, Indicator, explained
from handoff.features import FEATURES_VERSION, Moment, follow
from handoff.models import EscalationModel, RoutingModel
from handoff.policy import Decision, Policy, Routing, decide, level, load_policy, may_alarm, model_action, route, trend
from handoff.policy.decide import Level, Trend
from handoff.rules import Fired, RuleBook, Urgency, load_rules
from handoff.standing import Probabilities, Progress, Standing, compared_moments
from handoff.transcript import Conversation, Customer

Mode = Literal["model_and_rules", "rules_only"]


class Verdict(msgspec.Struct, frozen=True):
    """What was known and decided right after one message. `scores` are the probabilities that raise alarms: after the
    newest messages of the episode, oldest first; empty without a model."""

    moment: Moment
    probability: float | None
    fired: tuple[Fired, ...]
    decision: Decision
    explanation: Explanation | None
    scores: tuple[float, ...] = ()


class Versions(msgspec.Struct, frozen=True):
    """What made the answer."""

    model: str | None
    routing: str | None
    features: str
    rules: str
    policy: str


class EscalationAnswer(msgspec.Struct, frozen=True):
    """The model's belief. `base`, `rest` and `log_odds` complete the indicators where those are given."""

    probability: float | None
    level: Level | None
    trend: Trend | None
    indicators: tuple[Indicator, ...]
    base: float | None = None
    rest: float | None = None
    log_odds: float | None = None


class RuleAnswer(msgspec.Struct, frozen=True):
    """A rule that holds, and the message with which it began to."""

    rule: str
    urgency: Urgency
    within_seconds: int
    reason: str
    message_id: str
    says: str


class Answer(msgspec.Struct, frozen=True):
    """The answer of `POST /predict` (README, "Answer")."""

    conversation_id: str
    request_id: str | None
    mode: Mode
    versions: Versions
    escalation: EscalationAnswer
    rules: tuple[RuleAnswer, ...]
    on_trial: tuple[str, ...]
    routing: Routing
    recommendation: Decision
    customer_message: str | None


@dataclass(frozen=True, slots=True)
class Judge:
    """Rules and policy, and the models where there are any. Without an escalation model the rules decide alone."""

    rules: RuleBook
    policy: Policy
    escalation: EscalationModel | None = None
    routing: RoutingModel | None = None

    @classmethod
    def by_rules(cls, rules: RuleBook | None = None) -> Judge:
        """A judge without models, from `rules` or those that ship with the package."""
        rules = rules or load_rules()
        return cls(rules, load_policy(rules=rules))

    @property
    def versions(self) -> Versions:
        """What makes this judge's answers."""
        return Versions(
            model=self.escalation.label if self.escalation else None,
            routing=self.routing.label if self.routing else None,
            features=FEATURES_VERSION,
            rules=self.rules.version,
            policy=self.policy.version,
        )

    def answer(self, conversation: Conversation, *, explain: bool = False, request_id: str | None = None) -> Answer:
        """The answer after the conversation's newest message. `explain` asks for indicators at any probability."""
        return self.conclude(self.standing(conversation), explain=explain, request_id=request_id)

    def standing(self, conversation: Conversation) -> Standing:
        """Where the conversation stands after its newest message."""
        return self._standings(conversation)[-1]

    def conclude(
        self,
        standing: Standing,
        *,
        explain: bool = False,
        request_id: str | None = None,
        contributions: Contributions | None = None,
    ) -> Answer:
        """The answer where a conversation stands. What leads there, all at once or message by message, is the same.

        `contributions` to the model's score there are looked up unless they are given.
        """
        known = self._known(standing)
        verdict = self._verdict(standing, known, explain=explain, contributions=contributions)
        earlier = known.get(standing.before.index) if standing.before is not None else None
        return self._answer(standing, verdict, earlier, request_id)

    def follow(self, conversation: Conversation, *, explain: bool = False, reasons: bool = True) -> Iterator[Verdict]:
        """One verdict a message, each from what was known then.

        Without `reasons` nothing is explained, which saves 2 ms a message: the actions are the same, but where the
        model decides, its reason is not looked for.
        """
        standings = self._standings(conversation)
        known = self._probabilities([standing.moment for standing in standings])
        for standing in standings:
            yield self._verdict(standing, known, explain=explain, reasons=reasons)

    def _standings(self, conversation: Conversation) -> list[Standing]:
        progress = Progress(self.rules, conversation)
        return [progress.step(moment) for moment in follow(conversation)]

    def _known(self, standing: Standing) -> Probabilities:
        """All probabilities that the answer needs: where no alarm can be up, only those that are compared."""
        if self.escalation is None:
            return {}
        compared = compared_moments(standing.moment, standing.before, standing.recent)
        known = standing.scores.by(self.escalation, compared, standing.recent)
        if standing.recent and may_alarm(known[standing.recent[-1].index], self.policy):
            known = standing.scores.by(self.escalation, [*compared, *standing.recent])
        return known

    def _probabilities(self, moments: Sequence[Moment]) -> Probabilities:
        if self.escalation is None:
            return {}
        found = self.escalation.probabilities(moments)
        return {moment.index: float(p) for moment, p in zip(moments, found, strict=True)}

    def _verdict(
        self,
        standing: Standing,
        known: Probabilities,
        *,
        explain: bool,
        reasons: bool = True,
        contributions: Contributions | None = None,
    ) -> Verdict:
        moment, fired = standing.moment, standing.fired
        probability = known.get(moment.index)
        scores = tuple(known[each.index] for each in standing.recent if each.index in known)
        wanted = explain or (reasons and model_action(probability, self.policy, scores) != "none")
        explanation = None
        if self.escalation is not None and wanted and moment.owner == "assistant":
            explanation = explained(self.escalation, moment, contributions)
        spoken_for = explanation.reasons if explanation else ()
        decision = decide(probability, fired, moment.owner, self.policy, spoken_for, scores)
        return Verdict(moment, probability, fired, decision, explanation, scores)

    def _answer(self, standing: Standing, verdict: Verdict, earlier: float | None, request_id: str | None) -> Answer:
        decision = verdict.decision
        told = decision.action in ("proactive_escalation", "escalate_now") and decision.reason is not None
        return Answer(
            conversation_id=standing.conversation_id,
            request_id=request_id,
            mode="rules_only" if self.escalation is None else "model_and_rules",
            versions=self.versions,
            escalation=_belief(verdict, earlier, self.policy),
            rules=tuple(_rule_answer(f, self.policy) for f in verdict.fired if f.rule.status == "live"),
            on_trial=tuple(f.rule.id for f in verdict.fired if f.rule.status == "trial"),
            routing=self._route(standing.customer, verdict),
            recommendation=decision,
            customer_message=self.policy.messages[decision.reason] if told and decision.reason else None,
        )

    def _route(self, customer: Customer, verdict: Verdict) -> Routing:
        probabilities, cut = None, None
        if self.routing is not None and verdict.moment.customer_texts:
            probabilities = self.routing.probabilities(verdict.moment)
            certain_from = self.routing.manifest.certain_from
            cut = math.inf if certain_from is None else certain_from
        return route(verdict.decision, verdict.fired, customer, self.policy, probabilities, cut)


def _belief(verdict: Verdict, earlier: float | None, policy: Policy) -> EscalationAnswer:
    probability, explanation = verdict.probability, verdict.explanation
    if probability is None:
        return EscalationAnswer(None, None, None, ())
    tendency = trend(probability, earlier, policy.trend_band)
    if explanation is None:
        return EscalationAnswer(round(probability, 6), level(probability), tendency, ())
    return EscalationAnswer(
        round(probability, 6), level(probability), tendency, explanation.indicators,
        round(explanation.base, 6), round(explanation.rest, 6), round(explanation.log_odds, 6),
    )  # fmt: skip


def _rule_answer(fired: Fired, policy: Policy) -> RuleAnswer:
    rule = fired.rule
    within: int = getattr(policy.within_seconds, rule.urgency)
    return RuleAnswer(rule.id, rule.urgency, within, rule.reason, fired.message_id, fired.says)
