"""What one worker keeps in the store: decisions, conversations by message, outcomes; and how that goes.

An answer matters more than its record. When the store does not work, the answer is given all the same, the decision
waits in line, and `/status` says what is wrong. Only where nothing else was asked (an outcome), or where more waits
than may, is the caller told to come back later.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from handoff.decision import Answer
from handoff.errors import BadInput, BadRecord, Busy, Conflict, Overloaded, StoreUnavailable
from handoff.settings import Settings
from handoff.store import DecisionRecord, Feedback, LiveConversations, Recorded, Store
from handoff.store.incoming import made_key
from handoff.store.log import MOST_QUEUED
from handoff.transcript.types import MAX_MESSAGES
from serving.admission import Lane
from serving.bodies import NewMessage, inside_message
from serving.current import CurrentJudge
from serving.http import Refused
from serving.records import Trouble

T = TypeVar("T")

THREADS = 4
# Whoever waits longer may have given up; the decision is on this machine's disk then, and in the store later.
LOG_SECONDS = 1.0
OPEN_SECONDS = 3.0
# So long at once for messages that were answered without the store: others wait for it.
MISSED_SECONDS = 2.0
RETRY_AFTER_SECONDS = 1
# The store is down, or is not what it should be: either way, nothing was stored.
NOT_STORED = (StoreUnavailable, SQLAlchemyError, BadInput)

log = logging.getLogger("bentoml.handoff")


class Ledger:
    """The store as the service uses it. Making one never fails: what is wrong with the store is a problem to show."""

    def __init__(self, settings: Settings, current: CurrentJudge, lane: Lane) -> None:
        """`lane` is where messages and outcomes wait for a thread."""
        self._current, self._lane = current, lane
        self._trouble: Trouble | None = None
        self._disk_trouble: Trouble | None = None
        self._noting = threading.Lock()
        self._put_off = 0  # decisions that are logged once their answers have left
        self._threads = ThreadPoolExecutor(THREADS, "store")
        self.is_on = settings.store is not None
        self._store = self._opened(settings)
        self._live = None if self._store is None else LiveConversations(self._store, current)

    @property
    def problems(self) -> tuple[Trouble, ...]:
        """What is wrong with the store, and with the disk that stands in for it, if anything."""
        return tuple(trouble for trouble in (self._trouble, self._disk_trouble) if trouble is not None)

    @property
    def waiting(self) -> dict[str, int]:
        """What is not stored yet, by line: decisions in memory, those on this machine's disk (some are in both),
        messages that were answered while the store was away; and requests that are with the store."""
        store, live = self._store, self._live
        return {
            "decision_log": 0 if store is None else store.queued,
            "spill": 0 if store is None else store.spilled,
            "messages": 0 if live is None else live.missed,
            "store_requests": self._lane.inside,
        }

    async def log(self, records: Sequence[DecisionRecord]) -> None:
        """Log the decisions: on disk when this returns where they escalate, unless the store does not work. Those that
        escalate nobody are not waited for; they are in the next commit, a twentieth of a second later.

        Raises `Refused` (503) when more decisions wait than may, although the store works.
        """
        if self._store is None:
            return
        if not any(record.escalates for record in records):
            self._put(records)
            return
        try:
            await asyncio.wait_for(asyncio.wrap_future(self._store.submit(records)), LOG_SECONDS)
        except TimeoutError:
            self._store.keep(records)
            self._note(StoreUnavailable("the decision log does not keep up; the decisions stay in line"))
        except Overloaded as error:
            self._overloaded(error)
            self._store.keep(records)
        except NOT_STORED as error:
            self._note(error)

    def log_soon(self, record: Callable[[], DecisionRecord]) -> None:
        """Log a decision that escalates nobody once its answer has left. Raises `Refused` as `log` does."""
        if self._store is None:
            return
        if not self._store.has_room(self._put_off + 1):
            self._put([record()])
            return
        self._put_off += 1
        asyncio.get_running_loop().call_soon(self._put_now, record)

    def _put_now(self, record: Callable[[], DecisionRecord]) -> None:
        self._put_off -= 1
        try:
            self._put([record()])
        except Refused as error:  # whoever was answered cannot be told any more
            self._note(StoreUnavailable(f"a decision is not kept: {error}"))

    def _put(self, records: Sequence[DecisionRecord]) -> None:
        """Put decisions in line that nobody waits for. Raises `Refused` as `log`."""
        assert self._store is not None
        try:
            self._store.put(records)
            if self._store.outage is not None:
                self._note(self._store.outage)
        except Overloaded as error:
            self._overloaded(error)
        except NOT_STORED as error:
            self._note(error)

    def _overloaded(self, error: Overloaded) -> None:
        """More decisions wait than may: the caller is told so, unless it is for the store's trouble."""
        if self._trouble is None:
            raise _later(str(error)) from None
        self._note(StoreUnavailable(f"{self._trouble.problem.partition('; decisions are not kept')[0]}"
                                    f"; decisions are not kept any more: {error}"))  # fmt: skip

    async def add(self, new: Callable[[], NewMessage], *, key: str | None, explain: bool, request_id: str) -> Answer:
        """Append the message to its conversation and answer. `new` reads it, and may refuse it."""
        return await self._beside(lambda: self._add(new(), key, explain, request_id))

    async def report(self, feedback: Callable[[], Feedback]) -> Recorded:
        """Store feedback once. `feedback` reads it, and may refuse it."""
        return await self._beside(lambda: self._report(feedback()))

    def look_again(self) -> None:
        """Whether a store that did not work does by now, all of it: that one thing was stored says nothing of another.
        Blocks for as long as a transaction may take."""
        if self._store is None:
            return
        self._look_at_disk(self._store.unkept)
        if self._trouble is None and not self.waiting["messages"]:
            return
        with suppress(*NOT_STORED):
            self._store.check()
            if self._live is not None:
                self._live.store_missed(MISSED_SECONDS)
            if self._store.outage is None and not self.waiting["messages"]:
                self._works()

    def close(self) -> None:
        """Store what is in line."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        if self._store is None or self._live is None:
            return
        with suppress(*NOT_STORED):
            self._live.store_missed(MISSED_SECONDS)
        if lost := self._live.missed:
            log.error("%d messages that were answered without the store are not stored before the end, and lost", lost)
        self._store.close()

    def _opened(self, settings: Settings) -> Store | None:
        """The store, which may need more time, or may not answer at all."""
        if settings.store is None:
            return None
        try:
            store = Store(
                settings.store,
                secret=settings.store_key,
                keep_raw_text=settings.keep_raw_text,
                most_messages=min(MAX_MESSAGES, settings.max_messages),
                most_queued=max(MOST_QUEUED, 2 * settings.max_batch),
                spill=settings.spill,
            )
        except BadInput as error:
            self._note(error)
            return None
        preparing = self._threads.submit(self._prepare, store)
        with suppress(TimeoutError):
            preparing.result(OPEN_SECONDS)
        return store

    def _prepare(self, store: Store) -> None:
        if left := store.take_over():
            log.warning("%d decisions that a killed worker had to leave on this machine's disk are stored now", left)
        try:
            store.database.prepare()
        except NOT_STORED as error:
            self._note(error)

    async def _beside(self, work: Callable[[], T]) -> T:
        """`work` in a thread, since it waits for the database. Raises `Refused` (503) when too much waits already."""
        async with self._lane.turn():
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _add(self, new: NewMessage, key: str | None, explain: bool, request_id: str) -> Answer:
        if self._live is None:
            return self._current.answer(new.alone, explain=explain, request_id=request_id)
        try:
            return self._added(self._live, new, {"key": key, "explain": explain, "request_id": request_id})
        except BadRecord as error:
            raise Refused(400, "The body is not a usable message", inside_message(error.problem)) from None
        except Conflict as error:
            raise Refused(409, "The message contradicts one that is there", inside_message(error.problem)) from None
        except Busy as error:
            raise _later(str(error)) from None

    def _added(self, live: LiveConversations, new: NewMessage, how: dict[str, Any]) -> Answer:
        """The answer, also while the store is away. Raises `BadRecord`, `Conflict`, `Busy`."""
        if how["key"] is None and new.message.message_id is None:
            how = how | {"key": made_key()}  # both ways must know it for the same message
        asked = (new.conversation_id, new.message, new.facts)
        try:
            return live.add(*asked, **how)
        except (BadRecord, Conflict, Busy):
            raise
        except NOT_STORED as error:
            try:
                return live.add_unstored(*asked, **how)
            finally:  # what is said of it is looked at once the message waits
                self._note(error)

    def _report(self, feedback: Feedback) -> Recorded:
        if self._store is None:
            raise _later("there is no store; see /status")
        try:
            recorded = self._store.record_outcome(feedback)
        except BadRecord as error:
            raise Refused(400, "The body is not a usable outcome", error.problem) from None
        except Conflict as error:
            raise Refused(409, "The outcome contradicts one that is there", error.problem) from None
        except NOT_STORED as error:
            self._note(error)
            raise _later("the outcome was not stored; see /status") from None
        return recorded

    def _look_at_disk(self, unkept: str | None) -> None:
        known, problem = self._disk_trouble, f"escalations are in memory only: {unkept}"
        if unkept is None:
            self._disk_trouble = None
        elif known is None or known.problem != problem:
            self._disk_trouble = Trouble("spill", problem, datetime.now(UTC), None)

    def _works(self) -> None:
        """What was in the way has passed."""
        if self._trouble is None:  # nearly always
            return
        with self._noting:
            known, self._trouble = self._trouble, None
        if known is not None:
            log.info("the store works again, after %.0f s", (datetime.now(UTC) - known.since).total_seconds())

    def _note(self, error: Exception) -> None:
        """Our own errors say what is wrong; others may quote values, so only their kind is told."""
        ours = isinstance(error, StoreUnavailable | BadInput)
        problem = str(error) if ours else f"the store refuses what it is given ({type(error).__name__})"
        with self._noting:
            known = self._trouble
            since = datetime.now(UTC) if known is None else known.since
            self._trouble = Trouble("store", problem, since, None)
        if known is None:
            log.warning("%s", problem)


def _later(problem: str) -> Refused:
    return Refused(503, f"Try again later: {problem}", retry_after=RETRY_AFTER_SECONDS)
