"""Personal data is masked wherever it stands, ordinary numbers and words stay, and masking twice is masking once."""

from __future__ import annotations

import re
import uuid

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from handoff.kept import Kept
from handoff.transcript import Conversation, Customer, Environment, Message
from handoff.transcript import numbers as numbers_module
from handoff.transcript import redact as redact_module
from handoff.transcript.names import may_name, names_pattern
from handoff.transcript.numbers import masked_numbers, replaced
from handoff.transcript.redact import masked_id, redact, redact_label, redact_text

MASKED = {
    "an e-mail address": ("write to ana.lopez+x@mail.example.co.uk.", "write to [email]."),
    "an e-mail address in brackets": ("<ana@example.com>", "<[email]>"),
    "an e-mail address spelt out": ("ana (at) example (dot) com", "[email]"),
    "an e-mail address with a quoted name": ('"ana l"@example.com', "[email]"),
    "an e-mail address at an IP address": ("ana@[10.0.0.1]", "[email]"),
    "an e-mail address with a full-width @": ("ana＠example.com", "[email]"),
    "two addresses run together": ("a@b.com@c.com", "[email]"),
    "user and password in a web address": ("https://bob:secret@host.example/x", "https://host.example/x"),
    "an American number": ("call 555-123-4567 now", "call [phone] now"),
    "an American number with brackets": ("(555) 123-4567", "[phone]"),
    "an American number with dots": ("555.123.4567", "[phone]"),
    "a local number": ("call 555-1234", "call [phone]"),
    "an international number": ("+1 (555) 123-4567", "[phone]"),
    "a German number": ("+49 151 23456789", "[phone]"),
    "a British number": ("020 7946 0958", "[phone]"),
    "a French number in pairs": ("06 12 34 56 78", "[phone]"),
    "a Spanish mobile": ("612 345 678", "[phone]"),
    "a number with no-break spaces": ("+33\u00a06\u00a012\u00a034\u00a056\u00a078", "[phone]"),
    "a telephone number before a time": ("5551234567 14:31", "[number] 14:31"),
    "a card in groups": ("4111 1111 1111 1111", "[card]"),
    "a card in one piece": ("card 4111111111111111.", "card [card]."),
    "an American Express card": ("3782-822463-10005", "[card]"),
    "a card before its expiry date": ("4111 1111 1111 1111 12/27", "[card] 12/27"),
    "a card number with a wrong check digit": ("4111 1111 1111 1112", "[number]"),
    "a German IBAN in groups": ("DE89 3704 0044 0532 0130 00 thanks", "[iban] thanks"),
    "a British IBAN in one piece": ("(GB82WEST12345698765432)", "([iban])"),
    "an IBAN in small letters": ("de89370400440532013000", "[iban]"),
    "an IPv4 address": ("from 192.168.0.17.", "from [ip]."),
    "an IPv6 address": ("2001:db8::8a2e:370:7334", "[ip]"),
    "a local IPv6 address": ("ping ::1 now", "ping [ip] now"),
    "an order number": ("order #123456", "order #[number]"),
    "an order number in groups": ("114-3941689-8772232", "[number]"),
    "an order number behind letters": ("INV2024001234", "INV[number]"),
    "a number in another script": ("١٢٣٤٥٦٧", "[number]"),
}

KEPT = [
    "WordPress 6.3 and PHP 8.2.11",
    "Chrome 120.0.6099.109",
    "it costs $1,188 a year",
    "12.500,00 € or 1 500 000 €",
    "119900 USD",
    "since 2026-03-02",
    "since 2026-03-02T14:31:05Z",
    "since 2026-03-02 14:31:05",
    "on 02/03/2026 and 2.3.26",
    "at 14:31 or 9:30-10:15",
    "HTTP 500, 502 or 504",
    "errors 500 502 503",
    "between 2023 2024 2025",
    "the years 2023-2024",
    "12 2026-03-02",
    "5 sites, 25 users, 40000 visits",
    "10-15 minutes, 24/7",
    "1,188,000 visitors",
    "std::vector and a :: b",
    "look at (this) dot",
    "email me at noon",
    "[email] [phone] [card] [iban] [ip] [number] [name]",
    "an agenda, a banana",
]


@pytest.mark.parametrize(("text", "expected"), MASKED.values(), ids=MASKED.keys())
def test_masks(text: str, expected: str) -> None:
    assert redact_text(text) == expected


@pytest.mark.parametrize("text", KEPT)
def test_keeps(text: str) -> None:
    assert redact_text(text) == text


