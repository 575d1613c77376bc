"""Native Parquet: one row a conversation, its messages a list of structs, times in UTC."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import msgspec

from handoff.errors import BadRecord, Problem, nearest
from handoff.formats.columns import plain, usual, values
from handoff.formats.kind import seems
from handoff.formats.record import Found, Record, Reject, rejected
from handoff.transcript import Conversation, check, from_object
from handoff.transcript.parse import FIRST_YEAR, LAST_YEAR

if TYPE_CHECKING:
    import pyarrow as pa

# Conversations in memory at once, when reading and when writing.
_BATCH_ROWS = 256
# As Python objects, columns take about six times their room.
_BATCH_BYTES = 4 * 2**20
# Rows a group: large enough to compress, small enough that a reader holds little.
_GROUP_ROWS = 1024


def schema(kind: type[msgspec.Struct] = Conversation) -> pa.Schema:
    """The columns of a record, field by field as in the wire format."""
    import pyarrow as pa

    return pa.schema(list(arrow_type(msgspec.inspect.type_info(kind))))


def arrow_type(kind: msgspec.inspect.Type) -> pa.DataType:
    """The column type of a field of a wire format: derived, so that a new field is declared once."""
    import pyarrow as pa

    match kind:
        case msgspec.inspect.UnionType(types=types):
            return next(arrow_type(each) for each in types if not isinstance(each, msgspec.inspect.NoneType))
        case msgspec.inspect.Metadata(type=inner):
            return arrow_type(inner)
        case msgspec.inspect.StructType(fields=fields):
            return pa.struct([pa.field(field.name, arrow_type(field.type)) for field in fields])
        case msgspec.inspect.DictType(key_type=key, value_type=value):
            return pa.map_(arrow_type(key), arrow_type(value))
        case msgspec.inspect.VarTupleType(item_type=item):
            return pa.list_(arrow_type(item))
        case msgspec.inspect.DateTimeType():
            return pa.timestamp("us", "UTC")
        case msgspec.inspect.FloatType():
            return pa.float64()
        case msgspec.inspect.BoolType():
            return pa.bool_()
        case msgspec.inspect.StrType():
            return pa.string()
        case msgspec.inspect.LiteralType(values=values):
            return pa.string() if isinstance(values[0], str) else pa.int64()
    return pa.int64()


def read_parquet(path: Path) -> Iterator[Record]:
    """Conversations as `ParquetWriter` writes them; a reject's line is the row, counted from 1."""
    row = 1
    for batch in read_batches(path):
        if isinstance(batch, Reject):
            yield batch
            return
        yield from records_of(path, row, batch)
        row += batch.num_rows


def read_batches(path: Path) -> Iterator[Any]:
    """The rows as Arrow record batches, none larger than `_BATCH_BYTES` unless it is a single row, and in their place
    a reject where the file cannot be read or breaks off. Rows stay in memory no longer than their batch, however large
    a group of rows is."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path, pre_buffer=False)
        names = file.schema_arrow.names
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        with path.open("rb") as stream:
            beginning = stream.read(1024)
        found = f"; it seems to be {seems(beginning) or 'JSON'}" if beginning else ""
        problem = f"not a Parquet file ({_first_line(error)}){found}"
        yield rejected(path, None, Problem("", problem, "a complete Parquet file"))
        return
    with file:
        absent = [name for name in ("conversation_id", "messages") if name not in names]
        if absent:
            problem = f"no such column{nearest(absent[0], names)}"
            yield rejected(path, None, Problem(absent[0], problem, "the columns of the native format"))
            return
        yield from _batches(path, file)


def _batches(path: Path, file: Any) -> Iterator[Any]:
    import pyarrow as pa

    known = [field.name for field in msgspec.structs.fields(Conversation)]
    row = 0
    try:
        for batch in file.iter_batches(
            _BATCH_ROWS, use_threads=False, columns=[n for n in file.schema_arrow.names if n in known]
        ):
            yield from _pieces(usual(batch))
            row += batch.num_rows
    except pa.ArrowNotImplementedError as error:
        expected = "columns as the native format has them, with plain texts instead of categories"
        yield rejected(path, row + 1, Problem("", f"cannot be read ({_first_line(error)})", expected))
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        yield rejected(path, row + 1, Problem("", f"damaged ({_first_line(error)})", "a complete Parquet file"))


def _pieces(batch: Any) -> Iterator[Any]:
    """The batch, or halves of halves of it that are small enough."""
    if batch.nbytes <= _BATCH_BYTES or batch.num_rows == 1:
        yield batch
        return
    middle = batch.num_rows // 2
    yield from _pieces(batch.slice(0, middle))
    yield from _pieces(batch.slice(middle))


def records_of(path: Path, first: int, batch: Any) -> Iterator[Record]:
    """Each row of the batch as a conversation, or its reject; the first has the number `first`."""
    sound = _all_sound(batch)
    if sound is not None:
        yield from map(Found, sound, count(first))
        return
    for row, value in enumerate(_one_by_one(batch), first):
        yield _converted(path, row, value)


def _all_sound(batch: Any) -> list[Conversation] | None:
    """The conversations in bulk; None where one cannot be used: which, and why, is for looking at each to say."""
    rows = batch.to_struct_array()
    try:
        found = msgspec.convert(values(rows), list[Conversation], from_attributes=True)
        clean = plain(rows)
        return [check(conversation, plain=clean) for conversation in found]
    except (BadRecord, msgspec.ValidationError, ValueError, OverflowError):
        return None


def _one_by_one(batch: Any) -> Iterator[Any]:
    """The rows as Python values; the problem of one that cannot be read."""
    try:
        yield from batch.to_pylist()
        return
    except (ValueError, OverflowError):
        pass  # then find the row
    for index in range(batch.num_rows):
        yield _values_of(usual(batch.slice(index, 1)))


def _values_of(row: Any) -> dict[str, Any] | Problem:
    """The values of a batch of a single row by their columns, or what is wrong with the first that cannot be read."""
    found = {}
    for name, column in zip(row.schema.names, row.columns, strict=True):
        try:
            found[name] = column[0].as_py()
        except UnicodeDecodeError:
            return Problem(name, "invalid UTF-8", "text encoded as UTF-8")
        except OverflowError:
            return Problem(name, "a time beyond the calendar", f"a year from {FIRST_YEAR} to {LAST_YEAR}")
        except ValueError as error:
            return Problem(name, f"cannot be read ({_first_line(error)})", "a column as the native format has it")
    return found


def _converted(path: Path, row: int, value: Any) -> Record:
    if isinstance(value, Problem):
        return rejected(path, row, value)
    try:
        return Found(from_object(value), row)
    except BadRecord as error:
        return rejected(path, row, error.problem, raw=msgspec.json.encode(value, enc_hook=str))


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")


class ParquetWriter:
    """Writes records of one kind in groups of rows. A context manager; the file is complete once it is closed."""

    def __init__(self, path: Path, kind: type[msgspec.Struct] = Conversation) -> None:
        import pyarrow.parquet as pq

        self._schema = schema(kind)
        self._file = pq.ParquetWriter(path, self._schema, compression="zstd")
        self._rows: list[dict[str, Any]] = []

    def write(self, record: msgspec.Struct) -> None:
        self._rows.append(msgspec.to_builtins(record, builtin_types=(datetime,)))
        if len(self._rows) >= _GROUP_ROWS:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._file.close()

    def _flush(self) -> None:
        import pyarrow as pa

        if self._rows:
            self._file.write_table(pa.Table.from_pylist(self._rows, schema=self._schema))
            self._rows = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
