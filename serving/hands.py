"""The processes beside a worker that work on long batches: two, unless HANDOFF_BATCH_PROCESSES says otherwise.

A batch is shared out among them in parts. The first long batch, which the worker still answers itself, starts them;
they end when there is nothing to do. Nothing depends on them: what a process does not answer, the worker does.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor, wait
from contextlib import suppress
from threading import Event, Timer
from time import monotonic

import msgspec

from handoff.settings import Settings
from serving.batch import Part, Told
from serving.hand import FAILED, OTHER_JUDGE, comes, read_frame, write_frame

# Of the time that a request may take. A process that is at one part for longer is taken for lost, and the worker
# answers that part.
SHARE_OF_REQUEST = 0.5
# So long a process may take until it can be asked.
MOST_START_SECONDS = 60.0

log = logging.getLogger("bentoml.handoff")


class Hand:
    """One such process. Asked by one thread at a time."""

    def __init__(self, most_seconds: float) -> None:
        """`most_seconds` is how long it may be at one part."""
        self._most_seconds, self._started = most_seconds, monotonic()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "serving.hand"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._to, self._from = self._process.stdin, self._process.stdout
        self._is_ready = False

    @property
    def is_gone(self) -> bool:
        """Whether it has ended."""
        return self._process.poll() is not None

    def is_ready(self) -> bool:
        """Whether it can be asked: its models are loaded. One that takes too long for that is ended."""
        if not self._is_ready and comes(self._from, 0):
            self._is_ready = read_frame(self._from) is not None
        if not self._is_ready and monotonic() - self._started > MOST_START_SECONDS:
            self.stop()
        return self._is_ready and not self.is_gone

    def ask(self, part: Part) -> Told | None:
        """What came of the part; None where it cannot tell."""
        patience = Timer(self._most_seconds, self.stop)
        patience.daemon = True
        patience.start()
        try:
            write_frame(self._to, msgspec.msgpack.encode(part))
            if (frame := read_frame(self._from)) is None:
                raise EOFError
            if frame.startswith(FAILED):
                log.error("a process that works on batches failed: %s", frame.removeprefix(FAILED).decode())
                return None
            return None if frame == OTHER_JUDGE else msgspec.msgpack.decode(frame, type=Told)
        except (OSError, EOFError, ValueError) as error:  # of pipes, and of what cannot be decoded
            kind = type(error).__name__
            log.warning("a process that works on batches is lost (%s); the worker answers in its place", kind)
            self.drop()
            return None
        finally:
            patience.cancel()

    def stop(self) -> None:
        """End it at once, even where it is stopped or stuck. Whoever asks it meanwhile learns that it is lost."""
        self._process.kill()

    def drop(self) -> None:
        """End it, and let go of what led to it."""
        self.stop()
        self._process.wait()
        for pipe in (self._to, self._from):
            with suppress(OSError):  # what it did not read is of no use any more
                pipe.close()


class Hands:
    """All of one worker. Asked by one thread at a time."""

    def __init__(self, settings: Settings) -> None:
        self._count, self._part_seconds = settings.batch_processes, settings.request_seconds * SHARE_OF_REQUEST
        self._threads = ThreadPoolExecutor(max(1, self._count), "hands")
        self._hands: list[Hand] = []

    def work(self, parts: Sequence[Part], own: Callable[[Part], Told], given_up: Event) -> list[Told]:
        """What came of each part: from the processes where there are any, else from `own`.

        Raises `CancelledError`, between two parts, once nobody waits for it any more.
        """
        told: dict[int, Told] = {}
        if len(parts) > 1:
            line = deque(enumerate(parts))
            wait([self._threads.submit(_serve, hand, line, told, given_up) for hand in self._ready()])
        for place, part in enumerate(parts):
            if given_up.is_set():
                raise CancelledError
            if place not in told:
                told[place] = own(part)
        return [told[place] for place in range(len(parts))]

    def close(self) -> None:
        """End all."""
        for hand in self._hands:
            hand.drop()

    def _ready(self) -> list[Hand]:
        """Those that can be asked. In place of those that are gone others are started, for the next time."""
        for gone in [hand for hand in self._hands if hand.is_gone]:
            gone.drop()
            self._hands.remove(gone)
        try:
            while len(self._hands) < self._count:
                self._hands.append(Hand(self._part_seconds))
        except OSError as error:  # of processes, files or memory there are no more to be had
            log.warning("no process that works on batches can be started (%s); the worker answers", error.strerror)
        return [hand for hand in self._hands if hand.is_ready()]


def _serve(hand: Hand, line: deque[tuple[int, Part]], told: dict[int, Told], given_up: Event) -> None:
    """Have this process answer parts for as long as there are any in line, and somebody waits for them."""
    while not given_up.is_set():
        try:
            place, part = line.popleft()
        except IndexError:
            return
        answer = hand.ask(part)
        if answer is None:
            return
        told[place] = answer
