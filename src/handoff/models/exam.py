"""A model's exam: recorded conversations with the feature rows and scores it gave when it was trained.

Loading recomputes them from the texts. A changed lexicon, feature, library or processor that moves a figure is
found before the first customer is scored by it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from handoff.errors import BadModel, BadRecord
from handoff.features.follower import Moment, follow
from handoff.models.escalation import EscalationModel
from handoff.models.routing import RoutingModel
from handoff.models.slots import WORDING_NAMES
from handoff.transcript import Conversation, Message, check

Model = EscalationModel | RoutingModel

# Feature rows and tree scores are the same arithmetic everywhere: only the last digits may differ.
ROW_TOLERANCE = 1e-6
# Sums of some hundred float32 coefficients round differently on another processor.
WORDING_TOLERANCE = 1e-4
# Embeddings in int8 round differently on another processor; another encoder moves team probabilities by tens.
ROUTING_TOLERANCE = 0.01


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the model saw and said right after one message. `row` holds the model's own features, null for missing."""

    index: int
    row: tuple[float | None, ...]
    scores: tuple[float, ...]


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One recorded conversation, redacted, without outcome or labels, and the answers to it."""

    conversation: Conversation
    answers: tuple[Answer, ...]


def record(model: Model, conversations: Iterable[Conversation]) -> tuple[Question, ...]:
    """The exam of `model` over redacted conversations; those that hold no row are left out."""
    questions = (_recorded(model, _without_future(conversation)) for conversation in conversations)
    return tuple(question for question in questions if question.answers)


def sit(model: Model, questions: Sequence[Question]) -> None:
    """Have `model` answer again. Raises `BadModel` naming the first conversation and feature that differ."""
    if not questions:
        raise BadModel(f"{model.label}: its exam holds no conversation; train again")
    for question in questions:
        again = _recorded(model, question.conversation)
        _compare(model, question, again)


def write_exam(path: Path, questions: Sequence[Question]) -> None:
    """One question a line."""
    path.write_bytes(b"".join(msgspec.json.encode(question) + b"\n" for question in questions))


def read_exam(path: Path) -> tuple[Question, ...]:
    """Raises `BadModel` naming file and line of what cannot be read."""
    questions = []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            question = msgspec.json.decode(line, type=Question)
            questions.append(msgspec.structs.replace(question, conversation=check(question.conversation)))
        except (msgspec.DecodeError, BadRecord) as error:
            raise BadModel(f"{path}:{number}: cannot be read ({error}); restore the folder or train again") from error
    return tuple(questions)


def _recorded(model: Model, conversation: Conversation) -> Question:
    moments = [moment for moment in follow(conversation) if moment.read]
    answers = tuple(
        Answer(moment.index, tuple(map(_number, row)), scores)
        for moment, row, scores in zip(moments, _rows(model, moments), _scores(model, moments), strict=True)
    )
    return Question(conversation, answers)


def _rows(model: Model, moments: Sequence[Moment]) -> list[list[float]]:
    if isinstance(model, EscalationModel):
        return [list(map(float, row)) for row in model.inputs(moments)]
    return [[moment.row[position] for position in model.columns] for moment in moments]


def _scores(model: Model, moments: Sequence[Moment]) -> list[tuple[float, ...]]:
    if not moments:
        return []
    if isinstance(model, EscalationModel):
        return [(float(p),) for p in model.probabilities(moments)]
    return [tuple(float(p) for p in row) for row in model.scores(moments)]


def _without_future(conversation: Conversation) -> Conversation:
    messages = tuple(_without_label(message) for message in conversation.messages)
    return msgspec.structs.replace(conversation, messages=messages, outcome=None)


def _without_label(message: Message) -> Message:
    return message if message.label is None else msgspec.structs.replace(message, label=None)


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _compare(model: Model, expected: Question, found: Question) -> None:
    place = f"{model.label}, exam conversation {expected.conversation.conversation_id!r}"
    if [a.index for a in expected.answers] != [a.index for a in found.answers]:
        read = [a.index for a in found.answers]
        raise BadModel(f"{place}: reads messages {read}; expected {[a.index for a in expected.answers]}; train again")
    scores = model.teams if isinstance(model, RoutingModel) else ("probability",)
    tolerance = ROUTING_TOLERANCE if isinstance(model, RoutingModel) else WORDING_TOLERANCE
    for before, now in zip(expected.answers, found.answers, strict=True):
        at = f"{place}, message {before.index}"
        _compare_numbers(at, model.manifest.features, before.row, now.row)
        _compare_numbers(at, scores, before.scores, now.scores, tolerance)


def _compare_numbers(
    place: str,
    names: Sequence[str],
    expected: Sequence[float | None],
    found: Sequence[float | None],
    tolerance: float | None = None,
) -> None:
    if len(expected) != len(names):
        raise BadModel(f"{place}: {len(expected)} numbers recorded; expected {len(names)}")
    for name, before, now in zip(names, expected, found, strict=True):
        if not _same(before, now, tolerance or _tolerance(name)):
            raise BadModel(
                f"{place}: {name} is {_shown(now)}; expected {_shown(before)}. "
                "Features, lexicon or a library changed since it was trained: train again"
            )


def _tolerance(name: str) -> float:
    return WORDING_TOLERANCE if name in WORDING_NAMES else ROW_TOLERANCE


def _same(before: float | None, now: float | None, tolerance: float) -> bool:
    if before is None or now is None:
        return before is now
    return abs(now - before) <= tolerance * (1 + abs(before))


def _shown(value: float | None) -> str:
    return "missing" if value is None else f"{value:.6g}"
