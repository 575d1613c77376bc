"""Numbers that lead to a person (telephone, card, IBAN, IP address, any of six digits or more), told from
dates, times, prices and versions."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

MIN_PHONE_DIGITS, MAX_PHONE_DIGITS = 7, 15
MIN_CARD_DIGITS, MAX_CARD_DIGITS = 13, 19
MIN_DASHED_DIGITS = 9
MAX_GROUPS = 14

# How long the groups of a telephone number are that shows no "+", no leading 0 and no brackets. The second list holds
# shapes that other numbers have as well ("errors 500 502 503"): there the first digit must be 6 or more.
_PHONE_SHAPES = frozenset({(3, 3, 4), (1, 3, 3, 4), (5, 5), (3, 3, 2, 2), (3, 4, 4)})
_MOBILE_SHAPES = frozenset({(3, 3, 3), (3, 2, 2, 2)})

_MONTH, _DAY = r"(?:0?[1-9]|1[0-2])", r"(?:0?[1-9]|[12]\d|3[01])"
_TIME = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?(?!:)"
_DATE = (
    rf"(?:19|20)\d\d(?P<sign>[-/.]){_MONTH}(?P=sign){_DAY}(?!\d|[-/.]\d)(?:[T ]{_TIME}(?:Z|[+-]\d\d:?\d\d)?)?"
    rf"|{_DAY}(?P<mark>[-/.]){_DAY}(?P=mark)(?:(?:19|20)\d\d|\d\d)(?!\d|[-/.]\d)"
)
_AMOUNT = r"(?:\d{1,3}(?:[,.'’ \u00a0\u202f]\d{3}){1,4}|\d{1,9})(?:[.,]\d{1,2})?"
_CURRENCY = r"(?:[$€£¥₹]|(?:usd|eur|gbp|chf|dollars?|euros?|pounds?)\b)"
_PRICE = rf"(?:[$€£¥₹]|usd|eur|gbp|chf)\s?{_AMOUNT}|{_AMOUNT}\s?{_CURRENCY}"
_SEPARATOR = r"[ \t\u00a0\u2009\u202f\u200b-\u200d\u2060‐‑‒–()-]"
_TOKEN = re.compile(
    r"(?P<iban>(?<![^\W_])[a-z]{2}\d\d(?:[ \u00a0-]?[a-z0-9]){11,30})"
    rf"|(?P<kept>(?<![\w.+-])(?:{_DATE}|{_TIME}|{_PRICE})(?!\d))"
    r"|(?P<six>(?<![\w:.])(?=[0-9a-f]{0,4}:)[0-9a-f:.]{2,45}(?![\w:]))"
    r"|(?P<four>(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?!\w|\.\d))"
    r"|(?P<dotted>(?<![\w.])(?:\d{3}\.\d{3}\.\d{4}|(?:\d\d\.){4}\d\d)(?!\w|\.\d))"
    r"|(?P<version>(?<![\w.+])\d{1,5}(?:\.\d{1,5}){1,5}(?!\d))"
    rf"|(?P<international>\+{_SEPARATOR}{{0,2}}\d(?:[/.]?{_SEPARATOR}{{0,3}}\d){{6,14}}(?!\d|:\d))"
    rf"|(?P<run>\(?\d(?:{_SEPARATOR}{{0,3}}+\d)*+)",
    re.IGNORECASE,
)
_TELLING = re.compile(r"[\d:]")
_MOST_BEFORE = 4  # "usd 5", "abcd:"
_DIGITS = re.compile(r"\d+")
_DIGIT = re.compile(r"\d")
# What has fewer digits and is masked is an IBAN mostly of letters, or an IP address.
_FEWEST_DIGITS = 6
# The digits first: a pattern that begins with the rarer sign is found several times as fast.
_BEGINS_AS_IBAN = re.compile(r"\d\d(?<=[^\W\d_]{2}\d\d)")
_DOTTED = re.compile(r"\d\.\d{1,3}\.\d")
_LONG_DIGITS = re.compile(r"\d{6,}")

# Length of an IBAN by country (SWIFT's registry); what looks like one but is not in it is read as a number.
_IBAN_LENGTHS = {
    country: int(length)
    for length, countries in {
        "15": "NO",
        "16": "BE",
        "18": "DK FI FO GL NL SD",
        "19": "MK SI",
        "20": "AT BA EE KZ LT LU MN XK",
        "21": "CH CR HR LI LV",
        "22": "BG BH DE GB GE IE ME RS VA",
        "23": "AE GI IL IQ OM SO TL",
        "24": "AD CZ ES MD PK RO SA SE SK TN VG",
        "25": "LY PT ST",
        "26": "IS TR",
        "27": "BI DJ FR GR IT MC MR SM",
        "28": "AL AZ BY CY DO GT HU LB NI PL SV",
        "29": "BR EG PS QA UA",
        "30": "JO KW MU",
        "31": "MT SC",
        "32": "LC",
        "33": "RU",
    }.items()
    for country in countries.split()
}


def masked_numbers(text: str) -> str:
    """The text with numbers that lead to a person replaced by [iban] [ip] [phone] [card] and [number]."""
    return replaced(text) if _may_lead_to_a_person(text) else text


def _may_lead_to_a_person(text: str) -> bool:
    """False only where nothing can be masked, as in most texts: the look at each letter is the dearest of all masks."""
    digits = len(_DIGIT.findall(text))
    if digits >= _FEWEST_DIGITS:
        return True
    return digits > 0 and (
        text.count(":") > 1 or _BEGINS_AS_IBAN.search(text) is not None or _DOTTED.search(text) is not None
    )


def replaced(text: str) -> str:
    """As `masked_numbers`, wherever."""
    parts: list[str] = []
    place = 0
    while (found := _next(text, place)) is not None:
        parts.append(text[place : found.start()])
        written, place = _masked(text, found)
        parts.append(written)
    return "".join(parts) + text[place:]


def _next(text: str, place: int) -> re.Match[str] | None:
    """The next token. It is looked for only around digits and colons: every token has one among its first characters,
    and a search at each letter would take many times as long."""
    telling = _TELLING.search(text, place)
    while telling is not None:
        for start in range(max(place, telling.start() - _MOST_BEFORE), telling.end()):
            found = _TOKEN.match(text, start)
            if found is not None:
                return found
        place = telling.end()
        telling = _TELLING.search(text, place)
    return None


def _masked(text: str, found: re.Match[str]) -> tuple[str, int]:
    """What to write for a token, and where to read on."""
    kind, token, end = found.lastgroup, found[0], found.end()
    if kind == "iban":
        length = _iban_characters(token)
        return ("[iban]", found.start() + length) if length else (token[:2], found.start() + 2)
    if kind in ("six", "four"):
        address = token.rstrip(".:") if token.count(":") < 2 or not token.endswith("::") else token
        return ("[ip]" + token[len(address) :], end) if _is_address(address) else (_short_digits(token), end)
    if kind in ("dotted", "international"):
        return "[phone]", end
    if kind == "run":
        run = _complete(text, token, end)
        return _masked_run(run), found.start() + len(run)
    return token, end


def _iban_characters(token: str) -> int:
    """How many characters of the token are an IBAN; 0 when its country, length or checksum is wrong."""
    wanted = _IBAN_LENGTHS.get(token[:2].upper())
    places = [place for place, character in enumerate(token) if character.isalnum()]
    if wanted is None or len(places) < wanted or token[places[wanted - 1] + 1 :][:1].isalnum():
        return 0
    letters = "".join(token[place] for place in places[:wanted])
    remainder = int("".join(str(int(c, 36)) for c in letters[4:] + letters[:4])) % 97
    return places[wanted - 1] + 1 if remainder == 1 else 0


def _is_address(token: str) -> bool:
    """Whether a token is an IP address; "::" and the like, without a digit, are punctuation."""
    if not any(map(str.isdigit, token)):
        return False
    try:
        ipaddress.ip_address(token)
    except ValueError:
        return False
    return True


def _complete(text: str, run: str, end: int) -> str:
    """A run of digits without a last group that belongs to what follows: in "5551234567 14:31" the 14 is a time's."""
    if text[end : end + 1] not in (".", ":", ",") or not text[end + 1 : end + 2].isdigit():
        return run
    groups = list(_DIGITS.finditer(run))
    return run[: groups[-2].end()] if len(groups) > 1 else run


