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

from handoff.features import FEATURE_NAMES, FEATURES, FEATURES_VERSION, Moment, follow
from handoff.features.statistics import Distinct, FallFromPeak, LongestStreak, MissingShare, Streak, Total
from handoff.features.table import Fact, Family, Feature, Running, Said
from handoff.models import EscalationModel, RoutingModel
from handoff.models.escalation import Contribution
from handoff.models.slots import WORDING_FEATURES
from handoff.policy import Decision, Policy, Routing, decide, level, load_policy, may_alarm, model_action, route, trend
from handoff.policy.decide import Level, Trend
from handoff.policy.trigger import WINDOW
from handoff.rules import Fired, RuleBook, Urgency, Watch, load_rules, name_facts
from handoff.transcript import Conversation, Customer

SHOWN_INDICATORS = 5
# A contribution smaller than this moves no probability by more than 2.5 points: too little to speak for a reason.
SPEAKS_FROM = 0.10

# The model's probability right after a message, by the message's index.
Probabilities = dict[int, float]
# What the model's features add right after a message, largest first.
Contributions = tuple[Contribution, ...]

_BY_NAME = {feature.name: feature for feature in (*FEATURES, *WORDING_FEATURES)}
# Of these statistics and families 0 says that there was none.
_COUNTS = (Total, Distinct, Streak, LongestStreak, FallFromPeak, MissingShare)
_LOUD_OR_AGAIN: tuple[Family, ...] = ("loudness", "repetition")


class Indicator(msgspec.Struct, frozen=True):
    """A feature that raises the probability, what it adds to the log-odds, and that in words."""

    feature: str
    value: float
    weight: float
    says: str


class Explanation(msgspec.Struct, frozen=True):
    """Where the model's log-odds come from: base + the shown weights + `rest` = `log_odds`, before calibration."""

    indicators: tuple[Indicator, ...]
    reasons: tuple[str, ...]
    base: float
    rest: float
    log_odds: float


class Verdict(msgspec.Struct, frozen=True):
    """What was known and decided right after one message. `scores` are the probabilities that raise alarms: after the
    newest messages of the episode, oldest first; empty without a model."""

    moment: Moment
    probability: float | None
    fired: tuple[Fired, ...]
    decision: Decision
    explanation: Explanation | None
    scores: tuple[float, ...] = ()


class Scores:
    """Probabilities that a model has given to moments of one conversation, so that only new ones are scored."""

    __slots__ = ("_found", "_model")

    def __init__(self) -> None:
        self._model: EscalationModel | None = None
        self._found: Probabilities = {}

    def by(self, model: EscalationModel, moments: Sequence[Moment], others: Sequence[Moment] = ()) -> Probabilities:
        """The model's probabilities right after `moments`, by index, and right after those of `others` that it has
        scored before; of any more nothing is remembered."""
        found = self._found if self._model is model else {}
        new = [moment for moment in moments if moment.index not in found]
        told = zip(new, model.probabilities(new), strict=True) if new else ()
        found = found | {moment.index: float(p) for moment, p in told}
        wanted = (*moments, *others)
        return self.note(model, {moment.index: found[moment.index] for moment in wanted if moment.index in found})

    def note(self, model: EscalationModel, found: Probabilities) -> Probabilities:
        """Remember these, and no others."""
        self._model, self._found = model, found
        return found


class Standing(msgspec.Struct, frozen=True):
    """Where a conversation stands right after its newest message: all that an answer is made from.

    `before` is the newest customer message before it in the same episode, which the trend compares with. `recent` are
    the newest messages (up to `WINDOW`) that were read in the episode, or since a hand-off was declined in it, which
    raise alarms; `moment` is the last of them if it was read. `scores` remembers what a model said of them; another
    model may go on.
    """

    conversation_id: str
    customer: Customer
    moment: Moment
    fired: tuple[Fired, ...]
    before: Moment | None
    recent: tuple[Moment, ...] = ()
    scores: Scores = msgspec.field(default_factory=Scores)


