"""CSV with one row a message; a column map (see `column_map`) says which column holds which field."""

from __future__ import annotations

import csv
import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import msgspec

from handoff.errors import BadInput, BadRecord, Problem, nearest
from handoff.formats.column_map import MESSAGE_FIELDS, ColumnMap
from handoff.formats.record import MAX_RECORD_BYTES, Found, Record, rejected
from handoff.formats.source import lines
from handoff.formats.times import read_time
from handoff.transcript import from_object
from handoff.transcript.types import MAX_MESSAGES, Conversation, Customer, Environment, Message, Outcome, Role

# Longer than any usable row; of a longer one only the beginning is looked at, for the conversation's id.
_MAX_ROW_BYTES = 2**20
# What stands between the cells of other files; where a header has one cell alone, one of these was meant.
_OTHER_DELIMITERS = ";\t|,"
# Spreadsheets say so, too.
_YES_OR_NO = {"yes": True, "no": False}
_TIMES = ("sent_at", "as_of", "satisfaction_at", "escalated_at")


def read_delimited(path: Path, column_map: ColumnMap) -> Iterator[Record]:
    """Conversations from consecutive rows of the same id.

    A bad row rejects its conversation, for a conversation with a hole in it would teach the wrong thing.
    Raises `BadInput` when the map names a column that the file does not have.
    """
    rows = _Rows(path, column_map)
    group: _Group | None = None
    for row in rows:
        if group is not None and row.conversation_id != group.conversation_id:
            yield group.record(path, column_map)
            group = None
        group = group or _Group(row.conversation_id, row.line)
        group.add(row)
    if group is not None:
        yield group.record(path, column_map)


@dataclass(frozen=True, slots=True)
class _Row:
    """One row: its cells by our names, or the problem that it has."""

    line: int
    conversation_id: str
    cells: dict[str, str]
    problem: Problem | None = None


class _Rows:
    """The rows of a file. Keeps the first physical line of the row that the csv module is reading."""

    def __init__(self, path: Path, column_map: ColumnMap) -> None:
        self._path, self._map = path, column_map
        self._first_line: tuple[int, str] | None = None
        self._cut = False  # whether a line of the row was too long to be read whole

    def __iter__(self) -> Iterator[_Row]:
        reader = csv.reader(self._text_lines(), delimiter=self._map.delimiter, strict=True)
        header = next(reader, None)
        if header is None:
            raise BadInput(f"{self._path}: empty; expected a header line and one row a message")
        columns = self._columns(header)
        while True:
            self._first_line, self._cut = None, False
            try:
                cells = next(reader, None)
            except csv.Error as error:
                yield self._broken(columns, Problem("", f"broken row ({error})", "a row of CSV"))
                continue
            if cells is None:
                return
            if cells:
                yield self._row(columns, cells, len(header))

    def _columns(self, header: list[str]) -> dict[str, int]:
        """Our field to the position of its column."""
        places: dict[str, int] = {}
        for name, column in self._map.columns.items():
            if column not in header:
                raise BadInput(f"{self._path}: no column '{column}' (for {name}){_remedy(column, header)}")
            places[name] = header.index(column)
        return places

    def _row(self, columns: dict[str, int], cells: list[str], width: int) -> _Row:
        if self._cut:
            return self._broken(
                columns, Problem("", "a row that is too long", f"at most {_MAX_ROW_BYTES:,} bytes a line")
            )
        if len(cells) != width:
            return self._broken(columns, Problem("", f"{len(cells)} cells", f"{width} cells, as in the header"))
        named = {name: cells[place] for name, place in columns.items()}
        for name, cell in named.items():
            if not cell.isascii() and any("\udc80" <= letter <= "\udcff" for letter in cell):
                problem = Problem(name, "invalid UTF-8", "text encoded as UTF-8, or another `encoding` in the map")
                return _Row(self._line, named["conversation_id"], named, problem)
        return _Row(self._line, named["conversation_id"], named)

    def _broken(self, columns: dict[str, int], problem: Problem) -> _Row:
        """A row that could not be cut into cells; its id is read from what can be."""
        text = self._first_line[1][:2048] if self._first_line is not None else ""
        try:
            cells = next(csv.reader([text], delimiter=self._map.delimiter), [])
        except csv.Error:
            cells = []
        place = columns["conversation_id"]
        return _Row(self._line, cells[place] if place < len(cells) else "", {}, problem)

    @property
    def _line(self) -> int:
        return self._first_line[0] if self._first_line is not None else 1

    def _text_lines(self) -> Iterator[str]:
        for line in lines(self._path, _MAX_ROW_BYTES):
            # What is not valid becomes a lone surrogate, to be named with its field once the row is cut into cells.
            text = line.raw.decode(self._map.encoding, "surrogateescape")
            self._first_line = self._first_line or (line.number, text)
            self._cut = self._cut or line.too_long
            yield text + "\n"


