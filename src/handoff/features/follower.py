"""Follow a conversation message by message: the one way from messages to feature rows.

Training, replay, back-tests and the service all go through `Follower`; nothing is computed twice.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import cache
from typing import Literal, Protocol, TypeVar

import msgspec

from handoff.features.heard import Heard, Past
from handoff.features.signals import Signal
from handoff.features.statistics import Total
from handoff.features.table import FEATURES, Fact, Running, Said, State
from handoff.signals import Reading, lexicon_version, read
from handoff.transcript import Conversation, Customer, Message
from handoff.transcript.episodes import Owner, Ownership, step
from handoff.transcript.redact import names_of, redact_message
from handoff.transcript.types import UNKNOWN_CUSTOMER

NAN = math.nan
KEPT_TEXTS = 12  # customer messages that routing reads
KEPT_RECENT = 8  # messages of either side whose wording the escalation model reads


Found = TypeVar("Found", covariant=True)

# A statistic: its place in `Tracker.statistics`, and the position of its feature in the row.
Place = tuple[int, int]


def _plan() -> list[tuple[int, Running]]:
    """The running features, each with its position in the row."""
    return [(i, f.source) for i, f in enumerate(FEATURES) if isinstance(f.source, Running)]


def _updates(role: str) -> tuple[tuple[Callable[[Heard], float | None], tuple[Place, ...]], ...]:
    """What a message of this role updates: for each signal, the statistics over it."""
    places: dict[Signal, list[Place]] = {}
    for k, (i, source) in enumerate(_RUNNING):
        if source.signal.role in (role, "any") and not _counts_mentions(source):
            places.setdefault(source.signal, []).append((k, i))
    return tuple((signal.read, tuple(found)) for signal, found in places.items())


def _mentions(role: str) -> dict[str, tuple[Place, ...]]:
    """By lexicon entry, the counts of the messages of this role that match it. Without a match nothing changes."""
    places: dict[str, tuple[Place, ...]] = {}
    for k, (i, source) in enumerate(_RUNNING):
        entry = source.signal.entry
        if entry is not None and source.signal.role == role and _counts_mentions(source):
            places[entry] = (*places.get(entry, ()), (k, i))
    return places


def _counts_mentions(source: Running) -> bool:
    return source.signal.entry is not None and source.statistic is Total


_RUNNING = _plan()
_UPDATES = {role: _updates(role) for role in ("customer", "assistant")}
_MENTIONS = {role: _mentions(role) for role in ("customer", "assistant")}
_FACTS = tuple((i, f.source) for i, f in enumerate(FEATURES) if isinstance(f.source, Fact))
_NEW = tuple((i, value) for i, source in _RUNNING if (value := source.statistic().value()) is not None)
_MINUTES_OPEN, _RATING = (
    next(i for i, f in enumerate(FEATURES) if isinstance(f.source, State) and f.source.attribute == attribute)
    for attribute in ("minutes_open", "rating")
)


class Tracker:
    """The running features of one episode. Constant time a message; holds no text but the last few messages' words."""

    __slots__ = ("_values", "past", "rating", "started_at", "statistics")

    def __init__(self, facts: tuple[float, ...]) -> None:
        """`facts` is a row with the account's facts filled in, NaN elsewhere."""
        self.statistics = [source.statistic() for _, source in _RUNNING]
        self.past = Past()
        self.started_at: datetime | None = None
        self.rating: float | None = None
        # The row as it stands: only what a message changes is read from the statistics again.
        self._values = list(facts)
        for i, value in _NEW:
            self._values[i] = value

    def begin(self, message: Message) -> None:
        """Note the time of the episode's first message that carries one."""
        if self.started_at is None:
            self.started_at = message.sent_at

    def hear(self, message: Message, reading: Reading) -> None:
        """Take in one customer or assistant message."""
        heard = self.past.hear(message, reading)
        for read_signal, places in _UPDATES[message.role]:
            signal = read_signal(heard)
            for place in places:
                self._update(place, signal)
        counts = _MENTIONS[message.role]
        for entry in heard.hits:
            for place in counts.get(entry, ()):
                self._update(place, 1.0)

    def _update(self, place: Place, signal: float | None) -> None:
        k, i = place
        statistic = self.statistics[k]
        statistic.update(signal)
        value = statistic.value()
        if value is not None:
            self._values[i] = value

    def row(self, now: datetime | None) -> tuple[float, ...]:
        """FEATURES in order, NaN for missing. What stayed the same since the last row is the same object in it."""
        minutes = self.minutes_open(now)
        if minutes is not None:
            self._values[_MINUTES_OPEN] = minutes
        if self.rating is not None:
            self._values[_RATING] = self.rating
        return tuple(self._values)

    def minutes_open(self, now: datetime | None) -> float | None:
        """Minutes from the episode's first message to `now`; None without times."""
        if self.started_at is None or now is None:
            return None
        return max(0.0, (now - self.started_at).total_seconds() / 60)


