"""`handoff calibrate`: what the assistant's own confidence is worth, for the rules that go by it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.box import SIMPLE
from rich.table import Table

from handoff.commands._app import app
from handoff.commands._console import column, console, print_json, progress

if TYPE_CHECKING:
    from handoff.training.fit_confidence import Fit, Found


class LabelOption(StrEnum):
    """What counts as a reply that helped."""

    outcome = "outcome"
    next_message = "next_message"
    label = "label"


@app.command("calibrate")
def calibrate_command(
    data: Annotated[Path, typer.Option("--data", help="A file or folder of conversations.", exists=True)],
    out: Annotated[Path, typer.Option("--out", help="The JSON file to write.", dir_okay=False)],
    label: Annotated[
        LabelOption, typer.Option("--label", help="What says whether a reply helped.")
    ] = LabelOption.outcome,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the folds.")] = 7,
    as_json: Annotated[bool, typer.Option("--json", help="The same as data.")] = False,
) -> None:
    """Calibrate the AI's reported confidence for the rules, a version of the AI at a time.

    By `--label outcome` a reply helped where its episode was resolved and no human took over. By `next_message` it
    helped unless the customer's next message repeats, says that it does not help or asks for a human. By `label` it
    helped where messages[].label is 0. A version needs 500 labelled replies, and a method that lowers the log loss on
    customers it has not seen; otherwise it stays as reported, which is said.

    Rules go by the file under HANDOFF_CONFIDENCE and show both values. Features and models read what was reported.

    Example: `handoff calibrate --data data/sample --out confidence.json`
    """
    from handoff.commands._conversations import counted
    from handoff.files import write_atomically
    from handoff.training.fit_confidence import check_label, fit_confidence

    with progress("conversations") as step:
        found = fit_confidence(counted(data, step), check_label(label.value), data.name, seed)
    write_atomically(out, msgspec.json.format(msgspec.json.encode(found.file), indent=2) + b"\n")
    print_json(found) if as_json else _print(found, out)


def _print(found: Found, out: Path) -> None:
    from handoff.training.fit_confidence import LABELS

    console.print(f"{found.conversations:,} conversations. Label: {LABELS[found.file.label]}.", markup=False)
    table = Table(
        column("version"), *(column(name, justify="right") for name in ("replies", "helped", "reported")),
        column("log loss reported → used"), column("calib. error"), column(min_width=len("calibrated")),
        box=SIMPLE, pad_edge=False, show_edge=False,
    )  # fmt: skip
    for fit in found.fits:
        table.add_row(*_row(fit))
    console.print(table)
    if found.without_version:
        console.print(
            f"{found.without_version:,} labelled replies name no assistant_version: as reported", markup=False
        )
    console.print(f"Written: {out}. Next:", markup=False)
    console.print(f"  HANDOFF_CONFIDENCE={out} handoff serve", markup=False)


def _row(fit: Fit) -> tuple[str, ...]:
    loss = "–" if fit.log_loss is None else f"{fit.log_loss['none']:.3f} → {fit.log_loss[fit.method]:.3f}"
    error = "–" if fit.error_reported is None else f"{fit.error_reported:.3f} → {fit.error_used:.3f}"
    says = f"{fit.says} ({fit.method})" if fit.method != "none" else fit.says
    helped = f"{fit.helped / fit.replies:.1%}"
    return (fit.version, f"{fit.replies:,}", helped, f"{fit.mean_reported:.1%}", loss, error, says)
