"""Answers message by message: what `/predict` would say of the whole conversation, for the price of one message.

A worker keeps the running state of the conversations it saw last. Before it adds a message it looks how far the
conversation is in the store and takes in what other workers have added; then message, answer and decision are stored
in one transaction, which only goes through if nobody was faster. Only a message that belongs before others, or facts
that come late, make it read the conversation again from its beginning.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Protocol, TypeVar

import msgspec
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from handoff.decision import Answer
from handoff.errors import BadRecord, Busy, Conflict, HandoffError, Overloaded, StoreUnavailable
from handoff.kept import Shelf
from handoff.rules import RuleBook
from handoff.standing import Standing
from handoff.store import conversations as rows
from handoff.store.conversations import Entry, Header
from handoff.store.decisions import ESCALATING, DecisionRecord, decision_record, stored_answer
from handoff.store.facts import UNKNOWN, Facts
from handoff.store.incoming import Incoming
from handoff.store.missed import Missed
from handoff.store.running import Run, Running, moved_on, up_to_date
from handoff.store.store import Store, free_id
from handoff.transcript import Message

log = logging.getLogger("bentoml.handoff")

T = TypeVar("T")

MOST_REMEMBERED = 2_000
# So often a message is tried beside others before it takes the conversation for itself.
TRIES = 3
# Threads wait for each other where conversations share one of so many locks, and for no longer than this.
_TURNS, _TURN_SECONDS = 256, 5.0


class Concludes(Protocol):
    """Whoever answers: a `Judge`, or what stands for one that may be replaced."""

    @property
    def rules(self) -> RuleBook: ...

    def conclude(self, standing: Standing, *, explain: bool = False, request_id: str | None = None) -> Answer: ...


class Asked(msgspec.Struct, frozen=True):
    """A message, and how its answer is wanted."""

    incoming: Incoming
    explain: bool
    request_id: str | None


class Done(msgspec.Struct, frozen=True):
    """The answer, the state to go on with (None where none was needed), and the decision where it is a new one."""

    answer: Answer
    running: Running | None
    record: DecisionRecord | None = None


class LiveConversations:
    """The live conversations of one worker, for any number of threads."""

    def __init__(
        self,
        store: Store,
        judge: Concludes,
        *,
        most_remembered: int = MOST_REMEMBERED,
        stopwatch: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._store, self._judge, self._stopwatch = store, judge, stopwatch
        self._remembered: Shelf[str, Running] = Shelf(most_remembered)
        self._turns = [threading.Lock() for _ in range(_TURNS)]
        self._missed = Missed()

    @property
    def missed(self) -> int:
        """How many messages were answered and could not be stored yet."""
        return len(self._missed)

    @property
    def remembered(self) -> int:
        """How many conversations this worker can go on with without reading them anew."""
        return len(self._remembered)

    def add(
        self,
        conversation_id: str,
        message: Message,
        facts: Facts = UNKNOWN,
        *,
        key: str | None = None,
        explain: bool = False,
        request_id: str | None = None,
    ) -> Answer:
        """Append the message and answer as `Judge.answer` does on the whole conversation. A message that was there
        already, by its id or by `key`, changes nothing and is answered as it was then.

        Message, answer and decision are stored together before this returns, on disk where the decision escalates.
        Raises `BadRecord`, `Conflict`, `Busy`, and `StoreUnavailable`: then `add_unstored` still answers.
        """
        asked = self._asked(conversation_id, message, facts, key, explain, request_id)
        with self._turn(asked.incoming.conversation_id):
            self._store_missed_of(asked.incoming.conversation_id)
            done = self._done(asked)
            if done.running is not None:
                self._remember(done.running)
        if done.answer.recommendation.action in ESCALATING:
            self._flush(done)
        return _as_named(done.answer, asked, conversation_id, message.message_id, request_id)

    def _flush(self, done: Done) -> None:
        """Have it on disk. Where the store fails in this very moment, all is in it, but may not outlive the machine;
        the decision shall."""
        try:
            self._store.database.flush()
        except StoreUnavailable:
            if done.record is None:
                raise
            self._keep(done.record)

    def _keep(self, record: DecisionRecord) -> None:
        """Have the decision on this machine's disk if it escalates, and in line for the store if there is room."""
        self._store.keep([record])
        with suppress(Overloaded, StoreUnavailable):
            self._store.put([record])

    def add_unstored(
        self,
        conversation_id: str,
        message: Message,
        facts: Facts = UNKNOWN,
        *,
        key: str | None = None,
        explain: bool = False,
        request_id: str | None = None,
    ) -> Answer:
        """The best answer while the store is away: from what this worker remembers, else from the message alone.

        The message waits in memory, and the decision in line, until the store takes them (`store_missed`), if there is
        room. Raises `Busy`.
        """
        asked = self._asked(conversation_id, message, facts, key, explain, request_id)
        incoming = asked.incoming
        with self._turn(incoming.conversation_id):
            running = self._take(incoming.conversation_id) or Running(
                self._unstored_header(incoming), self._judge.rules
            )
            if not running.has_heard(incoming.mark):
                heard = running.standing.moment.index + 1 if running.standing is not None else 0
                running.take_in([self._unstored_entry(incoming, running.header, f"m{heard + 1}").kept])
                self._missed.add(incoming, running.header)
                running.came.append(incoming.mark)
                running.is_adrift = True
            answer, record = self._concluded(running, asked, {})
            self._remember(running)
        self._keep(record)
        return _as_named(answer, asked, conversation_id, message.message_id, request_id)

    def store_missed(self, seconds: float = math.inf) -> None:
        """Store the messages that were answered while the store was away, or begin to for so long. Raises
        `StoreUnavailable` if it still is."""
        end = self._stopwatch() + seconds
        for conversation_id in self._missed.conversations():
            if self._stopwatch() > end:
                return
            with suppress(Busy), self._turn(conversation_id):
                self._store_missed_of(conversation_id)

    def _store_missed_of(self, conversation_id: str) -> None:
        for incoming in self._missed.of(conversation_id):
            try:
                self._store.append(incoming)
            except (BadRecord, Conflict, SQLAlchemyError) as error:  # full by now, or its id stands for another
                log.warning("a message that was answered without the store is not stored: %s", type(error).__name__)
            self._missed.remove(incoming)

    def _asked(
        self,
        conversation_id: str,
        message: Message,
        facts: Facts,
        key: str | None,
        explain: bool,
        request_id: str | None,
    ) -> Asked:
        """What is asked, with the ids in it as they are stored."""
        hide = self._store.hide
        message, facts = self._store.hidden(message, facts)
        incoming = Incoming.of(hide(conversation_id), message, facts, None if key is None else hide(key))
        return Asked(incoming, explain, None if request_id is None else hide(request_id))

    def _done(self, asked: Asked) -> Done:
        database = self._store.database
        for _ in range(TRIES):
            with suppress(IntegrityError):  # the same message, by another worker at this very moment
                done = self._try(asked, database.read, database.write)
                if done is not None:
                    return done
        return database.write(lambda connection: self._hold_and_try(asked, connection))

    def _hold_and_try(self, asked: Asked, connection: Connection) -> Done:
        """The same while nobody else can append, so that it ends however many want to."""
        conversation_id = asked.incoming.conversation_id
        rows.lock_header(connection, self._store.database.seal, conversation_id, self._store.clock())

        def here(work: Callable[[Connection], T], /) -> T:
            return work(connection)

        done = self._try(asked, here, here)
        if done is None:
            raise AssertionError(f"conversation '{conversation_id}' changed while it was held")
        return done

    def _try(self, asked: Asked, read: Run, write: Run) -> Done | None:
        """Answer and append, unless somebody else appended meanwhile: then None."""
        incoming, started = asked.incoming, self._stopwatch()
        running = self._take(incoming.conversation_id)
        try:
            found = self._found(asked, running, read, write)
            if found is None or isinstance(found, Done):
                return found
            message_id = incoming.message.message_id or read(lambda c: free_id(c, found.header))
            entry = self._store.entry(incoming, found.header, message_id)
            moved = moved_on(found, entry, read)
        except HandoffError:
            if running is not None:
                self._remember(running)
            raise
        timings = {"read": 1_000 * (self._stopwatch() - started)}
        answer, record = self._concluded(moved, asked, timings)
        return self._append(moved, msgspec.structs.replace(entry, decision=record), answer, asked, write)

    def _found(self, asked: Asked, running: Running | None, read: Run, write: Run) -> Done | Running | None:
        """What was answered, if the message came before; else the state that the conversation is in by now. None when
        the message was there and is forgotten now."""
        incoming = asked.incoming
        conversation_id, message_id = incoming.conversation_id, incoming.message.message_id
        seen = read(lambda c: rows.glance(c, conversation_id, message_id, incoming.key))
        if seen.is_known:
            done = self._answered_before(asked, read, write)
            return None if done is None else msgspec.structs.replace(done, running=running)
        return up_to_date(running, conversation_id, seen, self._judge.rules, self._store.database.seal, read)

    def _append(self, running: Running, entry: Entry, answer: Answer, asked: Asked, write: Run) -> Done | None:
        header, seal = running.header, self._store.database.seal
        try:
            appended = write(lambda c: rows.append(c, seal, header, entry))
        except StoreUnavailable:
            running.came.append(asked.incoming.mark)
            running.is_adrift = True
            self._remember(running)
            self._missed.add(asked.incoming, header)
            raise
        if not appended:
            return None
        running.header = rows.after(header, entry)
        running.came.append(asked.incoming.mark)
        return Done(answer, running, entry.decision)

    def _answered_before(self, asked: Asked, read: Run, write: Run) -> Done | None:
        """What was answered with the message; what would have been, where it was appended without an answer. None when
        the conversation was forgotten meanwhile."""
        incoming, seal = asked.incoming, self._store.database.seal
        conversation_id = incoming.conversation_id

        def look(connection: Connection) -> tuple[Header, rows.Known | None]:
            header = rows.read_header(connection, seal, conversation_id)
            found = rows.find_known(connection, conversation_id, incoming.message.message_id, incoming.key)
            return header, incoming.recognised(header, found)

        header, known = read(look)
        if known is None:
            return None
        if known.answer is not None:
            return Done(stored_answer(known.answer, asked.request_id), None)
        until = read(lambda c: rows.messages_between(c, conversation_id, 0, known.kept.number))
        if not until:
            return None
        answer, record = self._concluded(Running(header, self._judge.rules, until), asked, {})
        write(lambda c: rows.note_decision(c, known.kept.number, record))
        return Done(answer, None, record)

    def _concluded(self, running: Running, asked: Asked, timings: dict[str, float]) -> tuple[Answer, DecisionRecord]:
        started = self._stopwatch()
        if running.standing is None:
            raise AssertionError("a conversation without messages has no answer")
        answer = self._judge.conclude(running.standing, explain=asked.explain, request_id=asked.request_id)
        timed = timings | {"answer": 1_000 * (self._stopwatch() - started)}
        return answer, decision_record(answer, running.standing, self._store.clock(), timed)

    def _unstored_entry(self, incoming: Incoming, header: Header, message_id: str) -> Entry:
        return incoming.entry(header, message_id, self._store.clock(), keep_raw_text=False)

    def _unstored_header(self, incoming: Incoming) -> Header:
        """What the message says of its conversation, where nothing else is known of it."""
        empty = Header(conversation_id=incoming.conversation_id)
        entry = self._unstored_entry(incoming, empty, "m1")
        return msgspec.structs.replace(empty, facts=entry.facts, name=entry.name)

    def _take(self, conversation_id: str) -> Running | None:
        found = self._remembered.take((conversation_id,))
        return None if found is None else found[0]

    def _remember(self, running: Running) -> None:
        standing = running.standing
        self._remembered.put(running.header.conversation_id, running, 0 if standing is None else standing.characters)

    @contextmanager
    def _turn(self, conversation_id: str) -> Iterator[None]:
        """One thread a conversation: what they cannot do beside each other they need not try."""
        turn = self._turns[hash(conversation_id) % _TURNS]
        if not turn.acquire(timeout=_TURN_SECONDS):
            raise Busy(f"conversation '{conversation_id}' is busy; nothing was stored, try again later")
        try:
            yield
        finally:
            turn.release()


def _as_named(
    answer: Answer, asked: Asked, conversation_id: str, message_id: str | None, request_id: str | None
) -> Answer:
    """The answer with the ids as the caller gave them. Earlier messages keep theirs as they are stored."""
    stored, rules = asked.incoming.message.message_id, answer.rules
    if message_id is not None and message_id != stored:
        rules = tuple(
            msgspec.structs.replace(rule, message_id=message_id) if rule.message_id == stored else rule
            for rule in rules
        )
    return msgspec.structs.replace(answer, conversation_id=conversation_id, request_id=request_id, rules=rules)