NAMES = {
    "the whole name": ("Ana López", "I am Ana López", "I am [name]"),
    "its parts": ("Ana López", "Ana here, Mrs López", "[name] here, Mrs [name]"),
    "in capitals and in small letters": ("Ana López", "ANA LÓPEZ or ana lópez", "[name] or [name]"),
    "without its accents": ("Ana López", "lopez", "[name]"),
    "with an apostrophe behind it": ("Ana López", "Ana's site", "[name]'s site"),
    "both halves of a double name": ("Anne-Marie Roe", "Anne or Marie", "[name] or [name]"),
    "not within a word": ("Ana López", "anagram, banana", "anagram, banana"),
    "an ordinary word only with a capital": (
        "Will Grant",
        "I am Will. will you grant it?",
        "I am [name]. will you grant it?",
    ),
    "not a verb at the beginning of a question": ("Will May", "Will you help? May I ask?", "Will you help? May I ask?"),
    "no particles": ("Ludwig van der Berg", "the van is der best", "the van is der best"),
    "no role words": ("Support Team", "can I talk to support?", "can I talk to support?"),
    "in a script without spaces": ("王伟", "我是王伟好", "我是[name]好"),
    "not inside a placeholder": ("Phone Card", "[phone] [card]", "[phone] [card]"),
    "a short name only with a capital": ("Bo Ek", "Bo and bo", "[name] and bo"),
    "no single letters": ("A B", "a b A B c", "[name] [name] c"),
    "with signs of a pattern": ("A.*a (x", "aaa", "aaa"),
}


@pytest.mark.parametrize(("name", "text", "expected"), NAMES.values(), ids=NAMES.keys())
def test_masks_the_name(name: str, text: str, expected: str) -> None:
    assert redact_text(text, (name,)) == expected


def test_a_masked_name_is_no_name() -> None:
    assert redact_text("my name is [name]", ("[name]",)) == "my name is [name]"


PIECES = """
    1 12 555 4111 123456 + ( ) - . : :: / , @ a ana Ana DE89 x.com [ ] [email] [name] $ € " :// fe80 2026-03-02 at (at)
"""
pieces = st.sampled_from([*PIECES.split(), " ", "\n", "\u200b", "\u00a0"])
texts = st.one_of(st.text(), st.lists(pieces, max_size=30).map("".join))


@given(texts, st.lists(st.one_of(st.text(max_size=12), st.sampled_from(["Ana", "Will", "Email", "1 2"])), max_size=2))
@example("12 34 5a@b", [])
def test_twice_is_once(text: str, names: list[str]) -> None:
    once = redact_text(text, tuple(names))
    assert redact_text(once, tuple(names)) == once


@given(st.emails(), texts, texts)
def test_no_e_mail_address_survives(address: str, before: str, after: str) -> None:
    masked = redact_text(f"{before} {address} {after}")
    assert address not in masked
    assert re.search(r"\w@\w", masked) is None


@given(texts)
def test_no_six_digits_in_a_row_survive_outside_a_price_or_a_time(text: str) -> None:
    masked = redact_text(re.sub(r"[$€£¥₹:.,]|usd|eur|gbp|chf|dollar|euro|pound", " ", text, flags=re.IGNORECASE))
    assert re.search(r"\d{6}", masked) is None


HOSTILE = {
    "letters": "a" * 1_000_000,
    "digits": "1" * 1_000_000,
    "digits and spaces": "1 " * 500_000,
    "at signs": "a@" * 500_000,
    "half an IBAN": "DE89 3704 " * 100_000,
    "colons": "fe80:" * 200_000,
    "brackets": "(" * 1_000_000,
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_megabyte_passes(text: str) -> None:
    assert redact_text(text, ("Ana López",)) is not None


def conversation(**customer: object) -> Conversation:
    return Conversation(
        conversation_id="c-1",
        customer=msgspec.convert(customer, Customer),
        environment=Environment(browser="Firefox 140", site="https://ana:pw@shop.example"),
        messages=(
            Message(role="customer", text="Ana here, ana@example.com", confidence=0.5),
            Message(role="assistant", text="Hello Ana López!"),
        ),
    )


def test_a_conversation_is_masked_in_every_message_and_in_its_environment() -> None:
    masked = redact(conversation(name="Ana López", customer_id="u-7"))
    assert [m.text for m in masked.messages] == ["[name] here, [email]", "Hello [name]!"]
    assert masked.messages[0].confidence == 0.5
    assert masked.customer is not None
    assert (masked.customer.name, masked.customer.customer_id) == ("[name]", "u-7")
    assert masked.environment == Environment(browser="Firefox 140", site="https://shop.example")
    assert redact(masked) == masked


def test_a_conversation_without_customer_stays_without() -> None:
    bare = Conversation(conversation_id="c", messages=(Message(role="customer", text="hi"),))
    assert redact(bare) == bare


def test_an_absent_name_stays_absent() -> None:
    masked = redact(conversation(customer_id="u-7"))
    assert masked.customer is not None
    assert masked.customer.name is None


def test_what_is_remembered_is_masked_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redact_module, "_kept", kept := Kept[bytes, str](2))
    for number in range(5):
        text = f"Ana wrote {number} to ana@example.com"
        expected = f"[name] wrote {number} to [email]"
        assert [redact_text(text, ("Ana",)), redact_text(text, ("Ana",))] == [expected, expected]
    assert redact_text("Ana wrote 4 to ana@example.com", ("Bob",)) == "Ana wrote 4 to [email]"
    assert len(kept) == 4
    assert "ana@" not in repr((kept.newer, kept.older))


