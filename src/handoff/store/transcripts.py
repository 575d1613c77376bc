"""From the store back to training: stored conversations in the native format, with what was reported of their end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from handoff.errors import BadRecord
from handoff.files import whole
from handoff.formats import NativeWriter, ParquetWriter
from handoff.store.export import MODE
from handoff.transcript import Conversation, parse, to_json
from handoff.transcript.outcomes import is_recorded


class Transcripts(msgspec.Struct, frozen=True):
    """How many conversations were written, with an outcome that was reported and without one, and how many were not:
    because nobody knows how they end, or because no reader would take them."""

    with_outcome: int = 0
    without_outcome: int = 0
    unfinished: int = 0
    unusable: int = 0

    @property
    def conversations(self) -> int:
        """All that were written."""
        return self.with_outcome + self.without_outcome


def export_conversations(
    conversations: Iterable[Conversation],
    path: Path,
    *,
    unfinished: bool = False,
    step: Callable[[], None] = lambda: None,
) -> Transcripts:
    """Write them to a file, named as in `ENDINGS`, that appears whole or not at all; `step` is called once for each.

    Without `unfinished` those are left out of which neither an outcome was reported nor a human took over: training
    takes a conversation without an outcome for one that needed nobody.
    """
    counts = dict.fromkeys(Transcripts.__struct_fields__, 0)
    with whole(path, MODE) as partial, _writer(path, partial) as file:
        for conversation in conversations:
            kind = _kind(conversation, unfinished)
            counts[kind] += 1
            if kind in ("with_outcome", "without_outcome"):
                file.write(conversation)
            step()
    return Transcripts(**counts)


def _kind(conversation: Conversation, unfinished: bool) -> str:
    """The field of `Transcripts` that counts it."""
    if not is_recorded(conversation) and not unfinished:
        return "unfinished"
    try:
        parse(to_json(conversation))
    except BadRecord:  # masking can make a text longer than a reader takes, and one such record stops a training
        return "unusable"
    return "without_outcome" if conversation.outcome is None else "with_outcome"


def _writer(path: Path, partial: Path) -> NativeWriter | ParquetWriter:
    if path.suffix == ".parquet":
        return ParquetWriter(partial)
    return NativeWriter(partial, zipped=path.suffix == ".gz")
