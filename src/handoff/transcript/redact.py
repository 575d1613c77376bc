"""Personal data masked, before anything else reads or stores a text.

    e-mail address     [email]     telephone number   [phone]     card number (Luhn)     [card]
    IBAN (checksum)    [iban]      IPv4, IPv6         [ip]        six digits or more     [number]
    the customer's name, whole or in part              [name]

Dates, times, prices, versions and short numbers stay: they carry meaning and name nobody. Masking a masked text
changes nothing. No pattern goes back over what it has read, so that a hostile text takes linear time, too.
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b

import msgspec

from handoff.kept import LONGEST_TEXT, Kept, digest_of
from handoff.transcript.names import may_name, names_pattern
from handoff.transcript.numbers import masked_numbers
from handoff.transcript.types import Conversation, Environment, Message

_DIGIT = re.compile(r"\d")
# An ASCII text without any of these holds nothing personal but names.
_TELLING_MARKS = b"0123456789@([{"
_USER_INFO = re.compile(r"(?<=://)[^\s/@?#]{1,256}@")
_LOCAL = r"[^\s<>()\[\],;:\"@＠]"
_DOMAIN = r"(?:\[[\w.:]{3,45}\]|[\w-]++(?:[.．。]++[\w-]++)*+)"
_EMAIL = re.compile(rf"(?:\"[^\"\n@]{{1,64}}\"|(?<!{_LOCAL}){_LOCAL}++)(?:[@＠]{_DOMAIN})++")
# "ana (at) example (dot) com", as people write who do not want it to be harvested.
_SPELLED_AT = re.compile(r"[\[({]\s?at\s?[\])}]", re.IGNORECASE)
_SPELLED_EMAIL = re.compile(
    r"(?<![\w.+-])[\w.+-]{1,64}\s?[\[({]\s?at\s?[\])}]\s?[\w-]{1,63}(?:\s?(?:\.|[\[({]\s?dot\s?[\])}])\s?[\w-]{1,63}){1,5}",
    re.IGNORECASE,
)
# Identifiers that machines count up or make up ("1745200000000000007", "ticket-42", UUIDs): nobody's, although a tenth
# of such numbers has the checksum of a card.
_BEFORE_ID = r"(?:[A-Za-z]+[-_:./#])*"
_MADE_UP = re.compile(
    rf"{_BEFORE_ID}"
    r"(?:[1-9]\d{0,18}|[0-9a-fA-F]{24}|[0-9a-fA-F]{32}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"
)
# But for numbers as long as those of Visa, Mastercard, Amex, Diners and Discover, and that begin as they do: with the
# checksum as well, as one in forty of random ones of sixteen digits has it, they are taken for a card's.
_BEGINS_AS_CARD = re.compile(
    rf"{_BEFORE_ID}(?:4\d{{15}}|5[1-5]\d{{14}}|2[2-7]\d{{14}}|3[47]\d{{13}}|3[068]\d{{12}}|6(?:011|5\d\d)\d{{12}})"
)
_TELLING = ("[email]", "[phone]", "[card]", "[iban]", "[ip]", "[name]")
_MOST_MASKED = 150
_AS_LETTERS = str.maketrans("0123456789abcdef", "ghijkmnpqrabcdef")
_NOT_PERSONAL = frozenset({"[name]", ""})

# A conversation comes again with every message: what was masked before is looked up, by a digest of text and names,
# so that no unmasked text outlives its request.
TEXTS_KEPT = 2_048
_kept: Kept[bytes, str] = Kept(TEXTS_KEPT)


def redact(conversation: Conversation) -> Conversation:
    """The conversation without personal data: in the texts of all messages, the customer's name and the environment.

    The name becomes "[name]", so that its presence survives. Identifiers stay as they are: they join records.
    """
    customer, names = conversation.customer, names_of(conversation)
    if customer is not None and customer.name:
        customer = msgspec.structs.replace(customer, name="[name]")
    return msgspec.structs.replace(
        conversation,
        messages=tuple(redact_message(message, names) for message in conversation.messages),
        customer=customer,
        environment=_environment(conversation.environment, names),
    )


def names_of(conversation: Conversation) -> tuple[str, ...]:
    """The customer's names that must not be told, each as it is written out."""
    name = conversation.facts.name
    return () if name is None else (name,)