@given(
    st.text("0a@＠:([{ )1x") | st.text(),
    st.lists(st.sampled_from(["Ana", "López", "İpek", "", "(at)", "a"]), max_size=2).map(tuple),
)
@example("ana (at) example (dot) com", ())
@example("Ana", ("Ana",))
@example("٣٣٣٣٣٣", ())
def test_texts_that_are_not_looked_at_hold_nothing_to_mask(text: str, names: tuple[str, ...]) -> None:
    assert redact_text(text, names) == redact_module._masked(text, names)


NUMBERS = st.text("0123456789aGBe12:. -+$()usdİ٣ſK", max_size=24) | st.text()


@given(NUMBERS)
@example("costs usd 5 or abcd::1 or +  49 30 1234567")
def test_every_token_is_found_from_its_first_digit_or_colon(text: str) -> None:
    found, place = list[tuple[int, int]](), 0
    while (token := numbers_module._next(text, place)) is not None:
        found.append(token.span())
        place = token.end()
    assert found == [token.span() for token in numbers_module._TOKEN.finditer(text)]


@given(NUMBERS)
@example("MT84MALTabcdeMTLCASTMTLCASTMTLCA")
def test_numbers_are_looked_for_wherever_they_may_be(text: str) -> None:
    assert masked_numbers(text) == replaced(text)


@given(
    st.lists(
        st.sampled_from(
            ["Ana", "López", "J.", "Anne-Marie", "O'Neil", "Will", "Øre", "李", "İpek", "Sık", "Gauß", "", "."]
        ),
        min_size=1,
    ).map(" ".join),
    st.lists(
        st.sampled_from(
            [
                "ana",
                "LOPEZ",
                "j",
                "Marie",
                "neil",
                "Will.",
                "ore",
                "李",
                "ipek",
                "ſIK",
                "sik",
                "GAUẞ",
                "gauss",
                "Lo\u0301pez",
                "[name]",
                ",",
                "hi",
            ]
        )
    ).map(" ".join),
)
def test_a_name_is_looked_for_wherever_it_may_be(name: str, text: str) -> None:
    pattern = names_pattern((name,))
    masked = pattern.sub(lambda found: found["kept"] or "[name]", text) if pattern is not None else text
    assert masked == text or may_name((name,), text)


@given(
    st.one_of(st.integers(1, 10**12 - 1), st.integers(10**18, 2 * 10**18), st.integers(1_600_000_000_000, 2 * 10**12)),
    st.sampled_from(["", "ticket-", "acme:chat/", "conv_"]),
)
def test_identifiers_that_are_counted_up_stay(number: int, prefix: str) -> None:
    assert masked_id(f"{prefix}{number}") == f"{prefix}{number}"


@given(st.uuids(), st.sampled_from(["", "conv_", "eu-chat-"]), st.booleans())
def test_identifiers_that_are_made_up_stay(made: uuid.UUID, prefix: str, plain: bool) -> None:
    identifier = prefix + (made.hex if plain else str(made))
    assert masked_id(identifier) == identifier
    assert masked_id(prefix + made.hex[:24]) == prefix + made.hex[:24]


@pytest.mark.parametrize(
    "identifier",
    ["ana@example.org/3", "+491701234567", "0170 1234567", "user-0170-1234567", "192.168.1.20", "4111-1111-1111-1111",
     "4111111111111111", "ticket-4111111111111111", "378282246310005",
     "DE89370400440532013000"],
)  # fmt: skip
def test_identifiers_that_lead_to_a_person_do_not_stay(identifier: str) -> None:
    masked = masked_id(identifier)
    assert masked != identifier and masked == masked_id(identifier) != masked_id(identifier + "/2")
    assert re.search(r"\[(email|phone|ip|card|iban)\]", masked)


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("claude-3-5-sonnet-20241022", "claude-3-5-sonnet-20241022"), ("virginia", "virginia"), ("gold", "gold"),
        ("plan of Virginia Woolf", "plan of [name]"), ("for ana@example.org", "for [email]"), ("Woolf", "Woolf"),
        ("Woolf's own", "[name]'s own"), ("model of 20241022", "model of 20241022"),
        ("+49 170 1234567", "[phone]"),
    ],
)  # fmt: skip
def test_labels_stay_what_rules_go_by(label: str, expected: str) -> None:
    assert redact_label(label, ("Virginia Woolf",)) == expected
