"""`handoff forget`: delete from the store, for good."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from handoff.commands._app import app
from handoff.commands._console import complain, console, print_json, stderr
from handoff.commands._stored import StoreOption, existing_store, time_of
from handoff.errors import BadInput, StoreUnavailable
from handoff.settings import read_settings

if TYPE_CHECKING:
    from handoff.store import Store
    from handoff.store.forget import Forgotten, Wanted

_AGE = re.compile(r"([1-9][0-9]{0,5})([dw])")


class Report(msgspec.Struct, frozen=True):
    """What was deleted, or would be: `deleted` says which. `spill` is the folder where decisions were looked for."""

    deleted: bool
    conversations: int
    messages: int
    decisions: int
    outcomes: int
    spilled: int
    spill: str
    in_use: int
    damaged: int
    unknown: tuple[str, ...]


@app.command("forget")
def forget_command(
    conversations: Annotated[
        list[str] | None, typer.Option("--conversation", metavar="ID", help="This one; give it several times.")
    ] = None,
    customers: Annotated[
        list[str] | None, typer.Option("--customer", metavar="ID", help="All of this customer_id; several times, too.")
    ] = None,
    before: Annotated[str | None, typer.Option("--before", help="All that is older than this time (UTC).")] = None,
    older_than: Annotated[
        str | None, typer.Option("--older-than", metavar="AGE", help="All that is older: 400d, 52w.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Delete; without it only count.")] = False,
    vacuum: Annotated[
        bool | None,
        typer.Option("--vacuum/--no-vacuum", help="Rewrite SQLite's file; by default one of up to 100 MiB."),
    ] = None,
    store: StoreOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")] = False,
) -> None:
    """Delete conversations from the store with all that belongs to them; without --yes say how much that is.

    Messages (raw texts and idempotency keys too), customer and environment, decisions and outcomes go, and decisions in
    HANDOFF_SPILL on this machine. Ids may be given as they were sent, also where they are stored masked. --customer
    finds what was sent by message: an answer of /predict holds no customer, so name those conversations.

    By age a conversation goes whole once its newest message was taken in before the time; decisions and outcomes
    without a stored conversation (of /predict) go by their own time.

    Workers may go on: deletion is done in short steps, and a message that comes later begins a new conversation. What a
    worker is just answering may be stored a moment later, so ask again. SQLite's file keeps traces of deleted rows
    until it is rewritten (--vacuum), and no worker writes meanwhile: about a second for 100 MiB. PostgreSQL cleans up
    by its own vacuum. Copies elsewhere (exports, backups, exams of trained models) stay.

    Exit status 1 when one of the ids is not known, or when something could not be deleted now or looked up.

    Example: `handoff forget --older-than 400d --yes`
    """
    wanted = _wanted(conversations or [], customers or [], before, older_than)
    spill = read_settings().spill.absolute()
    with existing_store(store) as opened:
        found = opened.forget(wanted, spill, really=yes)
        report = _report(found, spill, yes)
        print_json(report) if as_json else _print(report)
        complete = _is_wiped(opened, vacuum) if yes else True
    if found.unknown:
        complain(f"nothing is stored of {', '.join(found.unknown)}")
    if found.in_use and yes:
        complain(
            f"{found.in_use} decisions wait in {spill} until a running worker has brought them into the store; "
            "run this again once /status names no problem of the store"
        )
    if found.damaged:
        complain(
            f"{found.damaged} files in {spill} could not be read when the service started (*.damaged), so nobody knows "
            "whose decisions are in them; delete them once you do not need them"
        )
    if found.unknown or found.damaged or (found.in_use and yes) or not complete:
        raise typer.Exit(1)


def _wanted(conversations: list[str], customers: list[str], before: str | None, older_than: str | None) -> Wanted:
    """What the options name: ids, or one time. Misuse otherwise."""
    from handoff.store.forget import Wanted

    by_id, by_time = bool(conversations or customers), [each for each in (before, older_than) if each is not None]
    if len(by_time) > 1 or by_id == bool(by_time):
        raise typer.BadParameter("name ids (--conversation, --customer) or one time (--before or --older-than)")
    if by_id:
        return Wanted(tuple(dict.fromkeys(conversations)), tuple(dict.fromkeys(customers)))
    return Wanted(before=time_of(before, "--before") if older_than is None else _so_long_ago(older_than))


def _so_long_ago(age: str) -> datetime:
    found = _AGE.fullmatch(age)
    if found is None:
        problem = f"'{age}' is no age; expected days or weeks such as 400d or 52w"
        raise typer.BadParameter(problem, param_hint="--older-than")
    span = timedelta(days=int(found[1])) if found[2] == "d" else timedelta(weeks=int(found[1]))
    try:
        return datetime.now(UTC) - span
    except OverflowError:
        raise BadInput(f"--older-than: {age} is longer than there are dates") from None


def _report(found: Forgotten, spill: Path, yes: bool) -> Report:
    counts = {name: getattr(found, name) for name in ("spilled", "in_use", "damaged")}
    counts |= msgspec.structs.asdict(found.rows)
    return Report(deleted=yes, spill=str(spill), unknown=found.unknown, **counts)


def _print(report: Report) -> None:
    """The counts by table, for a person."""
    console.print("Deleted:" if report.deleted else "Would delete:")
    for name in ("conversations", "messages", "decisions", "outcomes"):
        console.print(f"  {name}: {getattr(report, name):,}")
    console.print(f"  decisions on this machine's disk, in {report.spill}: {report.spilled:,}", markup=False)
    if not report.deleted:
        console.print("Nothing was deleted. --yes deletes it, for good.")


def _is_wiped(store: Store, vacuum: bool | None) -> bool:
    """Whether SQLite's files hold as little as was asked for; what remains is said."""
    try:
        wiped = store.wipe(rewrite=vacuum)
    except StoreUnavailable as error:
        complain(f"the rows are deleted, but traces stay in the file: {error}; run this again with --vacuum")
        return False
    if not wiped.emptied:
        complain("the rows are deleted, but the journal still holds them: somebody reads the store; run this again")
    if store.database.is_sqlite and not wiped.rewritten:
        note = "Traces of deleted rows may stay in unused parts of the file; --vacuum rewrites it."
        stderr.print(note, markup=False, style="yellow")
    return wiped.emptied
