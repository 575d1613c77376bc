"""What is known of a conversation beside its messages, and how it is made fit to be stored."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from handoff.errors import BadRecord, Problem
from handoff.transcript import Conversation, Customer, Environment, Message, check
from handoff.transcript.redact import redact, redact_label, redact_text

S = TypeVar("S", bound=msgspec.Struct)

MASKED_NAME = "[name]"


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a conversation's first call carries; anything may be missing."""

    customer: Customer | None = None
    environment: Environment | None = None
    channel: str | None = None
    locale: str | None = None


UNKNOWN = Facts()


def fit(conversation_id: str, message: Message, facts: Facts) -> tuple[Message, Facts]:
    """The message and facts as they may be stored: times in UTC, without a training label; the id may be missing.

    Raises `BadRecord` naming the field where something cannot be stored.
    """
    alone = check(
        Conversation(
            conversation_id=conversation_id,
            messages=(message,),
            customer=facts.customer,
            environment=facts.environment,
            channel=facts.channel,
            locale=facts.locale,
        )
    )
    check_storable(facts, "")
    check_storable(message, "message")
    fitted = msgspec.structs.replace(alone.messages[0], message_id=message.message_id, label=None)
    return fitted, facts


def check_storable(part: msgspec.Struct, path: str) -> None:
    """Raises `BadRecord` naming the text of `part`, or of what it holds, that no database takes."""
    for field in part.__struct_fields__:
        value, place = getattr(part, field), f"{path}.{field}" if path else field
        if isinstance(value, msgspec.Struct):
            check_storable(value, place)
        elif isinstance(value, str) and not _is_storable(value):
            raise BadRecord(Problem(place, "a null character or half of a surrogate pair", "valid Unicode text"))


def _is_storable(text: str) -> bool:
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False


def name_in(facts: Facts) -> str | None:
    """The customer's name in clear; None when it is missing, empty, or masked already."""
    name = facts.customer.name if facts.customer is not None else None
    return name if name and name.strip() and name != MASKED_NAME else None


def without_personal_data(facts: Facts, name: str | None) -> Facts:
    """The facts with the name masked, and personal data in all other texts; `name` is the customer's, if it was known
    before. `customer_id` is masked where it joins records (`masked_id`), for that takes the store's secret."""
    known = Customer(name=name_in(facts) or name)
    bare = Conversation(conversation_id="-", messages=(), customer=known, environment=facts.environment)
    names = () if known.name is None else (known.name,)
    customer = facts.customer
    if customer is not None:
        masked_name = MASKED_NAME if customer.name else customer.name
        plan, region = _label(customer.plan, names), _label(customer.region, names)
        customer = msgspec.structs.replace(customer, name=masked_name, plan=plan, region=region)
    return Facts(
        customer=customer,
        environment=redact(bare).environment,
        channel=_label(facts.channel, names),
        locale=_label(facts.locale, names),
    )


def _label(label: str | None, names: tuple[str, ...]) -> str | None:
    return None if label is None else redact_label(label, names)


def masked(message: Message, *names: str | None) -> Message:
    """The message with personal data and these names masked."""
    known = tuple(dict.fromkeys(name for name in names if name))
    text, version = redact_text(message.text, known), _label(message.assistant_version, known)
    if (text, version) == (message.text, message.assistant_version):
        return message
    return msgspec.structs.replace(message, text=text, assistant_version=version)


def merged(known: Facts, given: Facts) -> Facts:
    """`known`, with what was missing in it filled from `given`: `customer` holds what was known at the start."""
    return Facts(
        customer=_filled(known.customer, given.customer),
        environment=_filled(known.environment, given.environment),
        channel=given.channel if known.channel is None else known.channel,
        locale=given.locale if known.locale is None else known.locale,
    )


def _filled(known: S | None, given: S | None) -> S | None:
    if known is None or given is None:
        return given if known is None else known
    missing: dict[str, Any] = {
        field: getattr(given, field) for field in known.__struct_fields__ if getattr(known, field) is None
    }
    return msgspec.structs.replace(known, **missing)
