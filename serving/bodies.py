"""From a request's body to conversations, messages and outcomes, or `Refused` with the place of what is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from handoff.errors import BadRecord, Problem
from handoff.settings import Settings
from handoff.store import Facts, Feedback
from handoff.transcript import Conversation, Message, Outcome, check, from_object, parse
from handoff.transcript.parse import problem_of
from serving.http import Refused
from serving.nesting import is_nested_deeper

# A caller with a thousand bad elements learns enough from the first.
NAMED_ELEMENTS = 20
MOST_OF_A_NAME = 40

# What the body of a message may say of its conversation.
BESIDE_MESSAGE = ("customer", "environment", "channel", "locale")

DEFAULTS = Settings()
# What training alone reads, and the service ignores whatever it holds.
_FOR_TRAINING = re.compile(r"outcome\b.*|messages\[\d+\]\.label\b.*", re.DOTALL)
_NOTHING = (Message(role="system", text=""),)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])


def one_conversation(body: bytes, limits: Settings = DEFAULTS) -> Conversation:
    """The conversation that the body is. Raises `Refused` naming the field."""
    why = "The body is not a usable conversation"
    try:
        return _served(body, limits)
    except BadRecord as error:
        raise Refused(400, why, error.problem) from None


def batch_elements(body: bytes, limits: Settings = DEFAULTS) -> list[msgspec.Raw]:
    """The elements of a JSON array, unread. Raises `Refused` where it is none, or too long."""
    elements, most = _elements(body), limits.max_batch
    if len(elements) > most:
        problem = Problem("", f"{len(elements):,} conversations", f"at most {most:,} in one batch")
        raise Refused(400, "The batch is too long", problem)
    return elements


def read_elements(
    elements: Iterable[bytes], limits: Settings = DEFAULTS, first: int = 0
) -> tuple[list[Conversation], list[Problem]]:
    """The conversations that elements of a batch are, the first of them at the place `first`; and what is wrong with
    those that are none."""
    conversations, problems = list[Conversation](), list[Problem]()
    for index, element in enumerate(elements, first):
        try:
            conversations.append(_served(element, limits))
        except BadRecord as error:
            problems.append(_inside(index, error.problem))
            if len(problems) == NAMED_ELEMENTS:
                break
    return conversations, problems


def unusable(problems: Sequence[Problem]) -> Refused:
    """The answer to a batch with elements that are no conversations."""
    why = "The batch holds elements that are not usable conversations"
    return Refused(400, why, *problems[:NAMED_ELEMENTS])


class NewMessage(msgspec.Struct, frozen=True):
    """One message for a conversation, and what came with it about that; `message.message_id` may be missing."""

    message: Message
    alone: Conversation

    @property
    def conversation_id(self) -> str:
        return self.alone.conversation_id

    @property
    def facts(self) -> Facts:
        """What the conversation's first call carries."""
        alone = self.alone
        return Facts(customer=alone.customer, environment=alone.environment, channel=alone.channel, locale=alone.locale)


def one_message(conversation_id: str, body: bytes, limits: Settings = DEFAULTS) -> NewMessage:
    """The message that the body is. Raises `Refused` naming the field."""
    fields = _fields(body, "The body is not a usable message", "a message object")
    # As a conversation of one message it is read by the one parser that there is.
    parts = [b'"conversation_id":' + msgspec.json.encode(conversation_id), b'"messages":[' + body + b"]"]
    parts += [b'"%b":%b' % (name.encode(), fields[name]) for name in BESIDE_MESSAGE if name in fields]
    try:
        alone = _served(b"{" + b",".join(parts) + b"}", limits)
    except BadRecord as error:
        raise Refused(400, "The body is not a usable message", inside_message(error.problem)) from None
    (message,) = alone.messages
    if bytes(fields.get("message_id", b"null")) == b"null":
        message = msgspec.structs.replace(message, message_id=None)
    return NewMessage(message, alone)


def inside_message(problem: Problem) -> Problem:
    """The problem with its place as the caller of the messages route knows it."""
    path = "idempotency-key" if problem.path == "key" else problem.path
    for outer in ("messages[0].", "message."):
        path = path.removeprefix(outer)
    return Problem("" if path in ("messages[0]", "message") else path, problem.problem, problem.expected)