class Noted(msgspec.Struct, frozen=True):
    """What came of one message, which is `message`, redacted.

    `read` is False where the message is neither row nor text: the announcement of a transfer, a system message,
    an agent's, and whatever is said while a human owns the conversation. `row` covers the present episode.
    """

    index: int
    message: Message
    episode: int
    read: bool
    row: tuple[float, ...]


class Moment(Noted, frozen=True):
    """The conversation right after one message.

    `row_since_decline` starts anew when a hand-off was declined (rules read it), and is `row` itself before.
    `recent` are the newest eight messages of the present episode that were read and say something, oldest first.
    """

    owner: Owner
    declined: bool
    row_since_decline: tuple[float, ...]
    customer_texts: tuple[str, ...]
    recent: tuple[Message, ...]


def speaks(message: Message) -> bool:
    """Whether anything asks what a message says."""
    return message.role in _UPDATES


class Course:
    """Who owns the conversation, the present episode, and its row: what `Follower` and `Recording` have in common."""

    __slots__ = ("_episode", "_facts", "_index", "_newest", "_ownership", "_tracker")

    def __init__(self, customer: Customer, tracker: type[Tracker]) -> None:
        self._facts, self._tracker = _facts(customer), tracker
        self._ownership, self._index = Ownership(), -1
        self._newest: datetime | None = None
        self._start_episode()

    def _start_episode(self) -> None:
        self._episode = self._tracker(self._facts)

    def _decline(self) -> None:
        """A hand-off was turned down."""

    def _advance(self, message: Message, reading: Reading | None, rating: float | None) -> bool:
        """Take in the next message, with what it says where its role `speaks`; whether it is read."""
        announcement = message.role == "assistant" and reading is not None and "announces_transfer" in reading.hits
        now_step = step(self._ownership, message, announcement=announcement)
        self._ownership, self._index = now_step.ownership, self._index + 1
        if now_step.fresh:
            self._start_episode()
        if now_step.declined:
            self._decline()
        if message.event != "resolved":
            rating = message.satisfaction if rating is None else rating
            self._take_in(message, reading if now_step.read else None, rating)
        sent_at = message.sent_at
        if sent_at is not None and (self._newest is None or sent_at > self._newest):
            self._newest = sent_at
        return now_step.read

    def _take_in(self, message: Message, reading: Reading | None, rating: float | None) -> None:
        self._tell(self._episode, message, reading, rating)

    def _tell(self, tracker: Tracker, message: Message, reading: Reading | None, rating: float | None) -> None:
        tracker.begin(message)
        if rating is not None and self._ownership.owner == "assistant":
            tracker.rating = rating
        if reading is not None:
            tracker.hear(message, reading)


