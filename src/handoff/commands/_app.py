"""The `handoff` command, to which each module of this package adds its own."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from handoff.commands._console import OneLineErrors

app = typer.Typer(
    help="When does a conversation between a customer and an AI assistant need a human, why, and who should take it.",
    cls=OneLineErrors,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"handoff {version('handoff')}")
        raise typer.Exit


@app.callback()
def handoff(
    _: Annotated[
        bool, typer.Option("--version", help="Print the installed version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """When does a conversation between a customer and an AI assistant need a human, why, and who should take it."""