def one_feedback(body: bytes, limits: Settings = DEFAULTS) -> Feedback:
    """The outcome, or the opinion, that the body is. Raises `Refused` naming the field."""
    why = "The body is not a usable outcome"
    if is_nested_deeper(body, limits.max_nesting):
        raise Refused(400, why, _too_deep(limits))
    _fields(body, why, "an object with conversation_id")
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):  # a number beyond floats among them
        raise Refused(400, why, Problem("", "no usable JSON", "an object with conversation_id")) from None
    try:
        feedback = msgspec.convert(value, Feedback)
        checked = check(
            Conversation(conversation_id=feedback.conversation_id, messages=_NOTHING, outcome=feedback.outcome)
        )
    except msgspec.ValidationError as error:
        raise Refused(400, why, problem_of(error, value)) from None
    except BadRecord as error:
        raise Refused(400, why, error.problem) from None
    except UnicodeError:
        raise Refused(400, why, Problem("", "half of a surrogate pair", "valid Unicode")) from None
    if feedback.says_nothing and (unknown := _unknown_fields(value)):
        raise Refused(400, why, *unknown[:NAMED_ELEMENTS])
    return msgspec.structs.replace(feedback, outcome=checked.outcome)


def _unknown_fields(value: dict[str, Any]) -> list[Problem]:
    """The fields of a report that stand for nothing, each with those that do."""
    parts = (("", value, Feedback), ("outcome.", value.get("outcome") or {}, Outcome))
    return [
        Problem(f"{prefix}{field[:MOST_OF_A_NAME]}", "unknown", f"one of {', '.join(kind.__struct_fields__)}")
        for prefix, part, kind in parts
        for field in part
        if field not in kind.__struct_fields__
    ]


def _served(body: bytes, limits: Settings) -> Conversation:
    """The conversation, whatever its fields for training hold. Raises `BadRecord`, also beyond the limits."""
    if len(body) > limits.max_body_bytes:  # alone it was not let in; in a batch it is
        raise BadRecord(Problem("", f"{len(body):,} bytes", f"at most {limits.max_body_bytes:,} bytes a conversation"))
    try:
        conversation = parse(body)
    except BadRecord as error:
        if not _FOR_TRAINING.fullmatch(error.problem.path):
            raise
        conversation = from_object(_without_training(body, error))
    if is_nested_deeper(body, limits.max_nesting, beside=len(conversation.messages) - 1):
        raise BadRecord(_too_deep(limits))
    _check_length(conversation, limits)
    return conversation


def _without_training(body: bytes, error: BadRecord) -> dict[str, Any]:
    try:
        value: dict[str, Any] = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise error from None
    plain = {field: part for field, part in value.items() if field != "outcome"}
    if isinstance(messages := value.get("messages"), list):
        plain["messages"] = [_without_label(message) for message in messages]
    return plain


def _without_label(message: Any) -> Any:
    if not isinstance(message, dict):
        return message
    return {field: part for field, part in message.items() if field != "label"}


def _check_length(conversation: Conversation, limits: Settings) -> None:
    """Raises `BadRecord` for what is longer than an administrator lets it be."""
    if len(conversation.messages) > limits.max_messages:
        problem = f"a list of {len(conversation.messages)} items"
        raise BadRecord(Problem("messages", problem, f"at most {limits.max_messages:,} messages"))
    for index, message in enumerate(conversation.messages):
        if len(message.text) > limits.max_text_characters:
            problem = f"a text of {len(message.text)} characters"
            expected = f"at most {limits.max_text_characters:,} characters"
            raise BadRecord(Problem(f"messages[{index}].text", problem, expected))


def _too_deep(limits: Settings) -> Problem:
    return Problem("", "nested too deeply", f"at most {limits.max_nesting} levels")


def _kind(body: bytes) -> str:
    """What the body is, by its first sign."""
    return {b"{": "an object", b"[": "an array", b'"': "a text"}.get(body.lstrip()[:1], "something else")


def _fields(body: bytes, why: str, expected: str) -> dict[str, msgspec.Raw]:
    try:
        return _FIELDS.decode(body)
    except msgspec.ValidationError:
        problem = Problem("", _kind(body), expected)
    except (msgspec.DecodeError, UnicodeError) as error:
        problem = Problem("", f"broken JSON ({str(error).rstrip('.')})", expected)
    except RecursionError:
        problem = Problem("", "nested too deeply", expected)
    raise Refused(400, why, problem)


def _elements(body: bytes) -> list[msgspec.Raw]:
    try:
        return _ELEMENTS.decode(body)
    except msgspec.ValidationError:
        problem = Problem("", _kind(body), "a JSON array of conversations")
    except (msgspec.DecodeError, UnicodeError) as error:
        problem = Problem("", f"broken JSON ({str(error).rstrip('.')})", "a JSON array of conversations")
    except RecursionError:
        problem = Problem("", "nested too deeply", "a JSON array of conversations")
    raise Refused(400, "The body is not a JSON array", problem)


def _inside(index: int, problem: Problem) -> Problem:
    path = f"[{index}].{problem.path}" if problem.path else f"[{index}]"
    return Problem(path, problem.problem, problem.expected)
