"""The column map of a CSV file: which of its columns holds which of our fields.

    # support.yaml: one row a message, the rows of one conversation one after the other, oldest first
    columns:                      # our field: their column
      conversation_id: Chat ID    # required, as are role and text
      role: Sender
      text: Message
      sent_at: Sent
      confidence: Bot score
      customer.plan: Plan
      outcome.escalated: Handed over
    roles:                        # their word: our role (customer, assistant, agent, system)
      Visitor: customer
      Bot: assistant
      Support: agent
    delimiter: ";"                # optional; a comma
    encoding: cp1252              # optional; utf-8
    times: "%d/%m/%Y %H:%M"       # optional; ISO 8601 or seconds since 1970

Fields of a message are taken from each row; those of the conversation, `customer.`, `environment.` and `outcome.`
from the first row that has a value. An empty cell is a missing value; true or false may also be 1 or 0, yes or no.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import msgspec
import yaml

from handoff.errors import BadInput, nearest
from handoff.transcript.types import Conversation, Customer, Environment, Message, Outcome, Role

REQUIRED = ("conversation_id", "role", "text")
_ENCODINGS = ("utf-8", "latin-1", "cp1252")


def _names(shape: type) -> list[str]:
    return [field.name for field in msgspec.structs.fields(shape)]


MESSAGE_FIELDS = frozenset(_names(Message))
# A rating may stand on the message or on the conversation: in a column map `satisfaction` is the message's.
CONVERSATION_FIELDS = frozenset(_names(Conversation)) - {"messages", "customer", "environment", "outcome"}
PARTS = {"conversation": CONVERSATION_FIELDS, "customer": frozenset(_names(Customer))} | {
    "environment": frozenset(_names(Environment)),
    "outcome": frozenset(_names(Outcome)),
}


def known_fields() -> frozenset[str]:
    """Every name that may stand on the left in `columns`: "text", "channel", "customer.plan"."""
    dotted = {f"{part}.{name}" for part, names in PARTS.items() for name in names}
    return MESSAGE_FIELDS | CONVERSATION_FIELDS | dotted


class ColumnMap(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Our field to their column, and their word to our role."""

    columns: dict[str, str]
    roles: dict[str, str] = {}
    delimiter: str = ","
    encoding: str = "utf-8"
    times: str | None = None


def load_column_map(path: Path) -> ColumnMap:
    """The column map in a YAML file. Raises `BadInput` naming the file, the entry and the nearest valid name."""
    try:
        value: Any = yaml.safe_load(path.read_text("utf-8"))
        column_map = msgspec.convert(value, ColumnMap)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: not YAML ({' '.join(str(error).split())})") from None
    except msgspec.ValidationError as error:
        raise BadInput(f"{path}: {error}; expected columns, and optionally roles, delimiter, encoding, times") from None
    _check(path, column_map)
    return column_map


def _check(path: Path, column_map: ColumnMap) -> None:
    for name in column_map.columns:
        if name not in known_fields():
            raise BadInput(f"{path}: columns: unknown field '{name}'{nearest(name, known_fields())}")
    for name in REQUIRED:
        if name not in column_map.columns:
            raise BadInput(f"{path}: columns: no entry for '{name}'; it is required")
    for word, role in column_map.roles.items():
        if role not in get_args(Role):
            raise BadInput(f"{path}: roles: '{word}' is mapped to '{role}'{nearest(role, get_args(Role))}")
    if len(column_map.delimiter) != 1:
        raise BadInput(f"{path}: delimiter: {column_map.delimiter!r}; expected one character")
    if column_map.encoding not in _ENCODINGS:
        raise BadInput(f"{path}: encoding: '{column_map.encoding}'{nearest(column_map.encoding, _ENCODINGS)}")