class Follower(Course):
    """A conversation being followed: feed it messages that are already redacted, oldest first."""

    __slots__ = ("_locale", "_recent", "_since_decline", "_texts")

    def __init__(
        self, customer: Customer = UNKNOWN_CUSTOMER, locale: str | None = None, tracker: type[Tracker] = Tracker
    ) -> None:
        """`tracker` makes the rows: features, or what `Recorder` notes down for many conversations at once."""
        super().__init__(customer, tracker)
        self._locale = locale

    def _start_episode(self) -> None:
        super()._start_episode()
        self._since_decline: Tracker | None = None
        self._texts: list[str] = []
        self._recent: tuple[Message, ...] = ()

    def _decline(self) -> None:
        self._since_decline = self._tracker(self._facts)

    def add(self, message: Message, *, rating: float | None = None, as_of: datetime | None = None) -> Moment:
        """Take in the next message; `rating` is one that was given for the conversation at this point."""
        is_read = self._advance(message, self._reading(message), rating)
        return self._moment(message, is_read, as_of or self._newest)

    def _reading(self, message: Message) -> Reading | None:
        role = message.role
        return read(message.text, role, self._locale, tone=role == "customer") if speaks(message) else None

    def _take_in(self, message: Message, reading: Reading | None, rating: float | None) -> None:
        super()._take_in(message, reading, rating)
        if self._since_decline is not None:
            self._tell(self._since_decline, message, reading, rating)
        if reading is not None and message.text:
            self._recent = (*self._recent, message)[-KEPT_RECENT:]
            if message.role == "customer":
                self._texts.append(message.text)
                del self._texts[:-KEPT_TEXTS]

    def _moment(self, message: Message, is_read: bool, now: datetime | None) -> Moment:
        row = self._episode.row(now)
        since = row if self._since_decline is None else self._since_decline.row(now)
        return Moment(
            index=self._index,
            message=message,
            owner=self._ownership.owner,
            episode=self._ownership.episode,
            read=is_read,
            declined=self._since_decline is not None,
            row=row,
            row_since_decline=since,
            customer_texts=tuple(self._texts),
            recent=self._recent,
        )


class Add(Protocol[Found]):
    """What `walk` feeds: `Follower.add`, or one that notes less."""

    def __call__(self, message: Message, *, rating: float | None = None, as_of: datetime | None = None) -> Found: ...


def follow(conversation: Conversation, tracker: type[Tracker] = Tracker) -> Iterator[Moment]:
    """One `Moment` a message. Personal data is masked before anything reads the text."""
    names, follower = names_of(conversation), Follower(conversation.facts, conversation.locale, tracker)
    return walk(conversation, (redact_message(message, names) for message in conversation.messages), follower.add)


def walk(conversation: Conversation, masked: Iterable[Message], add: Add[Found]) -> Iterator[Found]:
    """What `add` makes of the messages, masked, given the conversation's rating and `as_of` where they belong."""
    rated_at, last = _rated_at(conversation), len(conversation.messages) - 1
    for index, message in enumerate(masked):
        yield add(
            message,
            rating=conversation.satisfaction if index == rated_at else None,
            as_of=conversation.as_of if index == last else None,
        )


def _rated_at(conversation: Conversation) -> int | None:
    """The message at which the conversation's rating becomes known: the first at or after its time, the last for one
    without a time. None for one that nobody has given yet, as of the conversation's `as_of` or newest message."""
    at, last = conversation.satisfaction_at, len(conversation.messages) - 1
    if conversation.satisfaction is None:
        return None
    if at is None:
        return last
    for index, message in enumerate(conversation.messages):
        if message.sent_at is not None and message.sent_at >= at:
            return index
    return last if conversation.as_of is not None and conversation.as_of >= at else None


def _facts(customer: Customer) -> tuple[float, ...]:
    """A row with only the account's facts filled in."""
    values = [NAN] * len(FEATURES)
    for i, fact in _FACTS:
        value = fact.read(customer)
        values[i] = NAN if value is None else float(value)
    return tuple(values)


@cache
def features_version() -> str:
    """Digest of what makes a row: the feature table and the lexicon. Twelve hexadecimal digits."""
    described = [(f.name, f.family, str(f.direction), _described(f.source)) for f in FEATURES]
    return hashlib.sha256(repr((described, lexicon_version())).encode()).hexdigest()[:12]


def _described(source: Running | Fact | State | Said) -> Literal["fact"] | str:
    if isinstance(source, Running):
        return f"{getattr(source.statistic, '__name__', source.statistic)}({source.signal.name})"
    return source.attribute if isinstance(source, State) else "fact"
