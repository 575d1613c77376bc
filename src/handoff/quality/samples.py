"""The public sets, and simulated conversations, as samples of one form: features, texts, label, who is tested on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from handoff.features.follower import Moment, follow
from handoff.formats import FORMATS, Found
from handoff.simulate import simulate
from handoff.training.labels import labelled
from handoff.transcript import Conversation
from handoff.transcript.outcomes import handed_off

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

USS_SETS = ("SGD", "MWOZ", "ReDial", "CCPE")
# Where a set has no split of its own, every fifth conversation is tested on.
TEST_EVERY = 5
SIMULATED, SIMULATED_AFTER = 1500, 4
CLINC_IN_SCOPE_EVERY = 3
OUT_OF_SCOPE = "oos"


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Rows of one set. X: (n_rows, n_features), NaN for missing; y (n_rows,); `of` the row's conversation; `test`
    which rows are tested on; `newest` and `reply` what the customer and the assistant said last, empty for nothing."""

    name: str
    proxy: str
    X: Floats
    newest: tuple[str, ...]
    reply: tuple[str, ...]
    y: Integers
    of: Integers
    test: Mask

    @property
    def texts(self) -> list[str]:
        """Both texts of each row as one."""
        return [f"{reply} ⏎ {newest}" for reply, newest in zip(self.reply, self.newest, strict=True)]

    def take(self, rows: Mask | Integers) -> Sample:
        """Some of the rows: a mask of shape (n_rows,), or positions."""
        kept = np.arange(len(self.y))[rows]
        newest, reply = (tuple(said[k] for k in kept) for said in (self.newest, self.reply))
        return Sample(self.name, self.proxy, self.X[kept], newest, reply, self.y[kept], self.of[kept], self.test[kept])


@dataclass(slots=True)
class _Row:
    moments: list[Moment]
    at: int
    y: int
    of: int
    test: bool


def uss(data: Path, name: str) -> Sample:
    """One USS set: is the customer's next rated turn dissatisfied? Seen from the message before it."""
    rows = []
    for number, conversation in enumerate(read_set(data / "uss" / f"{name}.txt.gz", "uss")):
        moments = list(follow(conversation))
        last = {row.moment.index: row.y for row in labelled(conversation, moments, "dissatisfied_next", within=1)}
        rows += [_Row(moments, at, y, number, number % TEST_EVERY == 0) for at, y in last.items()]
    return _sample(f"USS {name}", "the next turn is rated dissatisfied", rows)


def betold(data: Path, name: str, seen: Callable[[Conversation], int]) -> Sample:
    """BETOLD seen up to a message: fitted on valid, tested on test."""
    rows: list[_Row] = []
    for test, stem in ((False, "valid"), (True, "test")):
        for conversation in read_set(data / "betold" / f"BETOLD_{stem}.json.gz", "betold"):
            moments = list(follow(conversation))
            at, y = (
                seen(conversation) - 1,
                int(conversation.outcome is not None and conversation.outcome.escalated is True),
            )
            rows.append(_Row(moments, at, y, len(rows), test))
    return _sample(f"BETOLD {name}", "a hand-off or hang-up late in the call", rows)


def dbdc3(data: Path) -> Sample:
    """DBDC3: did most people call this turn of the bot a breakdown? Fitted on dev, tested on eval."""
    rows, number = [], 0
    for test, stem in ((False, "dev"), (True, "eval")):
        for conversation in read_set(data / "dbdc3" / f"{stem}.jsonl.gz", "dbdc3"):
            moments, number = list(follow(conversation)), number + 1
            judged = [(at, m.label) for at, m in enumerate(conversation.messages) if m.label is not None]
            rows += [_Row(moments, at, label, number, test) for at, label in judged]
    return _sample("DBDC3", "the bot's turn breaks the conversation down", rows)


def clinc(data: Path) -> Sample:
    """CLINC150: is the query out of scope? A third of the training queries in scope, for speed; all out of scope."""
    rows = []
    for number, conversation in enumerate(read_set(data / "clinc150" / "data_full.json.gz", "clinc150")):
        split = conversation.conversation_id.split("-")[1]
        y = int(conversation.outcome is not None and conversation.outcome.reason == OUT_OF_SCOPE)
        test = split.endswith("test")
        if "val" in split or (not test and not y and number % CLINC_IN_SCOPE_EVERY):
            continue
        rows.append(_Row(list(follow(conversation)), 0, y, number, test))
    return _sample("CLINC150", "the query is out of scope", rows)


def simulated(seed: int) -> Sample:
    """Simulated chats after their fourth message: does the truth say that a human is needed? Proves plumbing only."""
    rows = []
    for number, conversation in enumerate(simulate(SIMULATED, seed)):
        end = handed_off(conversation)
        length = len(conversation.messages) if end is None else end.index
        if length <= SIMULATED_AFTER or conversation.outcome is None:
            continue
        y = int(conversation.outcome.escalation_needed is True)
        rows.append(_Row(list(follow(conversation)), SIMULATED_AFTER - 1, y, number, number % TEST_EVERY == 0))
    return _sample("simulated", "the simulator's truth: a human is needed (no evidence about real chats)", rows)


def read_set(path: Path, form: str) -> Iterator[Conversation]:
    """The conversations of a file in the format of that name."""
    return (record.conversation for record in FORMATS[form].read(path) if isinstance(record, Found))


def _sample(name: str, proxy: str, rows: Iterable[_Row]) -> Sample:
    kept = list(rows)
    return Sample(
        name,
        proxy,
        np.array([row.moments[row.at].row for row in kept], dtype=np.float64),
        tuple(_last(row, "customer") for row in kept),
        tuple(_last(row, "assistant") for row in kept),
        np.array([row.y for row in kept], dtype=np.int64),
        np.array([row.of for row in kept], dtype=np.int64),
        np.array([row.test for row in kept], dtype=bool),
    )


def _last(row: _Row, role: str) -> str:
    """What that side said last, up to the row's message."""
    said = (m.message.text for m in reversed(row.moments[: row.at + 1]) if m.message.role == role)
    return next(said, None) or ""
