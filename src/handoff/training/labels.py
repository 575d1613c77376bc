"""What happened after each message: the label of every training row, as CONTRACT's "Training row" defines it.

A row is a customer or assistant message while the assistant owns the episode, up to the hand-off. Labels look at
the rest of the conversation and at its outcome; rows never do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar, get_args

from handoff.errors import BadInput, nearest
from handoff.features.follower import Moment, Noted
from handoff.transcript import Conversation, Outcome
from handoff.transcript.outcomes import hand_offs, handed_off

EscalationTarget = Literal["escalated", "needed_human", "label", "dissatisfied_next"]
TARGETS: tuple[EscalationTarget, ...] = get_args(EscalationTarget)

N = TypeVar("N", bound=Noted)

# A rating below this is dissatisfied; the guide's threshold.
DISSATISFIED_BELOW = 3


def is_about_hand_offs(target: EscalationTarget, within: int | None) -> bool:
    """Whether the answer is that a human takes over, whenever that is: then a plain request makes it a yes, and the
    first alarm has a price."""
    return target in ("escalated", "needed_human") and within is None


@dataclass(frozen=True, slots=True)
class LabelledMoment:
    """A moment that is a training row, and its label: 1 when the target came to pass, else 0."""

    moment: Moment
    y: int


def check_target(target: str) -> EscalationTarget:
    """The target by its name. Raises `BadInput` with the nearest one for another name."""
    for known in TARGETS:
        if target == known:
            return known
    raise BadInput(f"unknown target {target!r}{nearest(target, TARGETS)}")


def labelled(
    conversation: Conversation, moments: Sequence[Moment], target: EscalationTarget, within: int | None = None
) -> tuple[LabelledMoment, ...]:
    """The training rows of one conversation, oldest first. `moments` are all of `follow(conversation)`.

    `within` counts only what comes to pass within so many messages: y = 1 becomes 0 further ahead of it; under
    `dissatisfied_next` a rating further ahead makes no row, and `label` has no horizon.
    """
    found = _found(conversation, moments, hand_offs(conversation), target, within)
    return tuple(LabelledMoment(moment, y) for moment, y in found if y is not None)


def every_label(conversation: Conversation, moments: Sequence[Noted]) -> dict[EscalationTarget, dict[int, int]]:
    """The label under every target by the index of the message; a message that makes no row has none."""
    points = hand_offs(conversation)
    return {
        target: {m.index: y for m, y in _found(conversation, moments, points, target, None) if y is not None}
        for target in TARGETS
    }


def _found(
    conversation: Conversation,
    moments: Sequence[N],
    points: dict[int, int],
    target: EscalationTarget,
    within: int | None,
) -> list[tuple[N, int | None]]:
    rows = _rows(moments, points)
    if target == "label":
        return [(moment, moment.message.label) for moment in rows]
    if target == "dissatisfied_next":
        rated = any(message.satisfaction is not None for message in conversation.messages)
        return [(moment, _next_dissatisfied(moments, moment, within)) for moment in rows] if rated else []
    return _needs(conversation, moments, rows, points, target, within)


def routed(conversation: Conversation, moments: Sequence[Moment]) -> Moment | None:
    """The prefix at which the conversation was handed to its recorded team: the last row before the hand-off.

    None when it was not handed off, its team is not known, or nothing was said before.
    """
    outcome, handoff = conversation.outcome, handed_off(conversation)
    if outcome is None or outcome.team is None or handoff is None:
        return None
    before = [m for m in moments if m.read and m.episode == handoff.episode and m.index < handoff.index]
    return before[-1] if before else None


def _rows(moments: Sequence[N], points: dict[int, int]) -> list[N]:
    return [m for m in moments if m.read and m.index < points.get(m.episode, len(moments))]


def _needs(
    conversation: Conversation,
    moments: Sequence[N],
    rows: Sequence[N],
    points: dict[int, int],
    target: Literal["escalated", "needed_human"],
    within: int | None,
) -> list[tuple[N, int | None]]:
    last_episode = moments[-1].episode if moments else 0
    ending = _ending(conversation, target)

    def label(moment: N) -> int | None:
        point = points.get(moment.episode)
        if point is None and moment.episode == last_episode:
            if ending is not True:
                return None if ending is None else 0
            point = len(moments)
        if point is None:
            return 0
        return int(within is None or point - moment.index <= within)

    return [(moment, label(moment)) for moment in rows]


def _ending(conversation: Conversation, target: Literal["escalated", "needed_human"]) -> bool | None:
    """What the end says of a last episode without a hand-off: True for 1, False for 0, None for censored."""
    outcome = conversation.outcome or Outcome()
    if target == "escalated":
        return None if outcome.abandoned else False
    return bool(outcome.abandoned) or (outcome.resolved is False and _dissatisfied(conversation, outcome))


def _dissatisfied(conversation: Conversation, outcome: Outcome) -> bool:
    """By the outcome's rating, or else the conversation's own, or else the last one that a message carries."""
    ratings = [m.satisfaction for m in conversation.messages if m.satisfaction is not None]
    for rating in (outcome.satisfaction, conversation.satisfaction, ratings[-1] if ratings else None):
        if rating is not None:
            return _is_low(rating)
    return False


def _is_low(rating: float) -> bool:
    return round(rating, 6) < DISSATISFIED_BELOW


def _next_dissatisfied(moments: Sequence[Noted], moment: Noted, within: int | None) -> int | None:
    """Whether the episode's next rated customer message is rated low; None when none follows (within the horizon)."""
    for later in moments[moment.index + 1 :]:
        if later.episode != moment.episode or (within is not None and later.index - moment.index > within):
            return None
        if later.message.role == "customer" and later.message.satisfaction is not None:
            return int(_is_low(later.message.satisfaction))
    return None
