"""Features and labels as a Parquet file, for exploring. Written group by group: memory does not grow with the data.

Conversations are independent, so that groups of them are worked on by several processes; the file is the same.
What the messages say may be kept between two runs (see `signal_table.py`).
"""

from __future__ import annotations

import gc
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import chain, islice
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from handoff.errors import BadInput, BadRecord, Problem
from handoff.features import FEATURE_NAMES, FEATURES_VERSION
from handoff.formats import FORMATS, files_of, no_record
from handoff.formats.groups import Group, Rows, parsed, read_groups
from handoff.formats.record import Reject, rejected
from handoff.formats.seen import SeenIds
from handoff.training.signal_table import SignalStore, feature_schema, feature_table_of, signal_table
from handoff.transcript import Conversation, to_json

if TYPE_CHECKING:
    import pandas as pd

# Of conversations that do not come from a file, so many bytes of JSON make a group.
GROUP_BYTES = 2**21
# Groups under way for each process, and those that wait for an earlier one to be written; more would fill the memory.
GROUPS_AHEAD, GROUPS_WAITING = 2, 4
# So many rows are written together, since some 80 KB on each writing wait in memory for the end of the file.
ROWS_A_WRITE = 50_000
# Collecting garbage: tens of thousands of words and readings live on, and are not worth looking through all the time.
GC_THRESHOLD = (100_000, 50, 100)

_Records = Group | Rows
_IDS = b"conversation_ids"


class Written(msgspec.Struct, frozen=True):
    """What was written."""

    conversations: int
    rows: int
    features: int
    features_version: str


class _Made(NamedTuple):
    """The features of a group and the ids of its conversations, or the first record that cannot be used."""

    table: Any
    ids: list[str]
    reject: Reject | None = None


def write_features(
    source: Path | Iterable[Conversation],
    out: Path,
    processes: int | None = None,
    *,
    signals: Path | None = None,
    step: Callable[[], None] = lambda: None,
) -> Written:
    """Write a row for every message that is read; `y_<target>` is null where it makes no row under a target.

    `source` is a native file or folder, or the conversations themselves. `processes` work on it, by default as many as
    there are cores for this one; one is enough for a single group. In the folder `signals` it is kept what the
    messages say, and what was kept there is not read again. `step` is called for each finished conversation.
    Raises `BadRecord` with file and line for a record that cannot be used, `BadInput` where a file or folder holds
    none; then nothing is written.
    """
    import pyarrow.parquet as parquet

    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = out.with_name(f".{out.name}.{os.getpid()}")
    conversations = rows = 0
    try:
        with _collecting_rarely(), parquet.ParquetWriter(temporary, feature_schema()) as writer:
            waiting: list[Any] = []
            for made in _checked(_groups(source), partial(_made, signals), processes or len(os.sched_getaffinity(0))):
                waiting.append(made.table)
                if sum(table.num_rows for table in waiting) >= ROWS_A_WRITE:
                    _write(writer, waiting)
                conversations, rows = conversations + len(made.ids), rows + made.table.num_rows
                for _ in made.ids:
                    step()
            _write(writer, waiting)
        if not conversations and isinstance(source, Path):
            raise BadInput(no_record(files_of(source, FORMATS["native"]), FORMATS["native"].says))
        temporary.replace(out)
    finally:
        temporary.unlink(missing_ok=True)
    return Written(conversations, rows, len(FEATURE_NAMES), FEATURES_VERSION)


def _write(writer: Any, waiting: list[Any]) -> None:
    """Write the tables as one group of rows, and let go of them."""
    import pyarrow

    if waiting:
        writer.write_table(pyarrow.concat_tables(waiting))
        waiting.clear()


def feature_frame(conversations: Iterable[Conversation]) -> pd.DataFrame:
    """The same rows as a pandas DataFrame, for notebooks."""
    frame: pd.DataFrame = feature_table(conversations).to_pandas()
    return frame


def feature_table(conversations: Iterable[Conversation]) -> Any:
    """The same rows as an Arrow table."""
    return feature_table_of(signal_table(conversations))


