"""`handoff export`: what the store holds, as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from handoff.commands._app import app
from handoff.commands._console import console, print_json, progress
from handoff.commands._stored import StoreOption, existing_store, times_of

export_app = typer.Typer(help="Write what the store holds to a file.", no_args_is_help=True)
app.add_typer(export_app, name="export")


JsonOption = Annotated[bool, typer.Option("--json", help="Print the count as JSON.")]


class Exported(msgspec.Struct, frozen=True):
    """What was written, and where."""

    decisions: int
    file: str


class ExportedConversations(msgspec.Struct, frozen=True):
    """What was written, where, and what was left out."""

    conversations: int
    with_outcome: int
    without_outcome: int
    left_out: int
    unusable: int
    file: str


@export_app.callback()
def export() -> None:
    """Write what the store holds to a file."""


@export_app.command("decisions")
def export_decisions_command(
    out: Annotated[Path, typer.Option("--out", help="The Parquet file to write.", dir_okay=False)],
    since: Annotated[str | None, typer.Option("--since", help="Decisions from this time on; UTC if not said.")] = None,
    until: Annotated[str | None, typer.Option("--until", help="Decisions before this time.")] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the decision log to Parquet, one row a decision, in the order in which they were stored.

    A row holds what made the decision (versions, rules that held, every feature by its name), the decision itself
    (probability, action, reason, urgency, who decided), how long it took, and the whole answer as JSON. Texts of
    messages are not in it. The file appears whole or not at all, for its owner alone to read, and the service may go
    on writing meanwhile.

    Example: `handoff export decisions --out decisions.parquet --since 2026-03-01`
    """
    if out.suffix != ".parquet":
        raise typer.BadParameter(f"{out.name} is no .parquet file", param_hint="--out")
    begin, end = times_of(since, until)
    with existing_store(store) as opened, progress("decisions") as step:
        written = Exported(opened.export_decisions(out, begin, end, step), str(out))
    if as_json:
        print_json(written)
    else:
        console.print(f"{written.decisions:,} decisions: {written.file}", markup=False)


@export_app.command("conversations")
def export_conversations_command(
    out: Annotated[Path, typer.Option("--out", help="The file: .jsonl, .jsonl.gz or .parquet.", dir_okay=False)],
    since: Annotated[str | None, typer.Option("--since", help="Begun from this time on; UTC if not said.")] = None,
    until: Annotated[str | None, typer.Option("--until", help="Begun before this time.")] = None,
    unfinished: Annotated[
        bool, typer.Option("--unfinished", help="Also those whose end nobody knows yet, without an outcome.")
    ] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the conversations that were sent by message, with their outcomes, as `handoff train` reads them.

    One conversation a line for OUT.jsonl (or .jsonl.gz), a row each for OUT.parquet, oldest first: what is known of
    the customer, all messages in their order, and the outcome, put together from all that was reported to /outcomes
    (of two reports on the same field the newer counts). `handoff validate`, `train`, `evaluate` and `replay` read it.

    Training takes a conversation without an outcome for one that needed nobody. So those are left out of which neither
    an outcome was reported nor a human took over; --unfinished writes them, too.

    Texts come as they are stored: personal data stays masked, and the customer's name is "[name]".
    Nothing is unsealed, though the store opens with the HANDOFF_STORE_KEY that it was made with only, nor are texts
    written that HANDOFF_KEEP_RAW_TEXT kept. An id that
    held personal data comes as its masked form with a hash, the same every time, so that records still join; others
    come as they were sent. Decisions are not in it (`handoff export decisions`), nor opinions on them (agree), and what
    was only ever sent to /predict is not stored as a conversation. Nobody but its owner may read the file.

    Example: `handoff export conversations --out conversations.jsonl --since 2026-03-01`
    """
    from handoff.formats import ENDINGS

    if not out.name.endswith(ENDINGS):
        raise typer.BadParameter(f"{out.name} ends in none of {', '.join(ENDINGS)}", param_hint="--out")
    begin, end = times_of(since, until)
    with existing_store(store) as opened, progress("conversations") as step:
        found = opened.export_conversations(out, begin, end, unfinished=unfinished, step=step)
    written = ExportedConversations(
        found.conversations, found.with_outcome, found.without_outcome, found.unfinished, found.unusable, str(out)
    )
    print_json(written) if as_json else _print(written)


def _print(written: ExportedConversations) -> None:
    """Both counts, for a person."""
    parts = [f"{written.with_outcome:,} with an outcome, {written.without_outcome:,} without"]
    if written.left_out:
        parts.append(f"{written.left_out:,} left out, of which nobody knows the end yet (--unfinished writes them)")
    if written.unusable:
        parts.append(f"{written.unusable:,} left out, which no reader takes (masking made a text too long)")
    console.print(f"{written.conversations:,} conversations: {written.file}", markup=False)
    for part in parts:
        console.print(f"  {part}", markup=False)
