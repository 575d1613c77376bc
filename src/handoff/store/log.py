"""The decision log's writer: one thread that commits many decisions at once.

Nothing is dropped. A batch that the store refuses stays in line and is tried again; when the line is full, whoever
brings more is told so (`Overloaded`). Whoever waits for a decision learns when it is stored, on disk where it
escalates, or that the store did not take it just now.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future

import msgspec

from handoff.errors import BadInput, Overloaded, StoreUnavailable
from handoff.store.database import PAUSE_SECONDS, Database
from handoff.store.decisions import DecisionRecord, insert_decisions
from handoff.store.spill import Spill

MOST_QUEUED = 10_000
MOST_A_BATCH = 500
# How long decisions that nobody waits for may gather.
LINGER_SECONDS = 0.05
CLOSE_SECONDS = 5.0

log = logging.getLogger("bentoml.handoff")

Stored = Future[None]


class _Waiting(msgspec.Struct):
    """A decision in line; `stored` only where somebody waits for it and others, of which it may be the last."""

    record: DecisionRecord
    stored: Stored | None = None
    is_last: bool = False


class DecisionLog:
    """A bounded line of decisions, and the thread that empties it into the store."""

    def __init__(
        self,
        database: Database,
        *,
        most_queued: int = MOST_QUEUED,
        most_a_batch: int = MOST_A_BATCH,
        linger_seconds: float = LINGER_SECONDS,
        pause_seconds: float = PAUSE_SECONDS,
        spill: Spill | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`spill` takes what escalates while the database takes nothing."""
        self._database, self._spill = database, spill
        self._most_queued, self._most_a_batch = most_queued, most_a_batch
        self._linger, self._pause, self._clock = linger_seconds, pause_seconds, clock
        self._line: deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._closing, self._give_up_at = False, math.inf
        self._writing = 0
        self._outage: StoreUnavailable | None = None
        self._unkept: str | None = None
        self._refused: set[str] = set()
        self._thread: threading.Thread | None = None

    @property
    def queued(self) -> int:
        """Decisions that are not stored yet."""
        return len(self._line) + self._writing

    @property
    def spilled(self) -> int:
        """Decisions on this machine's disk that are not stored yet; the same may be in line, too."""
        return 0 if self._spill is None else self._spill.kept

    def has_room(self, count: int) -> bool:
        """Whether so many more would be taken on."""
        return self.queued + count <= self._most_queued

    @property
    def outage(self) -> StoreUnavailable | None:
        """Why the store took nothing when it was last tried; None when it did."""
        return self._outage

    @property
    def unkept(self) -> str | None:
        """Why escalations could not be written to this machine's disk when they were last to be; None when they could,
        or are stored by now."""
        return self._unkept

    def submit(self, records: Sequence[DecisionRecord]) -> Stored:
        """Take the records on, all or none; the result is done once they are stored. Does not wait.

        It fails with `StoreUnavailable` when the store did not take them; they stay in line all the same. Raises
        `Overloaded` when the line is full.
        """
        stored: Stored = Future()
        if not records:
            stored.set_result(None)
            return stored
        # Stored in order, so that with the last one all are.
        self._put([*(_Waiting(r, stored) for r in records[:-1]), _Waiting(records[-1], stored, is_last=True)])
        return stored

    def put(self, records: Sequence[DecisionRecord]) -> None:
        """Take the records on, all or none, with nobody waiting for them. Raises `Overloaded`."""
        self._put([_Waiting(record) for record in records])

    def take_over(self) -> int:
        """Store what killed processes have left in the folder of the spill, too; how many decisions that were."""
        if self._spill is None:
            return 0
        try:
            records = self._spill.left_over()
        except OSError as error:
            log.error("decisions that were left on this machine's disk cannot be read: %s", error.strerror)
            return 0
        # What does not fit in the line stays on disk until the next start.
        fit = records[: max(0, self._most_queued - self.queued)]
        self.put(fit)
        return len(fit)

    def keep(self, records: Sequence[DecisionRecord]) -> None:
        """Those that escalate are on this machine's disk when this returns, where that can be."""
        escalating = [record for record in records if record.escalates]
        if self._spill is None or not escalating:
            return
        try:
            self._spill.keep(escalating)
        except (OSError, ValueError) as error:  # ValueError: a record that cannot be written down
            why = getattr(error, "strerror", None) or type(error).__name__
            if why != self._unkept:
                log.error("%d escalations are in memory only: %s: %s", len(escalating), self._spill.folder, why)
            self._unkept = why
        else:
            self._unkept = None

    def close(self, seconds: float = CLOSE_SECONDS) -> int:
        """Store what is in line, trying for so long, and stop.

        Returns the number of decisions that are lost: neither stored nor on this machine's disk.
        """
        with self._changed:
            self._closing = True
            self._give_up_at = self._clock() + seconds
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()
        left = [item.record for item in self._line]
        lost = [record for record in left if self._spill is None or not self._spill.holds(record)]
        if kept := self.spilled:
            log.warning("%d decisions stay on this machine's disk and are stored at the next start", kept)
        if lost:
            log.error("%d decisions could not be stored before the end, and are lost", len(lost))
        return len(lost)

    def _put(self, items: Sequence[_Waiting]) -> None:
        with self._changed:
            if self._closing:
                raise StoreUnavailable("the decision log is closed; nothing was stored")
            if not self.has_room(len(items)):
                if self._outage is not None:
                    self.keep([item.record for item in items])
                raise Overloaded(f"{self.queued:,} decisions wait to be stored, {self._most_queued:,} may; try later")
            if self._outage is not None:
                self.keep([item.record for item in items])
                _tell(items, self._outage)
            is_first, awaited = not self._line, any(item.stored is not None for item in items)
            self._line.extend(items)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="decision-log", daemon=True)
                self._thread.start()
            # Woken at every decision, the thread would take the interpreter from the answers for nothing.
            if is_first or awaited or len(self._line) >= self._most_a_batch:
                self._changed.notify()

    def _run(self) -> None:
        while batch := self._next_batch():
            self._store(batch)
            if self._outage is None:
                self._take_back()
                continue
            if self._clock() >= self._give_up_at:
                return
            time.sleep(self._pause)

    def _take_back(self) -> None:
        """Put in line some of what is on this machine's disk alone, since there was no room for it in an outage. (One
        that is in line already is stored once all the same.)"""
        spill = self._spill
        if self._closing or spill is None or spill.kept <= len(self._refused) or len(self._line) >= self._most_a_batch:
            return
        try:
            records, lost = spill.read_back(self._most_a_batch, self._refused)
        except OSError as error:  # they stay there until the next start
            log.error("decisions on this machine's disk cannot be read: %s", error.strerror)
            return
        if lost:
            log.error("%d decisions cannot be found again on this machine's disk", len(lost))
            self._refused.update(lost)
        with self._changed:
            self._line.extend(_Waiting(record) for record in records)

    def _next_batch(self) -> list[_Waiting]:
        """The next decisions to store together; empty once the log is closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._line or self._closing)
            self._changed.wait_for(self._is_time, timeout=self._linger)
            batch = [self._line.popleft() for _ in range(min(len(self._line), self._most_a_batch))]
            self._writing = len(batch)
            return batch

    def _is_time(self) -> bool:
        # Whoever waits came last, or a batch is full anyway.
        awaited = bool(self._line) and self._line[-1].stored is not None
        return awaited or self._closing or len(self._line) >= self._most_a_batch

    def _store(self, batch: list[_Waiting]) -> None:
        try:
            self._write(batch)
        except (StoreUnavailable, BadInput) as error:
            self._put_back(batch, error)
        except Exception:  # of one record, which no table takes: the thread must outlive it
            self._store_one_by_one(batch)
        else:
            self._are_stored(batch)

    def _are_stored(self, batch: Sequence[_Waiting]) -> None:
        """All of these are in the store."""
        self._outage, self._unkept, self._writing = None, None, 0
        self._refused.difference_update(item.record.id for item in batch)
        if self._spill is not None:
            try:
                self._spill.forget([item.record for item in batch])
            except OSError as error:  # they are stored once more at the next start, which changes nothing
                log.error("decisions that are stored stay on this machine's disk, too: %s", error.strerror)
        _tell(batch)

    def _write(self, batch: Sequence[_Waiting]) -> None:
        records = [item.record for item in batch]
        durable = any(record.escalates for record in records)
        self._database.write(lambda connection: insert_decisions(connection, records), durable=durable)

    def _put_back(self, batch: Sequence[_Waiting], error: StoreUnavailable | BadInput) -> None:
        """A database that is not ours, or another secret (`BadInput`), may still be put right, too."""
        outage = error if isinstance(error, StoreUnavailable) else StoreUnavailable(str(error))
        with self._changed:
            # Those who come now learn at once that they need not wait.
            self._outage = outage
            self.keep([item.record for item in (*batch, *self._line)])
            _tell([*batch, *self._line], outage)
            self._line.extendleft(reversed(batch))
            self._writing = 0

    def _store_one_by_one(self, batch: Sequence[_Waiting]) -> None:
        """One record that no table takes must not keep back the others."""
        stored: list[_Waiting] = []
        for place, item in enumerate(batch):
            try:
                self._write([item])
            except (StoreUnavailable, BadInput) as error:
                self._are_stored(stored)
                self._put_back(batch[place:], error)
                return
            except Exception as error:
                log.error("decision %s cannot be stored: %s", item.record.id, type(error).__name__)
                self.keep([item.record])
                if self._spill is not None and self._spill.holds(item.record):
                    self._refused.add(item.record.id)
                _tell([item], error)
            else:
                stored.append(item)
        self._are_stored(stored)


def _tell(items: Sequence[_Waiting], error: Exception | None = None) -> None:
    """Tell whoever waits how it ended, once: that all are stored when the last of them is, or the first error."""
    for item in items:
        stored, item.stored = item.stored, None
        if stored is None or stored.done() or (error is None and not item.is_last):
            continue
        if not stored.set_running_or_notify_cancel():
            continue
        if error is None:
            stored.set_result(None)
        else:
            stored.set_exception(error)
