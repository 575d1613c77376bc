"""A process beside a worker that works on parts of batches: `python -m serving.hand`, started by hands.py.

It reads parts from its input and writes what came of them to its output, each as MessagePack behind its length. It ends
with its input, so with the worker, and when it had nothing to do for a while.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import sys
import traceback
from contextlib import suppress
from typing import BinaryIO

import msgspec

from handoff.settings import Settings, read_settings
from serving.batch import Part, identity, work_on
from serving.current import CurrentJudge
from serving.lean import collect_later, import_lightgbm_alone, settle_memory

IDLE_SECONDS = 300.0
# Whoever asks for one answer goes first.
LESS_URGENT_BY = 5
LENGTH_BYTES = 8
# Said when it can be asked; and instead of an answer, when its judge is another than the worker's, or before where it
# failed. No answer begins like these.
READY, OTHER_JUDGE, FAILED = b"ready", b"other", b"failed: "


def main() -> None:
    """Answer until the worker ends, or for as long as there is something to do."""
    for stop in (signal.SIGINT, signal.SIGTERM):  # are for the worker, which first finishes what it is at
        signal.signal(stop, signal.SIG_IGN)
    os.nice(LESS_URGENT_BY)
    logging.getLogger("bentoml.handoff").addHandler(logging.NullHandler())  # what is to be told, the worker tells
    told = _output_alone()
    collect_later()
    settings = read_settings()
    import_lightgbm_alone()
    current = CurrentJudge(settings)
    current.refresh()
    settle_memory()
    with suppress(BrokenPipeError):  # the worker is gone
        write_frame(told, READY)
        while comes(sys.stdin.buffer, IDLE_SECONDS) and (asked := read_frame(sys.stdin.buffer)) is not None:
            write_frame(told, _told(asked, current, settings))


def _told(asked: bytes, current: CurrentJudge, settings: Settings) -> bytes:
    """The answer, or where it failed: without the error's own words, which might quote a customer."""
    try:
        return _answer(asked, current, settings)
    except Exception as error:
        place = "".join(traceback.format_tb(error.__traceback__))
        return FAILED + f"{type(error).__name__}\n{place}".encode()


def _answer(asked: bytes, current: CurrentJudge, settings: Settings) -> bytes:
    part = msgspec.msgpack.decode(asked, type=Part)
    if identity(current.judge) != part.judge:
        current.refresh()
    judge = current.judge
    if identity(judge) != part.judge:
        return OTHER_JUDGE
    return msgspec.msgpack.encode(work_on(part, current, judge, settings))


def _output_alone() -> BinaryIO:
    """What the worker reads. Whatever a library prints goes where errors go."""
    ours = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return ours


def comes(source: BinaryIO, seconds: float) -> bool:
    """Whether there is something to read, or its end, within so many seconds."""
    waiting = select.poll()
    waiting.register(source, select.POLLIN)
    return bool(waiting.poll(1_000 * seconds))


def write_frame(to: BinaryIO, content: bytes) -> None:
    """Send the content behind its length. Raises OSError when nobody reads it."""
    to.write(len(content).to_bytes(LENGTH_BYTES, "big") + content)
    to.flush()


def read_frame(source: BinaryIO) -> bytes | None:
    """The next content, or None at the end."""
    length = int.from_bytes(source.read(LENGTH_BYTES), "big")
    content = source.read(length)
    return content if content and len(content) == length else None


if __name__ == "__main__":
    main()
