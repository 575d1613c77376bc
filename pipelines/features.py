"""Conversations into a table of features and labels, one row a message."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from handoff.commands._script import ForceOption, run_script, tell
from handoff.steps import Done, Result, Step


def main(
    data: Annotated[Path, typer.Option(help="A file or folder of conversations.", exists=True)] = Path("data/sample"),
    out: Annotated[Path, typer.Option(help="The Parquet file to write.", dir_okay=False)] = Path(
        "data/processed/features.parquet"
    ),
    force: ForceOption = False,
) -> Result:
    """Write every feature, and the label under every target, of every message that is read.

    Example: `python pipelines/features.py --data data/sample --out data/processed/features.parquet`
    """
    step = Step(stamp=out.with_name(f".{out.name}.step.json"), reads=(data,), arguments={"out": out})

    def work() -> Done:
        from handoff.training.feature_file import write_features

        written = write_features(data, out)
        says = f"{written.rows:,} rows of {written.conversations:,} conversations, {written.features} features: {out}"
        return Done(says, (str(out),))

    result = step.run(work, force=force)
    tell(result)
    return result


if __name__ == "__main__":
    run_script(main)