def _masked_run(run: str) -> str:
    if run.startswith("(") and ")" not in run:
        return "(" + _masked_run(run[1:])
    groups = [(found.start(), found.end()) for found in _DIGITS.finditer(run)]
    lengths = tuple(end - start for start, end in groups)
    total = sum(lengths)
    if total < MIN_PHONE_DIGITS or len(groups) > MAX_GROUPS:
        return _short_digits(run)
    card = _card(run, groups) if total >= MIN_CARD_DIGITS else None
    if card is not None:
        before, after = run[: card[0]], run[card[1] :]
        return (_masked_run(before) if before else "") + "[card]" + (_short_digits(after))
    if _is_phone(run, lengths, total):
        return "[phone]"
    dashed = len(groups) > 1 and total >= MIN_DASHED_DIGITS and not any(map(str.isspace, run))
    by_fours = len(groups) > 3 and set(lengths) == {4}
    return "[number]" if dashed or by_fours else _short_digits(run)


def _short_digits(text: str) -> str:
    return _LONG_DIGITS.sub("[number]", text)


def _is_phone(run: str, lengths: tuple[int, ...], total: int) -> bool:
    if not MIN_PHONE_DIGITS <= total <= MAX_PHONE_DIGITS:
        return False
    first = run.lstrip("(")[0]
    if first == "0" and total >= MIN_DASHED_DIGITS:
        return True
    if len(lengths) == 1:
        return False
    local = lengths == (3, 4) and "-" in run
    return run[0] == "(" or local or lengths in _PHONE_SHAPES or (lengths in _MOBILE_SHAPES and first in "6789")


def _card(run: str, groups: Sequence[tuple[int, int]]) -> tuple[int, int] | None:
    """Where in a run a card number stands: neighbouring groups of 13 to 19 digits that pass the Luhn check."""
    for first, (start, _) in enumerate(groups):
        for _, end in reversed(groups[first:]):
            digits = [int(character) for character in run[start:end] if character.isdigit()]
            if MIN_CARD_DIGITS <= len(digits) <= MAX_CARD_DIGITS and _passes_luhn(digits):
                return start, end
    return None


def _passes_luhn(digits: Sequence[int]) -> bool:
    doubled = [d * 2 - 9 if d > 4 else d * 2 for d in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0
