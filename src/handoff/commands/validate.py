"""`handoff validate`: what is wrong with transcripts, without writing anything."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from handoff.commands._app import app
from handoff.commands._console import complain, print_json, progress
from handoff.commands._transcripts import FORMATS_HELP, MAP_HELP, print_summary, source_of
from handoff.ingest import validate


@app.command("validate")
def validate_command(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A file or a folder; .gz too.", exists=True)],
    format_name: Annotated[str, typer.Option("--format", help=FORMATS_HELP)] = "native",
    map_file: Annotated[Path | None, typer.Option("--map", help=MAP_HELP, exists=True, dir_okay=False)] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first reject.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Check transcripts and name every record that cannot be used by file, line and field.

    Exit status 0 when all are usable, 1 when some are not or there are none.

    Example: `handoff validate data/sample`
    """
    source = source_of([path], format_name, map_file, strict)
    with progress("conversations") as step:
        summary = validate(source, step)
    print_json(summary) if as_json else print_summary(summary)
    if not summary.conversations and not summary.rejects:
        complain(f"{path} holds no conversation; is it the right file, and the right --format?")
    if summary.rejects or not summary.conversations:
        raise typer.Exit(1)
