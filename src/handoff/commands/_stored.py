"""The store that a command works on, times in its options, and its conversations with what was reported of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from handoff.analytics.reading import one_among
from handoff.errors import BadInput
from handoff.settings import read_settings
from handoff.transcript import Conversation

if TYPE_CHECKING:
    from handoff.store import Store

# Nobody waits for it as for an answer; a page of a large table, or a file to rewrite, may take a while.
SECONDS = 300.0

StoreOption = Annotated[str | None, typer.Option("--store", help="Database URL; HANDOFF_STORE by default.")]


def existing_store(url: str | None) -> Store:
    """The store at the URL, or else at HANDOFF_STORE. Raises `BadInput` where there is none."""
    from handoff.store import open_store

    settings = read_settings()
    named = url or settings.store
    if named is None:
        raise BadInput("HANDOFF_STORE is none, so nothing is stored; name the database with --store")
    return open_store(named, secret=settings.store_key, seconds=SECONDS, must_exist=True)


def from_store(url: str) -> Iterator[Conversation]:
    """The conversations of a store, with what was reported of the end of each."""
    with existing_store(url) as store:
        yield from store.conversations()


def one_stored(url: str, conversation_id: str | None) -> Conversation:
    """The conversation of that id, or the only one there is. Raises `BadInput` naming some ids otherwise."""
    with existing_store(url) as store:
        found = store.with_outcome(conversation_id) if conversation_id is not None else None
        return found or one_among(store.conversations(), conversation_id, "--store")


def time_of(text: str | None, option: str) -> datetime | None:
    """The time that the option names. Misuse when it is none."""
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        problem = f"'{text}' is no time; expected one such as 2026-03-02 or 2026-03-02T14:31:05Z"
        raise typer.BadParameter(problem, param_hint=option) from None


def times_of(since: str | None, until: str | None) -> tuple[datetime | None, datetime | None]:
    """The times that --since and --until name. Misuse when one is none, or when the first is the later one."""
    begin, end = time_of(since, "--since"), time_of(until, "--until")
    if begin is not None and end is not None and begin > end:
        raise typer.BadParameter(f"--since {since} is later than --until {until}; exchange them")
    return begin, end
