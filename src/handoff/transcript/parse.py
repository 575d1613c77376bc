"""From outside data to a `Conversation` that later stages may trust, or one `BadRecord` that says why not.

msgspec checks each field against its annotation; what lies between fields is checked here: a known order
in time, unique message ids, text without control characters.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from handoff.errors import BadRecord, Problem
from handoff.transcript.types import Conversation, Message

# Clocks of different machines disagree a little: so much of a step back counts as no gap.
MAX_STEP_BACK_SECONDS = 5.0

# Years outside of which a time is a mistake (milliseconds read as seconds, an empty date).
FIRST_YEAR, LAST_YEAR = 1990, 2100
_EARLIEST, _TOO_LATE = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC), datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC)

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_ODD = re.compile(rf"{_CONTROL.pattern}|[\ud800-\udfff]")
_DECODER = msgspec.json.Decoder(Conversation)
_ODD_KEY = ("a field's name with half of a surrogate pair", "valid Unicode")
_NO_UTF8 = "invalid UTF-8"
_UNBOUNDED = {
    "customer": ("account_value_usd",),
    "outcome": ("wait_seconds", "first_response_seconds", "resolution_seconds"),
}
_JSON_WORDS = {
    "str": "text",
    "float": "number",
    "int": "whole number",
    "bool": "true or false",
    "array": "list",
    "datetime": "time such as 2026-03-02T14:31:05Z",
    " | ": " or ",
}
_PYTHON_WORDS = re.compile(r"\b(?:str|float|int|bool|array|datetime)\b| \| ")
_MSGSPEC_ERROR = re.compile(r"^(?P<text>.*?)(?: - at `(?P<path>[^`]*)`)?$", re.DOTALL)


def parse(raw: bytes | str) -> Conversation:
    """One conversation from JSON.

    Raises `BadRecord` for broken JSON, an unknown role, a number out of range, time running backwards,
    a repeated message id, a control character, and whatever else the types do not allow.
    """
    try:
        conversation = _DECODER.decode(raw)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:  # a ValidationError is a DecodeError
        raise BadRecord(_explain(raw, error)) from None
    return check(conversation, plain=_without_escapes(raw))


def _without_escapes(raw: bytes | str) -> bool:
    """Whether nothing but what is printed stands in the JSON's texts: other control characters have to be escaped."""
    if isinstance(raw, str):
        return "\\" not in raw and "\x7f" not in raw
    return b"\\" not in raw and b"\x7f" not in raw


def from_object(value: Any) -> Conversation:
    """One conversation from plain dicts, lists, strings and numbers. Raises `BadRecord` as `parse` does."""
    try:
        return check(msgspec.convert(value, Conversation))
    except msgspec.ValidationError as error:
        raise BadRecord(_locate(value, error)) from None
    except UnicodeError:
        raise BadRecord(Problem("", *_ODD_KEY)) from None


def problem_of(error: msgspec.ValidationError, value: Any) -> Problem:
    """What msgspec found wrong with `value`, which is none of a conversation, in the words used for conversations."""
    return _described(error, value, "")


def to_json(conversation: Conversation) -> bytes:
    """The conversation as one line of JSON, absent fields left out. `parse` reads it back."""
    return msgspec.json.encode(conversation)


def check(conversation: Conversation, *, plain: bool = False) -> Conversation:
    """The same conversation with message ids filled and times in UTC.

    `plain` says that its texts are known to hold no control character. Raises `BadRecord` where fields contradict each
    other.
    """
    if not _sound(conversation, plain):
        return _mended(conversation)
    _check_finite(conversation)
    return conversation


def _sound(conversation: Conversation, plain: bool) -> bool:
    """Whether nothing is to be mended or refused: so it is with nearly all, and seen in a third of the time."""
    messages, outcome = conversation.messages, conversation.outcome
    times = [message.sent_at for message in messages if message.sent_at is not None]
    others = (conversation.as_of, conversation.satisfaction_at, None if outcome is None else outcome.escalated_at)
    every = [*times, *[time for time in others if time is not None]]
    ids = {message.message_id for message in messages}
    return (
        all([time.tzinfo is UTC for time in every])
        and times == sorted(times)
        and (not every or (min(every) >= _EARLIEST and max(every) < _TOO_LATE))
        and (conversation.as_of is None or not times or times[-1] <= conversation.as_of)
        and len(ids) == len(messages) > 0
        and all(ids)
        and (plain or all(map(_clean, _texts(conversation))))
    )


def _texts(conversation: Conversation) -> Iterator[str]:
    """What must not hold a control character."""
    yield conversation.conversation_id
    if conversation.customer is not None and conversation.customer.name is not None:
        yield conversation.customer.name
    for message in conversation.messages:
        yield message.text
        yield message.message_id or ""


