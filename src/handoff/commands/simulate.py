"""`handoff simulate`: a simulated help desk's conversations."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from handoff.commands._app import app
from handoff.commands._console import console, print_json, progress

if TYPE_CHECKING:
    from handoff.simulate.store import Written

DEFAULT_OUT = Path("data/sample")


@app.command("simulate")
def simulate_command(
    conversations: Annotated[int, typer.Option("--conversations", "-n", help="How many.", min=1)] = 2000,
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same file.")] = 7,
    out: Annotated[Path, typer.Option("--out", help="The folder to write to.", file_okay=False)] = DEFAULT_OUT,
    start: Annotated[
        datetime | None, typer.Option("--start", formats=["%Y-%m-%d"], help="The day of the first conversation.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")] = False,
) -> None:
    """Simulate conversations of a help desk and write them to OUT/conversations.jsonl.

    Customers, an assistant and human agents that do not exist; for the sample, the demo and load tests. No figure
    measured on them says anything about real conversations. More conversations with the same seed only add to those
    of fewer. An earlier simulation in OUT is replaced; a file of that name that holds anything else is refused.

    Example: `handoff simulate --conversations 2000 --seed 7 --out data/sample`
    """
    from handoff.simulate import DEFAULT_START, simulate
    from handoff.simulate.store import write

    begins = DEFAULT_START if start is None else start.replace(tzinfo=UTC)
    with progress("conversations", total=conversations) as step:
        written = write(simulate(conversations, seed, begins), out, step)
    print_json(written) if as_json else _print(written)


def _print(written: Written) -> None:
    share = written.escalated / written.conversations
    console.print(
        f"{written.conversations:,} simulated conversations of {written.customers:,} customers, "
        f"{written.messages:,} messages; {written.escalated:,} escalated ({share:.1%})"
    )
    console.print(f"from {written.first} to {written.last}")
    console.print(f"conversations: {written.file}", markup=False)