def _groups(source: Path | Iterable[Conversation]) -> Iterator[_Records]:
    if not isinstance(source, Path):
        yield from _of_conversations(source)
        return
    for path in files_of(source, FORMATS["native"]):
        yield from read_groups(path)


def _of_conversations(conversations: Iterable[Conversation]) -> Iterator[Group]:
    # As JSON they cross over to another process several times faster than as objects.
    path, numbers, raw, size = Path("conversations"), list[int](), list[bytes](), 0
    for number, conversation in enumerate(conversations, 1):
        numbers.append(number)
        raw.append(to_json(conversation))
        size += len(raw[-1])
        if size >= GROUP_BYTES:
            yield Group(path, numbers, raw)
            numbers, raw, size = [], [], 0
    if raw:
        yield Group(path, numbers, raw)


def _checked(groups: Iterator[_Records], make: Callable[[_Records], _Made], processes: int) -> Iterator[_Made]:
    """What is made of each group, in their order. Raises `BadRecord` for a reject and for an id that comes again."""
    seen, problems = SeenIds(), list[BadRecord]()
    for group, made in _mapped(_until_problem(groups, problems), make, processes):
        if made.reject is not None:
            raise made.reject.error()
        for number, name in zip(group.numbers, made.ids, strict=True):
            if seen.comes_again(name):
                problem = f"{name!r} is also the id of an earlier record"
                said = Problem("conversation_id", problem, "an id of its own for each")
                raise rejected(group.file, number, said).error()
        yield made
    if problems:
        raise problems[0]


def _until_problem(groups: Iterator[_Records], problems: list[BadRecord]) -> Iterator[_Records]:
    """The groups up to where their file breaks off. It is noted, to be raised after what is wrong before it."""
    try:
        yield from groups
    except BadRecord as problem:
        problems.append(problem)


def _mapped(
    groups: Iterator[_Records], make: Callable[[_Records], _Made], processes: int
) -> Iterator[tuple[_Records, _Made]]:
    first = list(islice(groups, 2))
    if len(first) < 2 or processes == 1:
        yield from ((group, make(group)) for group in chain(first, groups))
        return
    # Started afresh: a fork would copy whatever threads this process has, half-way through what they do.
    with ProcessPoolExecutor(processes - 1, get_context("spawn"), initializer=_begin) as pool:
        waiting: deque[tuple[_Records, Future[_Made]]] = deque()
        for group in chain(first, groups):
            busy = sum(not future.done() for _, future in waiting)
            # This process is started already: where the others have enough to do, it does its share.
            here = busy >= (processes - 1) * GROUPS_AHEAD
            waiting.append((group, _done(make(group)) if here else pool.submit(make, group)))
            while waiting and (waiting[0][1].done() or len(waiting) > processes * GROUPS_WAITING):
                done, future = waiting.popleft()
                yield done, future.result()
        yield from ((done, future.result()) for done, future in waiting)


def _done(made: _Made) -> Future[_Made]:
    future: Future[_Made] = Future()
    future.set_result(made)
    return future


def _begin() -> None:
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLD)


@contextmanager
def _collecting_rarely() -> Iterator[None]:
    before = gc.get_threshold()
    gc.set_threshold(*GC_THRESHOLD)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _made(folder: Path | None, group: _Records) -> _Made:
    store = SignalStore(folder) if folder is not None else None
    table = store.get(group.raw) if store is not None else None
    if table is None:
        ids, rejects = list[str](), list[Reject]()
        table = signal_table(_conversations(group, ids, rejects))
        if rejects:
            return _Made(None, [], rejects[0])
        table = table.replace_schema_metadata({_IDS: msgspec.json.encode(ids)})
        if store is not None:
            store.put(group.raw, table)
    return _Made(feature_table_of(table), msgspec.json.decode(table.schema.metadata[_IDS], type=list[str]))


def _conversations(group: _Records, ids: list[str], rejects: list[Reject]) -> Iterator[Conversation]:
    """One after another, so that few are in memory; their ids are noted, and the reject at which they end."""
    for record in parsed(group):
        if isinstance(record, Reject):
            rejects.append(record)
            return
        ids.append(record.conversation.conversation_id)
        yield record.conversation