def _mended(conversation: Conversation) -> Conversation:
    """The same with ids filled and times in UTC, or the first problem."""
    if not conversation.messages:
        raise BadRecord(Problem("messages", "no messages", "at least one message"))
    _check_text("conversation_id", conversation.conversation_id)
    _check_finite(conversation)
    if conversation.customer is not None and conversation.customer.name is not None:
        _check_text("customer.name", conversation.customer.name)
    messages = tuple(_checked(index, message) for index, message in enumerate(conversation.messages))
    _check_ids(messages)
    _check_order(messages)
    checked = msgspec.structs.replace(
        conversation,
        messages=messages,
        as_of=_utc("as_of", conversation.as_of),
        satisfaction_at=_utc("satisfaction_at", conversation.satisfaction_at),
        outcome=_checked_outcome(conversation),
    )
    _check_as_of(checked)
    return checked


def _checked(index: int, message: Message) -> Message:
    _check_text(f"messages[{index}].text", message.text)
    if message.message_id is not None:
        _check_text(f"messages[{index}].message_id", message.message_id)
    sent_at = _utc(f"messages[{index}].sent_at", message.sent_at)
    if message.message_id is not None and sent_at is message.sent_at:
        return message
    return msgspec.structs.replace(message, message_id=message.message_id or f"m{index + 1}", sent_at=sent_at)


def _checked_outcome(conversation: Conversation) -> Any:
    outcome = conversation.outcome
    if outcome is None or outcome.escalated_at is None:
        return outcome
    return msgspec.structs.replace(outcome, escalated_at=_utc("outcome.escalated_at", outcome.escalated_at))


def _check_text(path: str, text: str) -> None:
    if _clean(text):
        return
    found = _CONTROL.search(text)
    if found:
        raise BadRecord(Problem(path, f"control character U+{ord(found[0]):04X}", "text without control characters"))
    raise BadRecord(Problem(path, "half of a surrogate pair", "valid Unicode"))


def _clean(text: str) -> bool:
    # Most texts are printable, which is seen in a third of the time; a line's end or a joined emoji is not.
    return text.isprintable() or _ODD.search(text) is None


def _check_finite(conversation: Conversation) -> None:
    """Numbers without an upper limit may still not be infinite or NaN: JSON cannot hold them, Parquet can."""
    for part, value in (("customer", conversation.customer), ("outcome", conversation.outcome)):
        for field in _UNBOUNDED[part] if value is not None else ():
            number = getattr(value, field)
            if number is not None and not math.isfinite(number):
                raise BadRecord(Problem(f"{part}.{field}", str(number), "a finite number"))


def _utc(path: str, time: datetime | None) -> datetime | None:
    """The time in UTC; one without an offset is taken as UTC already. The same object where nothing changes."""
    if time is None:
        return None
    if not FIRST_YEAR <= time.year <= LAST_YEAR:
        raise BadRecord(Problem(path, f"the year {time.year}", f"a year from {FIRST_YEAR} to {LAST_YEAR}"))
    if time.tzinfo is UTC:
        return time
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _check_ids(messages: tuple[Message, ...]) -> None:
    if len({m.message_id for m in messages}) == len(messages):
        return
    seen: dict[str | None, int] = {}
    for index, message in enumerate(messages):
        if message.message_id in seen:
            path = f"messages[{index}].message_id"
            problem = f"{message.message_id!r} is also the id of messages[{seen[message.message_id]}]"
            raise BadRecord(Problem(path, problem, "an id of its own for each message"))
        seen[message.message_id] = index


def _check_order(messages: tuple[Message, ...]) -> None:
    newest: datetime | None = None
    for index, message in enumerate(messages):
        if message.sent_at is None:
            continue
        if newest is not None and (newest - message.sent_at).total_seconds() > MAX_STEP_BACK_SECONDS:
            back = (newest - message.sent_at).total_seconds()
            raise BadRecord(
                Problem(
                    f"messages[{index}].sent_at",
                    f"time runs backwards by {back:.0f} s",
                    f"messages in order of time (a step back of up to {MAX_STEP_BACK_SECONDS:.0f} s is let pass)",
                )
            )
        newest = message.sent_at if newest is None else max(newest, message.sent_at)


def _check_as_of(conversation: Conversation) -> None:
    if conversation.as_of is None:
        return
    newest = max((m.sent_at for m in conversation.messages if m.sent_at is not None), default=None)
    if newest is not None and (newest - conversation.as_of).total_seconds() > MAX_STEP_BACK_SECONDS:
        raise BadRecord(Problem("as_of", "earlier than the newest message", "a time at or after the newest sent_at"))


