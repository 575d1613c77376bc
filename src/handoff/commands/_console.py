"""How every command speaks: results on stdout, the rest on stderr, errors in one line."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import typer
from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column
from rich.text import Text
from typer.core import TyperGroup

from handoff.errors import HandoffError

console = Console(highlight=False, soft_wrap=True)
stderr = Console(stderr=True, highlight=False, soft_wrap=True)

SECONDS_BEFORE_A_BAR = 2.0
_STEPS_BETWEEN_LOOKS = 64


class OneLineErrors(TyperGroup):
    """A group of commands that turns an error raised on purpose into one line on stderr and exit status 1."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Misuse where an argument is no text: neither a store nor a file of JSON could hold it, nor a file's name."""
        for each in args:
            if not _is_unicode(each):
                raise typer.BadParameter(f"{each!a} holds bytes that are no UTF-8; write or name it in UTF-8")
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:  # typer's Context, whose class typer keeps to itself
        let_threads_sleep()
        try:
            return super().invoke(ctx)
        except HandoffError as error:
            complain(str(error))
        except OSError as error:
            if isinstance(error, BrokenPipeError):  # the reader of our output had enough; typer knows what to do
                raise
            complain(f"{error.filename}: {error.strerror}" if error.filename else str(error))
        raise typer.Exit(1)


def _is_unicode(text: str) -> bool:
    """Whether it can be written; bytes of the command line that are no UTF-8 come as halves of surrogate pairs."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def let_threads_sleep() -> None:
    """Threads of OpenMP that wait for others sleep instead of spinning, unless the environment says how they wait.

    Two trainings at once on two cores took minutes instead of seconds. LightGBM's OpenMP reads this when it is loaded.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("GOMP_SPINCOUNT", "0")


def complain(message: str) -> None:
    """One line on stderr that says what went wrong."""
    stderr.print(f"Error: {' '.join(message.split())}", markup=False, style="red")


def print_json(value: Any) -> None:
    """The value as JSON on stdout, for other programs."""
    # Not through rich, which would fold and colour it.
    typer.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def column(title: str = "", **options: Any) -> Column:
    """A column of a table whose header is never cut: it wraps between words, and folds in a word where it must."""
    longest = max((cell_len(word) for word in Text.from_markup(title).plain.split()), default=0)
    return Column(title, **{"min_width": longest, "overflow": "fold", **options})


@contextmanager
def progress(
    title: str, total: int | None = None, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[], None]]:
    """A function to call once a step. A bar appears after two seconds, and only where somebody sees it."""
    bar = _Bar(title, total, clock)
    try:
        yield bar.step if stderr.is_terminal else _nothing
    finally:
        bar.close()


def _nothing() -> None:
    pass


class _Bar:
    """Counts steps and shows itself once they take long."""

    def __init__(self, title: str, total: int | None, clock: Callable[[], float]) -> None:
        self._title, self._total, self._clock = title, total, clock
        self._start = clock()
        self._steps = 0
        self._shown: tuple[Progress, TaskID] | None = None

    def step(self) -> None:
        self._steps += 1
        if self._steps % _STEPS_BETWEEN_LOOKS and self._total is None:
            return
        if self._shown is None and self._clock() - self._start > SECONDS_BEFORE_A_BAR:
            self._shown = self._show()
        if self._shown is not None:
            bar, task = self._shown
            bar.update(task, completed=self._steps)

    def close(self) -> None:
        if self._shown is not None:
            self._shown[0].stop()

    def _show(self) -> tuple[Progress, TaskID]:
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,}"), TimeElapsedColumn())
        bar = Progress(*columns, console=stderr, transient=True)
        bar.start()
        return bar, bar.add_task(self._title, total=self._total)
