"""Where the time of an answer goes: `python -m benchmarks.stages MODELS [--write]`, in one process, without HTTP.

Conversations come again with one message more, whose text is new, as a chat backend sends them. Printed is the lowest
tenth in microseconds, which a busy machine moves least.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TypeVar

import msgspec

from benchmarks.chats import Chats
from benchmarks.report import machine, table, write
from handoff.decision import Judge
from handoff.explanation import explained
from handoff.memory import Memory
from handoff.models import load_champion
from handoff.signals import read
from handoff.standing import Standing
from handoff.store import decision_record
from handoff.transcript import Conversation, to_json
from handoff.transcript.redact import names_of, redact_message
from serving.bodies import one_conversation

T = TypeVar("T")
LENGTHS = (10, 40, 200)
ANSWERS = {10: 400, 40: 300, 200: 100}  # twice as many are fewer than are remembered
WHOLE = ("parse and check", "follow on, rules", "conclude", "encode as JSON", "record for the log")


class Stages:
    """Microseconds by stage."""

    def __init__(self) -> None:
        self.seen: dict[str, list[float]] = {}

    def time(self, stage: str, work: Callable[[], T]) -> T:
        """Do the work, and note how long it took."""
        started = time.perf_counter()
        done = work()
        self.seen.setdefault(stage, []).append(1e6 * (time.perf_counter() - started))
        return done

    def lowest_tenth(self) -> dict[str, float]:
        return {stage: sorted(times)[len(times) // 10] for stage, times in self.seen.items()}


def whole(stages: Stages, judge: Judge, memory: Memory, body: bytes) -> None:
    """An answer as the service makes it."""
    conversation = stages.time("parse and check", lambda: one_conversation(body))
    standing = stages.time("follow on, rules", lambda: memory.standing(conversation))
    assert standing is not None
    answer = stages.time("conclude", lambda: judge.conclude(standing, explain=True))
    stages.time("encode as JSON", lambda: msgspec.json.encode(answer))
    stages.time("record for the log", lambda: decision_record(answer, standing, datetime.now(UTC)))


def parts(stages: Stages, judge: Judge, memory: Memory, conversation: Conversation) -> None:
    """The dearest parts of an answer, each on a text that nothing has seen before."""
    assert judge.escalation is not None
    assert judge.routing is not None
    escalation, routing, newest = judge.escalation, judge.routing, conversation.messages[-1]
    masked = stages.time("– mask the newest text", lambda: redact_message(newest, names_of(conversation)))
    stages.time("– read the newest text", lambda: read(masked.text, masked.role, conversation.locale))
    standing = memory.standing(conversation)
    assert standing is not None
    moment = standing.moment
    stages.time("– probability", lambda: escalation.probabilities([moment]))
    stages.time("– explanation", lambda: explained(escalation, moment))
    stages.time("– team", lambda: routing.route(moment))


def measure(judge: Judge, length: int, count: int) -> dict[str, float]:
    """Microseconds by stage for conversations of so many messages."""
    chats, memory, stages = Chats(), Memory(judge.rules), Stages()
    made = list(islice(chats.conversations(length), 2 * count))
    for conversation in made:
        judge.conclude(_standing(memory, conversation, length - 1), explain=True)
    for conversation in made[:count]:
        whole(stages, judge, memory, to_json(conversation))
    for conversation in made[count:]:
        parts(stages, judge, memory, conversation)
    return stages.lowest_tenth()


def _standing(memory: Memory, conversation: Conversation, messages: int) -> Standing:
    known = msgspec.structs.replace(conversation, messages=conversation.messages[:messages])
    standing = memory.standing(known)
    assert standing is not None
    return standing


def report(models: Path) -> str:
    """The table of all stages."""
    rules = Judge.by_rules()
    judge = Judge(rules.rules, rules.policy, load_champion("escalation", models), load_champion("routing", models))
    found = [measure(judge, length, ANSWERS[length]) for length in LENGTHS]
    order = ["parse and check", "follow on, rules", "– mask the newest text", "– read the newest text", "conclude",
             "– probability", "– explanation", "– team", "encode as JSON", "record for the log"]  # fmt: skip
    rows = [[stage, *(f"{each[stage]:,.0f}" for each in found)] for stage in order]
    rows.append(["all", *(f"{sum(each[stage] for stage in WHOLE):,.0f}" for each in found)])
    return f"On {machine()}.\n\n{table(['stage, µs', *(f'{n} messages' for n in LENGTHS)], rows)}"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("models", type=Path, help="models that `benchmarks.models` made")
    options.add_argument("--write", action="store_true", help="write the table into docs/performance.md")
    chosen = options.parse_args()
    text = report(chosen.models)
    print(text)
    if chosen.write:
        write("stages", text)


if __name__ == "__main__":
    main()