class Progress:
    """A conversation on its way, fed one `Moment` after another. Constant time and room a message."""

    __slots__ = ("_conversation_id", "_customer", "_customer_before", "_episode", "_recent", "_scores", "_watch")

    def __init__(self, rules: RuleBook, conversation: Conversation) -> None:
        """Of `conversation` only what is known beside its messages is read."""
        self._conversation_id, self._customer = conversation.conversation_id, conversation.facts
        self._watch = Watch(rules, name_facts(conversation))
        self._customer_before: Moment | None = None
        self._episode = 0
        self._recent: tuple[Moment, ...] = ()
        self._scores = Scores()

    def step(self, moment: Moment) -> Standing:
        """Take in the next moment."""
        before = self._customer_before
        if before is not None and before.episode != moment.episode:
            before = None
        if moment.read and moment.message.role == "customer":
            self._customer_before = moment
        self._remember(moment)
        fired = self._watch.step(moment)
        return Standing(self._conversation_id, self._customer, moment, fired, before, self._recent, self._scores)

    def _remember(self, moment: Moment) -> None:
        """A hand-off that was declined silences the model too, until there is new evidence."""
        if moment.episode != self._episode or moment.message.event == "declined":
            self._episode, self._recent = moment.episode, ()
        if moment.read and moment.message.event != "declined":
            self._recent = (*self._recent, moment)[-WINDOW:]


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
    mode: Literal["model_and_rules", "rules_only"]
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


def compared_moments(newest: Moment, before: Moment | None, recent: Sequence[Moment]) -> list[Moment]:
    """The moments whose probabilities every answer needs: the newest, the one of the trend, and the last that may raise
    an alarm, which is another than the newest where that is not read. Each once."""
    compared = (newest, *recent[-1:], *(() if before is None else (before,)))
    return list({moment.index: moment for moment in compared}.values())


def explained(model: EscalationModel, moment: Moment, contributions: Contributions | None = None) -> Explanation:
    """The features that raise the probability most, in words, and the reasons that they speak for."""
    contributions = model.contributions(moment) if contributions is None else contributions
    raising = _raising(contributions)
    shown_values = dict(zip(FEATURE_NAMES, moment.row, strict=True))
    indicators = tuple(
        Indicator(c.feature, round(c.value, 6), round(c.weight, 6), feature.says.format_map(shown_values))
        for c, feature in raising[:SHOWN_INDICATORS]
    )
    reasons = [feature.reason for c, feature in raising if c.weight >= SPEAKS_FROM and feature.reason is not None]
    base = model.base
    total = base + math.fsum([c.weight for c in contributions])
    rest = total - base - math.fsum([i.weight for i in indicators])
    return Explanation(indicators, tuple(dict.fromkeys(reasons)), base, rest, total)


def _raising(contributions: Sequence[Contribution]) -> list[tuple[Contribution, Feature]]:
    """Those, largest first, that raise the probability and can be shown: as many as are, and all that speak for a
    reason."""
    found: list[tuple[Contribution, Feature]] = []
    for each in contributions:
        if each.weight <= 0 or (each.weight < SPEAKS_FROM and len(found) >= SHOWN_INDICATORS):
            break
        feature = _BY_NAME[each.feature]
        if _is_shown(feature, each.value):
            found.append((each, feature))
    return found


def _is_shown(feature: Feature, value: float) -> bool:
    """A missing value says nothing; of none at all, or words that speak against it, the sentence would not be true."""
    if math.isnan(value):
        return False
    if isinstance(feature.source, Said):
        return value > 0
    counts = (
        isinstance(feature.source, Fact)
        or feature.family in _LOUD_OR_AGAIN
        or (isinstance(feature.source, Running) and feature.source.statistic in _COUNTS)
    )
    return value != 0 or not counts


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
