"""The faults of the processes beside a worker that work on long batches: the worker answers in their place."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx
import msgspec
import psutil

from serving.batch import PART
from tests.faults.ground import Ground, Row, answers_of, wait_for
from tests.faults.load import Reply
from tests.faults.scenes import CALM, SHAKEN
from tests.faults.traffic import conversation
from tests.serving.running import Running

MANY = 2 * PART + 1
# Stopped processes are waited for half as long. A worker must answer the whole batch itself in the other half.
REQUEST_SECONDS = 16
# A process that has worked for so long on a batch has not only read it.
AT_IT_SECONDS = 0.03
# One that does nothing for so long has started.
IDLE_SECONDS = 0.3


def batch_processes_are_killed(ground: Ground) -> Row:
    """kill -9 of both in the middle of a batch."""
    return _without_processes(ground, signal.SIGKILL, "killed", ground.seconds)


def batch_processes_are_stopped(ground: Ground) -> Row:
    """Both are stopped in the middle of a batch, and neither end nor answer: the worker ends them after a while."""
    return _without_processes(ground, signal.SIGSTOP, "stopped", ground.seconds + REQUEST_SECONDS / 2)


SCENES: tuple[Callable[[Ground], Row], ...] = (batch_processes_are_killed, batch_processes_are_stopped)


class _Batches:
    """Long batches, one after the other. The first comes again; what the others say was never said before, so that it
    takes a process a while."""

    def __init__(self, it: Running) -> None:
        self._it = it
        self._sent: list[list[dict[str, Any]]] = []
        self.replies: list[Reply] = []

    def send_first(self) -> None:
        self._send(0)

    def _send(self, number: int) -> None:
        conversations = [_new(number * MANY + each) for each in range(MANY)]
        identity, begun = f"long:batch:{len(self.replies)}", time.monotonic()
        self._sent.append(conversations)
        try:
            answer = self._it.post("/predict_batch", conversations, {"x-request-id": identity})
        except httpx.TransportError:
            status, later, body = 0, None, b"null"
        else:
            status, later = answer.status_code, answer.headers.get("retry-after")
            body = answer.content if status == 200 else b"null"
        seconds = time.monotonic() - begun
        self.replies.append(Reply(identity, "batch", begun, seconds, status, 0.0, later, msgspec.Raw(body)))

    def are_worked_on_beside(self) -> bool:
        """Whether two processes take part in the next one. What they do at their start is no part of it."""
        wait_for(lambda: _are_idle(self._it.hands()))
        before = _seconds(self._it.hands())
        self._send(len(self._sent))
        return len(before) == 2 and _all_worked(self._it.hands(), before)

    def problems(self) -> list[str]:
        """What is wrong with the answers: all must be there, in order, and the same whenever the first batch comes."""
        problems = [f"a batch was answered {reply.status}" for reply in self.replies if reply.status != 200]
        if problems:
            return problems
        answered = [_unnamed(answers) for answers in answers_of(self.replies)]
        if any(_ids(answers) != _ids(sent) for answers, sent in zip(answered, self._sent, strict=True)):
            problems.append("a batch was not answered whole and in order")
        if any(answers != answered[0] for answers in answered if _ids(answers) == _ids(answered[0])):
            problems.append("the same batch was answered otherwise")
        return problems


def _without_processes(ground: Ground, how: signal.Signals, what: str, seconds: float) -> Row:
    with ground.service(count=1, HANDOFF_REQUEST_SECONDS=str(REQUEST_SECONDS)) as it:
        batches = _Batches(it)
        batches.send_first()  # answered by the worker itself
        wait_for(batches.are_worked_on_beside)
        hands = it.hands()
        with ground.load(it, "predict", seconds=seconds) as replies, ThreadPoolExecutor(1) as caller:
            before = _seconds(hands)
            with ground.fault():
                sent = caller.submit(batches.send_first)
                _wait_until_at_it(sent, hands, before)
                for hand in hands:
                    hand.send_signal(how)
                ground.note("the batch was over before its processes were", not sent.done())
                sent.result()
                recovery = wait_for(batches.are_worked_on_beside)
            batches.send_first()
        ground.note("the processes are still there", not set(hands) & set(it.hands()))
        ground.note("the worker died", len(it.family()) == 4)
        errors = it.errors()
    ground.note(f"{len(errors)} errors in the log: {''.join(errors[:1])[:200]}", not errors)
    for problem in batches.problems():
        ground.note(problem, False)
    ground.note("a prediction failed", all(reply.status in (200, 503) for reply in replies))
    done, all_replies = f"{how.name} of both in a batch", [*replies, *batches.replies]
    return ground.row(f"batch processes {what}", done, all_replies, recovery, outside=CALM, during=SHAKEN)


def _wait_until_at_it(sent: Future[None], hands: Sequence[psutil.Process], before: dict[int, float]) -> None:
    while not sent.done() and not _all_worked(hands, before):
        time.sleep(0.005)


def _all_worked(hands: Sequence[psutil.Process], before: dict[int, float]) -> bool:
    now = _seconds(hands)
    return now.keys() == before.keys() and all(now[pid] - before[pid] > AT_IT_SECONDS for pid in now)


def _are_idle(hands: Sequence[psutil.Process]) -> bool:
    before = _seconds(hands)
    time.sleep(IDLE_SECONDS)
    return _seconds(hands) == before and all(hand.status() == psutil.STATUS_SLEEPING for hand in hands)


def _seconds(hands: Sequence[psutil.Process]) -> dict[int, float]:
    return {hand.pid: sum(hand.cpu_times()[:2]) for hand in hands}


def _new(number: int) -> dict[str, Any]:
    """A conversation of which no text was sent before."""
    made = conversation("long", number)
    for message in made["messages"]:
        message["text"] += f" ({number})"
    return made


def _ids(conversations: Sequence[dict[str, Any]]) -> list[str]:
    return [each["conversation_id"] for each in conversations]


def _unnamed(answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Answers without the id of their request, which is another each time."""
    return [{name: value for name, value in answer.items() if name != "request_id"} for answer in answers]
