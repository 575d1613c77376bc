"""`handoff features`: conversations as a table of features and labels, one row a message."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from handoff.commands._app import app
from handoff.commands._console import console, print_json, progress


@app.command("features")
def features_command(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="A file or folder of conversations.", exists=True)],
    out: Annotated[Path, typer.Option("--out", help="The Parquet file to write.", dir_okay=False)],
    signals: Annotated[
        Path | None,
        typer.Option("--signals", help="Keep here what the texts say, in numbers, for the next run.", file_okay=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")] = False,
) -> None:
    """Write one row a message: every feature, and the label under every target (missing where it makes no row).

    Example: `handoff features data/sample --out data/processed/features.parquet`

    With `--signals` a second run, with a feature more or a few conversations more, reads no text again that it read
    before. The folder holds numbers and ids, no text, and may be deleted at any time.
    """
    from handoff.training.feature_file import write_features

    with progress("conversations") as step:
        written = write_features(data, out, signals=signals, step=step)
    if as_json:
        print_json(written)
    else:
        console.print(
            f"{written.rows:,} rows of {written.conversations:,} conversations, {written.features} features: {out}",
            markup=False,
        )