def _explain(raw: bytes | str, error: Exception) -> Problem:
    """The problem of a text that msgspec refused, with its field where a more lenient reading can find it."""
    # A byte that is no UTF-8 becomes a lone surrogate.
    text = raw if isinstance(raw, str) else raw.decode("utf-8", "surrogateescape")
    try:
        value = json.loads(text, strict=False)
        # A number out of a float's range is a ValidationError to msgspec, but without the index of its message.
        if isinstance(error, msgspec.ValidationError) and "out of range" not in str(error):
            return _locate(value, error)
        odd = _odd_value(value, "")
    except RecursionError:
        return Problem("", "nested too deeply", "a conversation object")
    except ValueError:
        return _not_json(error)
    general = _not_json(error)
    if odd is not None and general.problem == _NO_UTF8 and isinstance(raw, bytes):
        return Problem(odd.path, general.problem, general.expected)
    return odd or general


def _odd_value(value: Any, path: str) -> Problem | None:
    """The first value that Python takes for JSON although it is none: NaN, infinity, a raw control character."""
    if isinstance(value, float) and not math.isfinite(value):
        return Problem(path, json.dumps(value), "a finite number, or null where it is not known")
    if isinstance(value, str):
        try:
            _check_text(path, value)
        except BadRecord as found:
            return found.problem
    children: list[tuple[str, Any]] = []
    if isinstance(value, dict):
        children = [(f"{path}.{key}" if path else key, child) for key, child in value.items()]
    elif isinstance(value, list):
        children = [(f"{path}[{index}]", child) for index, child in enumerate(value)]
    return next((odd for place, child in children if (odd := _odd_value(child, place)) is not None), None)


def _not_json(error: Exception) -> Problem:
    if isinstance(error, UnicodeError) or "utf-8" in str(error).lower():
        return Problem("", _NO_UTF8, "text encoded as UTF-8")
    return Problem("", f"broken JSON ({str(error).rstrip('.')})", "one JSON object")


def _locate(value: Any, error: msgspec.ValidationError) -> Problem:
    """The problem with the index of the message, which msgspec's own path leaves out."""
    if isinstance(value, dict) and isinstance(value.get("messages"), list):
        for index, message in enumerate(value["messages"]):
            try:
                msgspec.convert(message, Message)
            except msgspec.ValidationError as inner:
                return _described(inner, message, f"messages[{index}]")
            except UnicodeError:
                return Problem(f"messages[{index}]", *_ODD_KEY)
    return _described(error, value, "")


def _described(error: msgspec.ValidationError, value: Any, prefix: str) -> Problem:
    found = _MSGSPEC_ERROR.match(str(error))
    text, inner = (found["text"], found["path"] or "$") if found else (str(error), "$")
    steps = [step for step in inner.removeprefix("$").split(".") if step]
    missing = re.match(r"Object missing required field `(\w+)`", text)
    if missing:
        return Problem(
            ".".join([*([prefix] if prefix else []), *steps, missing[1]]), "missing", "a value (it is required)"
        )
    expected = _in_words(text)
    if text.startswith("Invalid enum value"):
        expected = "one of " + ", ".join(_allowed(steps[-1] if steps else ""))
    return Problem(".".join([*([prefix] if prefix else []), *steps]), _shown(value, steps), expected)


def _in_words(text: str) -> str:
    """What msgspec expected, without what it got and in the words of JSON rather than of Python."""
    if "RFC3339" in text:
        return "a time such as 2026-03-02T14:31:05Z"
    expected = text.removeprefix("Expected ").replace("`", "").partition(", got ")[0]
    return _PYTHON_WORDS.sub(lambda word: _JSON_WORDS[word[0]], expected)


def _allowed(field: str) -> list[str]:
    """The values that a Literal field of a message may take, in the order of its declaration."""
    annotation = next((f.type for f in msgspec.structs.fields(Message) if f.name == field), None)
    options = getattr(annotation, "__args__", ())
    flat = [a for o in options for a in (getattr(o, "__args__", None) or (o,))]
    return [str(a) for a in flat if a is not None and a is not type(None)]


def _shown(value: Any, steps: list[str]) -> str:
    """The offending value as JSON, cut short; never more than a glimpse of what a customer wrote."""
    for step in steps:
        if not isinstance(value, dict) or step not in value:
            return "a value of the wrong kind"
        value = value[step]
    if isinstance(value, str) and len(value) > 40:
        return f"a text of {len(value)} characters"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)} items"
    if isinstance(value, dict):
        return "an object"
    return json.dumps(value, ensure_ascii=False, default=repr)
