"""Where many conversations stand, worked out together for less than one after the other, to the same last digit."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from handoff.decision import Judge
from handoff.explanation import Contributions
from handoff.features import Moment
from handoff.features.together import Followed, follow_together, may_be_followed
from handoff.models import EscalationModel
from handoff.policy import may_alarm
from handoff.policy.trigger import WINDOW
from handoff.rules import Fired, fired_at_the_end, name_facts
from handoff.standing import Probabilities, Scores, Standing, compared_moments
from handoff.transcript import Conversation


def standings(judge: Judge, conversations: Sequence[Conversation]) -> list[Standing]:
    """`Judge.standing` of each conversation, with all scored that its answer asks for.

    Where no alarm can be up, `recent` is left out: the answer is the same.
    """
    usable = [judge.rules.confidence is None and may_be_followed(each) for each in conversations]
    followed = iter(_standings(judge, [each for each, so in zip(conversations, usable, strict=True) if so]))
    return [next(followed) if so else judge.standing(each) for each, so in zip(conversations, usable, strict=True)]


class _Followed:
    """One of the conversations: its moments without feature rows, and those that an answer asks for with theirs."""

    __slots__ = ("asked", "before", "begin", "conversation", "newest", "recent", "scores")

    def __init__(self, conversation: Conversation, moments: Sequence[Moment], end: int) -> None:
        """`end` is the place behind its newest message among those of all."""
        self.conversation, self.newest, self.begin = conversation, moments[-1], end - len(moments)
        in_episode = [moment for moment in moments if moment.read and moment.episode == self.newest.episode]
        spoken = (moment for moment in reversed(in_episode) if moment.message.role == "customer")
        self.before = next((moment for moment in spoken if moment is not self.newest), None)
        self.recent = tuple(in_episode[-WINDOW:])
        self.asked: dict[int, Moment] = {}
        self.scores: Probabilities = {}

    def standing(self, fired: tuple[Fired, ...], model: EscalationModel | None) -> Standing:
        known, scores = self.asked, Scores()
        if model is not None:
            scores.note(model, self.scores)
        return Standing(
            conversation_id=self.conversation.conversation_id,
            customer=self.conversation.facts,
            moment=known[self.newest.index],
            fired=fired,
            before=None if self.before is None else known[self.before.index],
            recent=tuple(known[moment.index] for moment in self.recent),
            scores=scores,
        )


def _standings(judge: Judge, conversations: Sequence[Conversation]) -> list[Standing]:
    if not conversations:
        return []
    together, model = follow_together(conversations), judge.escalation
    each = list(map(_Followed, conversations, together.moments, together.ends.tolist()))
    _ask(model, together, [(one, compared_moments(one.newest, one.before, one.recent)) for one in each])
    for one in each:
        if not (one.recent and one.scores and may_alarm(one.scores[one.recent[-1].index], judge.policy)):
            one.recent = ()
    _ask(model, together, [(one, one.recent) for one in each])
    if judge.routing is not None:
        judge.routing.learn([one.newest for one in each])
    rows = [one.asked[one.newest.index].row for one in each]
    fired = fired_at_the_end(judge.rules, together, rows, [name_facts(one) for one in conversations])
    return [one.standing(its, model) for one, its in zip(each, fired, strict=True)]


def learn(judge: Judge, found: Sequence[Standing]) -> None:
    """Have the wording of what was said there read together, by each model that weighs it."""
    newest = [standing.moment for standing in found]
    for model in (judge.escalation, judge.routing):
        if model is not None:
            model.learn(newest)


def contributions(judge: Judge, found: Sequence[Standing]) -> list[Contributions | None]:
    """What `Judge.conclude` needs to explain each answer, looked up together; None where it is not explained."""
    explained = [standing.moment for standing in found if standing.moment.owner == "assistant"]
    if judge.escalation is None or not explained:
        return [None] * len(found)
    told = iter(judge.escalation.contributions_of(explained))
    return [next(told) if standing.moment.owner == "assistant" else None for standing in found]


def _ask(
    model: EscalationModel | None, together: Followed, wanted: Sequence[tuple[_Followed, Sequence[Moment]]]
) -> None:
    """Give the moments their rows, and have them scored by one call of the model."""
    asked = [(one, moment) for one, moments in wanted for moment in moments if moment.index not in one.asked]
    if not asked:
        return
    rows = together.rows([one.begin + moment.index for one, moment in asked])
    made = [_with_row(moment, row) for (_, moment), row in zip(asked, rows, strict=True)]
    for (one, _), moment in zip(asked, made, strict=True):
        one.asked[moment.index] = moment
    if model is not None:
        for (one, moment), probability in zip(asked, model.probabilities(made), strict=True):
            one.scores[moment.index] = float(probability)


def _with_row(moment: Moment, row: tuple[float, ...]) -> Moment:
    return msgspec.structs.replace(moment, row=row, row_since_decline=row)