@dataclass(slots=True)
class _Group:
    """The rows of one conversation, as far as they are worth keeping."""

    conversation_id: str
    line: int
    rows: list[_Row] = field(default_factory=list)
    problem: tuple[int, Problem] | None = None
    characters: int = 0

    def add(self, row: _Row) -> None:
        if self.problem is not None:
            return
        self.characters += sum(map(len, row.cells.values()))
        problem = row.problem
        if problem is not None and problem.path in MESSAGE_FIELDS:
            problem = Problem(f"messages[{len(self.rows)}].{problem.path}", problem.problem, problem.expected)
        if len(self.rows) >= MAX_MESSAGES or self.characters > MAX_RECORD_BYTES:
            problem = Problem("messages", f"more than {len(self.rows):,} rows", "fewer or shorter messages")
        if problem is not None:
            self.problem, self.rows = (row.line, problem), self.rows[:10]
        else:
            self.rows.append(row)

    def record(self, path: Path, column_map: ColumnMap) -> Record:
        line, problem = self.problem or (self.line, None)
        if problem is None:
            try:
                return Found(from_object(_conversation(self, column_map)), self.line)
            except BadRecord as error:
                problem = error.problem
                line = self._line_of(problem.path)
        raw = msgspec.json.encode([_printable(row.cells) for row in self.rows[:100]])
        return rejected(path, line, problem, raw=raw, conversation_id=_printable_text(self.conversation_id) or None)

    def _line_of(self, path: str) -> int:
        """The line of the row that a path such as `messages[3].role` speaks of."""
        index = path.removeprefix("messages[").partition("]")[0]
        return self.rows[int(index)].line if index.isdigit() else self.line


def _conversation(group: _Group, column_map: ColumnMap) -> dict[str, Any]:
    """The conversation as plain values, for `from_object` to check."""
    value: dict[str, Any] = {"messages": [_message(row, index, column_map) for index, row in enumerate(group.rows)]}
    for name in column_map.columns:
        if name in MESSAGE_FIELDS:
            continue
        cell = next((row.cells[name] for row in group.rows if row.cells[name]), "")
        part, dot, inner = name.rpartition(".")
        place = value if part in ("", "conversation") else value.setdefault(part, {})
        typed = _typed(cell, inner if dot else name, name, column_map)
        if typed is not None:
            place[inner if dot else name] = typed
    return value


def _message(row: _Row, index: int, column_map: ColumnMap) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for name, cell in row.cells.items():
        if name not in MESSAGE_FIELDS:
            continue
        if name == "role":
            value[name] = column_map.roles.get(cell, cell)
            if column_map.roles and value[name] not in get_args(Role):
                words = ", ".join(column_map.roles)
                raise BadRecord(
                    Problem(f"messages[{index}].role", repr(cell), f"a word of `roles` in the map: {words}")
                )
            continue
        typed = cell if name == "text" else _typed(cell, name, f"messages[{index}].{name}", column_map)
        if typed is not None:
            value[name] = typed
    return value


def _typed(cell: str, name: str, path: str, column_map: ColumnMap) -> Any:
    """The cell as the type of its field; None when it is empty. What does not fit is left for the check to name."""
    if not cell:
        return None
    if name in _TIMES:
        return read_time(cell, path, column_map.times)
    for kind in _kinds()[name]:
        if kind is bool and cell.strip().lower() in _YES_OR_NO:
            return _YES_OR_NO[cell.strip().lower()]
        try:
            return msgspec.convert(cell.strip(), kind, strict=False)
        except msgspec.ValidationError:
            continue
    return cell


def _remedy(column: str, header: list[str]) -> str:
    """What to do about a column that is not there: mostly it is misspelt, or the header was not cut."""
    meant = next((sign for sign in _OTHER_DELIMITERS if len(header) == 1 and sign in header[0]), None)
    return nearest(column, header) if meant is None else f"; is it `delimiter: {json.dumps(meant)}` in the map?"


@functools.cache
def _kinds() -> dict[str, tuple[type, ...]]:
    """For each field the plain types to try on a cell; none for a text."""
    kinds: dict[str, tuple[type, ...]] = {}
    for shape in (Conversation, Customer, Environment, Outcome, Message):
        for each in msgspec.inspect.type_info(shape).fields:  # type: ignore[attr-defined]
            kinds[each.name] = _plain(each.type)
    return kinds


def _plain(kind: msgspec.inspect.Type) -> tuple[type, ...]:
    match kind:
        case msgspec.inspect.UnionType(types=types):
            return tuple(plain for each in types for plain in _plain(each))
        case msgspec.inspect.Metadata(type=inner):
            return _plain(inner)
        case msgspec.inspect.BoolType():
            return (bool,)
        case msgspec.inspect.IntType():
            return (int,)
        case msgspec.inspect.FloatType():
            return (float,)
        case msgspec.inspect.LiteralType(values=values):
            return (int,) if isinstance(values[0], int) else ()
    return ()


def _printable(cells: dict[str, str]) -> dict[str, str]:
    return {name: _printable_text(cell[:1000]) for name, cell in cells.items()}


def _printable_text(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