def redact_message(message: Message, names: tuple[str, ...]) -> Message:
    """The message without personal data in its text."""
    return _message(message, redact_text(message.text, names))


def mask_message(message: Message, names: tuple[str, ...]) -> Message:
    """As `redact_message`, for one of many whose texts do not come again: nothing is remembered."""
    return _message(message, _masked(message.text, names) if _may_be_personal(message.text, names) else message.text)


def _message(message: Message, text: str) -> Message:
    return message if text == message.text else msgspec.structs.replace(message, text=text)


def redact_text(text: str, names: tuple[str, ...] = ()) -> str:
    """The text with personal data replaced by placeholders. `names` are the customer's, each as it is written out."""
    if not _may_be_personal(text, names):
        return text
    if len(text) > LONGEST_TEXT:
        return _masked(text, names)
    key = digest_of("\0".join((text, *names)))
    masked = _kept.get(key)
    return _kept.put(key, _masked(text, names)) if masked is None else masked


def _may_be_personal(text: str, names: tuple[str, ...]) -> bool:
    """False only where nothing can be masked, as in most texts: a third of the time of a look among those kept."""
    if not text.isascii():
        return True
    plain = text.encode()
    return len(plain.translate(None, _TELLING_MARKS)) < len(plain) or (bool(names) and may_name(names, text))


def _masked(text: str, names: tuple[str, ...]) -> str:
    known = tuple([name for name in names if name.strip() not in _NOT_PERSONAL])
    masked = _once(text, known)
    # What was masked may lay bare a border ("12 34 5[email]"): go on until nothing changes, usually at once.
    while masked != text:
        text, masked = masked, _once(masked, known)
    return masked


def redact_label(label: str, names: tuple[str, ...] = ()) -> str:
    """A label that rules and reports go by (a plan, a version): masked where it holds an address, a number that leads
    to a person, or the name among other words. "gpt-20241022" and "virginia" stay as they are."""
    masked = redact_text(label, names if len(label.split()) > 1 else ())
    return masked if _tells(masked, label) else label


def _tells(masked: str, given: str) -> bool:
    """Whether more than a long number was masked."""
    return masked != given and any(masked.count(kind) > given.count(kind) for kind in _TELLING)


@lru_cache(maxsize=1_024)
def masked_id(identifier: str, secret: str | None = None) -> str:
    """An identifier that holds personal data ("ana@example.com/3") as it may be stored: masked, and with a hash that
    keeps it apart from others and the same every time. Any other identifier, and a long number, stays as it is.

    With a `secret` nobody can find the address by trying; without one, whoever guesses it can tell.
    """
    if _MADE_UP.fullmatch(identifier) and not _BEGINS_AS_CARD.fullmatch(identifier):
        return identifier
    masked = redact_text(identifier)
    if not _tells(masked, identifier):
        return identifier
    digest = blake2b(identifier.encode("utf-8", "replace"), digest_size=10, key=(secret or "").encode()[:64])
    # In letters, for in digits somebody would find a telephone number.
    return f"{masked[:_MOST_MASKED]}~{digest.hexdigest().translate(_AS_LETTERS)}"


def _once(text: str, names: tuple[str, ...]) -> str:
    if "@" in text or "＠" in text:
        text = _EMAIL.sub("[email]", _USER_INFO.sub("", text))
    if ("(" in text or "[" in text or "{" in text) and _SPELLED_AT.search(text):
        text = _SPELLED_EMAIL.sub("[email]", text)
    if _DIGIT.search(text):
        text = masked_numbers(text)
    pattern = names_pattern(names) if names and may_name(names, text) else None
    # A placeholder that is there already is matched first, and stays.
    return pattern.sub(lambda found: found["kept"] or "[name]", text) if pattern is not None else text


def _environment(environment: Environment | None, names: tuple[str, ...]) -> Environment | None:
    if environment is None:
        return None
    fields = {field: getattr(environment, field) for field in environment.__struct_fields__}
    return Environment(**{field: redact_text(text, names) if text else text for field, text in fields.items()})
