"""How the scripts in pipelines/ run: one function each, its options by typer, errors in one line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from handoff.commands._console import complain, console, let_threads_sleep
from handoff.errors import HandoffError
from handoff.steps import Result

ForceOption = Annotated[bool, typer.Option("--force", help="Run it even if nothing has changed since the last time.")]


def run_script(main: Callable[..., object]) -> None:
    """Run `main` as a program: exit status 0 done, 1 could not, 2 misuse."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="markdown")
    app.command()(main)
    let_threads_sleep()
    try:
        app()
    except HandoffError as error:
        complain(str(error))
        sys.exit(1)


def tell(result: Result) -> None:
    """Say what a step did, or that there was nothing to do."""
    console.print(result.done.says, markup=False)
    if result.skipped:
        console.print("Unchanged since it was last run; --force runs it again", style="dim")
