"""Conversations of a store, with what was reported of them."""

from __future__ import annotations

from collections.abc import Iterator

from handoff.analytics.reading import one_among
from handoff.settings import read_settings
from handoff.transcript import Conversation


def from_store(url: str) -> Iterator[Conversation]:
    """The conversations of a store, with the newest outcome that was reported for each."""
    from handoff.store import open_store

    with open_store(url, secret=read_settings().store_key, must_exist=True) as store:
        yield from store.conversations()


def one_stored(url: str, conversation_id: str | None) -> Conversation:
    """The conversation of that id, or the only one there is. Raises `BadInput` naming some ids otherwise."""
    from handoff.store import open_store

    with open_store(url, secret=read_settings().store_key, must_exist=True) as store:
        found = store.with_outcome(conversation_id) if conversation_id is not None else None
        return found or one_among(store.conversations(), conversation_id, "--store")
