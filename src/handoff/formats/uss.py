"""USS: task dialogues between a user and a system, each user turn rated 1 to 5 for satisfaction.

Rows are `role <tab> text <tab> action <tab> ratings`, with a blank line between dialogues. The last row of a
dialogue has the text OVERALL: that is the rating of the whole, not a message. A rating is the one that most raters
gave; of several given equally often it is the lowest, as an argmax over the counts says it (Sun et al., "Simulating
User Satisfaction for the Evaluation of Task-oriented Dialogue Systems", SIGIR 2021).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from handoff.errors import BadRecord, Problem
from handoff.formats.record import Found, Record, rejected
from handoff.formats.source import Line, lines
from handoff.transcript import Conversation, from_object
from handoff.transcript.types import MAX_MESSAGES

_ROLES = {"USER": "customer", "SYSTEM": "assistant"}
_OVERALL = "OVERALL"
_RATINGS = frozenset("12345")
_MAX_ROW_BYTES = 2**20


def read_uss(path: Path) -> Iterator[Record]:
    """Dialogues as conversations named by the file and their number in it (SGD-0001)."""
    stem = path.name.partition(".")[0]
    for number, dialogue in enumerate(_dialogues(path), start=1):
        conversation_id = f"{stem}-{number:04d}"
        try:
            yield Found(_conversation(conversation_id, dialogue), dialogue[0].number)
        except _BadRow as error:
            yield rejected(path, error.line, error.problem, raw=_raw(dialogue), conversation_id=conversation_id)
        except BadRecord as error:
            yield rejected(path, dialogue[0].number, error.problem, raw=_raw(dialogue), conversation_id=conversation_id)


def read_ratings(path: Path) -> Iterator[tuple[int, ...]]:
    """What each rater gave, for every rated row of a user in the order of the file, OVERALL rows among them."""
    for dialogue in _dialogues(path):
        for index, row in enumerate(dialogue):
            role, _, _, ratings = _cells(index, row)
            if _ROLES.get(role) == "customer" and ratings.strip():
                yield tuple(int(each) for each in ratings.split(","))


class _BadRow(BadRecord):
    """A row that does not have the form of the format; carries its line."""

    def __init__(self, row: Line, path: str, problem: str, expected: str) -> None:
        super().__init__(Problem(path, problem, expected))
        self.line = row.number


def _dialogues(path: Path) -> Iterator[list[Line]]:
    """The rows between blank lines; of a run longer than any conversation only so many that it is rejected."""
    rows: list[Line] = []
    for line in lines(path, _MAX_ROW_BYTES):
        if line.raw.strip():
            if len(rows) < MAX_MESSAGES + 2:
                rows.append(line)
        elif rows:
            yield rows
            rows = []
    if rows:
        yield rows


def _conversation(conversation_id: str, rows: list[Line]) -> Conversation:
    cells = [_cells(index, row) for index, row in enumerate(rows)]
    overall = None
    if cells[-1][1] == _OVERALL:
        overall = _rating(rows[-1], "satisfaction", cells.pop()[3])
    messages = []
    for index, (role, text, _, ratings) in enumerate(cells):
        if role not in _ROLES:
            raise _BadRow(rows[index], f"messages[{index}].role", repr(role[:40]), "USER or SYSTEM")
        rating = _rating(rows[index], f"messages[{index}].satisfaction", ratings)
        messages.append({"role": _ROLES[role], "text": text, "satisfaction": rating})
    return from_object(
        {"conversation_id": conversation_id, "locale": "en", "messages": messages, "satisfaction": overall}
    )


def _cells(index: int, row: Line) -> list[str]:
    place = f"messages[{index}]"
    if row.too_long:
        raise _BadRow(row, f"{place}.text", f"a row of {row.length:,} bytes", f"at most {_MAX_ROW_BYTES:,}")
    try:
        cells = row.raw.decode("utf-8").split("\t")
    except UnicodeDecodeError:
        raise _BadRow(row, place, "invalid UTF-8", "text encoded as UTF-8") from None
    if len(cells) != 4:
        raise _BadRow(row, place, f"{len(cells)} cells", "role, text, action and ratings, separated by tabs")
    return cells


def _rating(row: Line, path: str, ratings: str) -> int | None:
    """The rating that most raters gave, the lowest of several given equally often; None when nobody rated."""
    if not ratings.strip():
        return None
    given = [each.strip() for each in ratings.split(",")]
    if any(each not in _RATINGS for each in given):
        raise _BadRow(row, path, repr(ratings[:40]), "ratings from 1 to 5, separated by commas")
    return max(range(1, 6), key=lambda rating: (given.count(str(rating)), -rating))


def _raw(rows: list[Line]) -> bytes:
    return b"\n".join(row.raw for row in rows[:200])
