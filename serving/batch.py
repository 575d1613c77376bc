"""A batch in parts: what is worked on at once, by the worker itself or by one of the processes beside it (hands.py)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from itertools import pairwise

import msgspec

from handoff.decision import Judge
from handoff.errors import Problem
from handoff.settings import Settings
from handoff.store import DecisionRecord, decision_record
from serving.bodies import batch_elements, read_elements, unusable
from serving.current import CurrentJudge

# Conversations of a part: enough that working on them together pays, few enough that parts end at about the same time.
PART = 250
# Where they are long, no more than these bytes, which take a second or so.
PART_BYTES = 2**20


class Part(msgspec.Struct, frozen=True, array_like=True):
    """Conversations of a batch, each as JSON; `first` is the place of the first one in the batch. They are to be
    answered by the judge with this `identity`."""

    elements: tuple[bytes, ...]
    first: int
    judge: bytes
    explain: bool
    request_id: str


class Told(msgspec.Struct, frozen=True, array_like=True):
    """What came of a part: the answers as a JSON array and as records for the decision log, or what is wrong with its
    conversations; and how a model failed on one since it was loaded, so that the rules alone answered that."""

    answers: bytes
    records: tuple[DecisionRecord, ...]
    problems: tuple[Problem, ...]
    failure: str | None


def parts_of(body: bytes, limits: Settings, judge: Judge, *, explain: bool, request_id: str) -> list[Part]:
    """The parts of a batch, to be answered by this judge. Raises `Refused` for what is no batch, or too long."""
    elements, judged_by = list(map(bytes, batch_elements(body, limits))), identity(judge)
    return [
        Part(tuple(elements[first:end]), first, judged_by, explain, request_id)
        for first, end in pairwise(_cuts(list(map(len, elements))))
    ]


def _cuts(sizes: Sequence[int]) -> Iterator[int]:
    """Where parts begin, and where the last one ends."""
    yield 0
    first = held = 0
    for place, size in enumerate(sizes):
        if place > first and (place - first == PART or held + size > PART_BYTES):
            yield place
            first, held = place, 0
        held += size
    if sizes:
        yield len(sizes)


def identity(judge: Judge) -> bytes:
    """What tells this judge from another that names the same versions: their folders may hold other models by now."""
    manifests = [None if model is None else model.manifest for model in (judge.escalation, judge.routing)]
    return blake2b(msgspec.json.encode((judge.versions, manifests)), digest_size=16).digest()


def work_on(part: Part, current: CurrentJudge, judge: Judge, limits: Settings) -> Told:
    """Answer a part by this judge."""
    conversations, problems = read_elements(part.elements, limits, part.first)
    if problems:
        return Told(b"", (), tuple(problems), None)
    decided = current.decide(conversations, judge, explain=part.explain, request_id=part.request_id)
    at = datetime.now(UTC)
    records = tuple(decision_record(d.answer, d.standing, at, {"answer": d.milliseconds}) for d in decided)
    return Told(msgspec.json.encode([each.answer for each in decided]), records, (), current.failure)


def together(told: Sequence[Told]) -> msgspec.Raw:
    """The answers to a whole batch, as JSON. Raises `Refused` naming the conversations that are not usable."""
    problems = [problem for each in told for problem in each.problems]
    if problems:
        raise unusable(problems)
    return msgspec.Raw(b"[" + b",".join(each.answers[1:-1] for each in told) + b"]")
