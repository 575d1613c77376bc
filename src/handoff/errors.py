"""Every error that this package raises on purpose.

    HandoffError
    ├── BadInput            a transcript, request or option that cannot be used
    │   ├── BadRecord       one record of a file; says file, line, field, what was expected
    │   └── Conflict        an id or idempotency key that already stands for something else
    ├── BadPolicy           a rule, team, message or lexicon file that does not hold together
    ├── BadModel            a model version that is missing, tampered with, or fails its exam
    ├── NotEnoughData       too few conversations, labels or classes to do what was asked
    ├── StoreUnavailable    the database is down, too slow, full, or cannot be written
    │   └── Busy            it works, but too many want the same conversation at once
    ├── Overloaded          more work than the queue for it holds; try again later
    ├── RequestRefused      the service refused a client's request, and will refuse it again
    └── ServiceUnavailable  the service could not be reached, or was too busy, until the client's time was up

Each message names the place, the thing and the remedy.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


class HandoffError(Exception):
    """Base of all errors raised on purpose by this package."""


class BadInput(HandoffError):
    """A transcript, request or option that cannot be used."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one field of one conversation.

    `path` is the field's place in the conversation ("messages[3].confidence", "" for the whole),
    `problem` what is wrong with it, `expected` what would be right.
    """

    path: str
    problem: str
    expected: str

    def __str__(self) -> str:
        place = f"{self.path}: " if self.path else ""
        return f"{place}{self.problem}; expected {self.expected}"


class BadRecord(BadInput):
    """One conversation that cannot be used; carries the `Problem` and, from a file, its place."""

    def __init__(self, problem: Problem, *, file: str | None = None, line: int | None = None) -> None:
        self.problem, self.file, self.line = problem, file, line
        place = "" if file is None else f"{file}:{line}: " if line is not None else f"{file}: "
        super().__init__(f"{place}{problem}")


class Conflict(BadInput):
    """An id or idempotency key that already stands for something else; carries the `Problem`."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(str(problem))


class BadPolicy(HandoffError):
    """A rule, team, message or lexicon file that does not hold together."""


class BadModel(HandoffError):
    """A model version that is missing, tampered with, or fails its exam."""


class NotEnoughData(HandoffError):
    """Too few conversations, labels or classes to do what was asked."""


class StoreUnavailable(HandoffError):
    """The database is down, too slow, full, or cannot be written. Nothing of what was asked is stored."""


class Busy(StoreUnavailable):
    """The database works, but too many want the same conversation at once. Nothing is stored; try again later."""


class Overloaded(HandoffError):
    """More work than the queue for it holds; nothing was taken on, try again later."""


class RequestRefused(HandoffError):
    """The service refused a client's request, and will refuse it again: the HTTP status, and what is wrong where."""

    def __init__(self, status: int, error: str, problems: tuple[Problem, ...] = ()) -> None:
        self.status, self.error, self.problems = status, error, problems
        super().__init__("; ".join([f"status {status}: {error}", *map(str, problems)]))


class ServiceUnavailable(HandoffError):
    """The service could not be reached, or was too busy, until the client's time was up."""


def nearest(name: str, known: Iterable[str]) -> str:
    """The remedy for a misspelt name: "; did you mean 'x'?", or the list of what there is."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    return f"; did you mean '{close[0]}'?" if close else f"; known are {', '.join(names)}"
