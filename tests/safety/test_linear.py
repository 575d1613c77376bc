"""Every reader of text takes time in proportion to its length, however hostile, and a conversation in proportion to the
number of its messages: four times the text, about four times the work, never sixteen. Work is the processor's time of this thread, compared with itself and tried again."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from handoff.decision import Judge
from handoff.formats.html_text import html_to_text
from handoff.signals import read_all
from handoff.signals.markup import without_markup
from handoff.transcript import Conversation, Message
from handoff.transcript.redact import redact_text

MEGABYTE = 1_000_000
# 4 is linear, 16 is quadratic. What takes less than this is over too soon to be compared, and harmless.
MOST_RATIO, NOTHING_SECONDS = 9.0, 0.05
TRIES = 4
CHARACTERS_A_MESSAGE = 20
START = datetime(2026, 3, 2, tzinfo=UTC)
JUDGE = Judge.by_rules()

PIECES = {
    "letters": "a", "capitals": "A", "digits": "1", "spaces": " ", "lines": "\n", "digits and spaces": "1 ",
    "digits and dots": "1.", "digits and dashes": "1-", "digits and colons": "1:", "plus and digits": "+1 ",
    "e-mail addresses": "ana@example.com ", "half addresses": "a@", "at signs": "@", "an address without end": "a.",
    "quoted local parts": '"a', "spelled addresses": "ana (at) example (dot) com ", "half spelled addresses": "a (at) ",
    "cards": "4111 1111 1111 1111 ", "nearly cards": "4111-1111-1111-1112-", "card digits": "4111111111111112",
    "IBANs": "DE89 3704 0044 0532 0130 00 ", "half IBANs": "DE89 3704 ", "IBANs in a row": "DE89370400440532",
    "IPv4": "1.2.3.", "IPv6": "fe80:", "colons": ":", "hex and colons": "a:b:", "prices": "1,000", "dates": "2026-03-02-",
    "URLs": "https://a.b/c?d=e&", "user infos": "://a", "schemes": "://", "tags": "<a ", "open tags": "<", "comments": "<!--",
    "scripts": "<script>", "entities": "&amp;", "half entities": "&#", "closing": "</", "attributes": "<a b='",
    "attributes without end": "<a href=x ", "attribute names": "<b a-", "spaces in a tag": "<b  ", "inline tags": "<b>x</b>",
    "names of tags": "<blockquote", "half named entities": "&nbs", "named entities": "&nbsp;&lt;b&gt;",
    "code fences": "```\n", "ticks": "`", "quotes": "> > ", "quote marks": '"', "apostrophes": "don't ",
    "brackets": "(", "nested brackets": "([{", "closed brackets": "()", "placeholders": "[email]", "half a placeholder": "[",
    "exclamation": "!", "questions": "?!", "dots": ".", "commas": ", ", "negations": "not ", "n't": "isn't it not ",
    "swear words": "damn ", "shouting": "HELP ME ", "refunds": "I want a refund ", "hardly a phrase": "want to speak to ",
    "legal": "my lawyer will ", "repeated letters": "sooooo ", "smileys": ":) ", "emoji": "😡", "combining": "a\u0301",
    "zero width": "a\u200b", "right to left": "\u202eab", "Chinese": "我要退款", "Spanish": "quiero hablar con ",
    "the name": "Ana ", "half the name": "Ana Lo", "the name in capitals": "ANA LÓPEZ,", "names without spaces": "AnaLópez",
    "null-like": "\ufffd", "tabs": "\t", "long words": "abcdefghij" * 20 + " ", "underscores": "_", "hyphens": "a-",
    "announcements": "I'm connecting you with ", "Unicode spaces": "1\u00a0", "full stops": "a。b．", "slashes": "a/",
}  # fmt: skip


def signals(text: str) -> object:
    """All that is read of one message, without looking it up."""
    return [read_all([(text, None)], role) for role in ("customer", "assistant")]


def conversation(text: str) -> object:
    """The answer on the text cut into messages."""
    parts = [text[at : at + CHARACTERS_A_MESSAGE] for at in range(0, len(text), CHARACTERS_A_MESSAGE)]
    messages = [Message(role=("customer", "assistant")[i % 2], text=part, message_id=f"m{i}",
                        sent_at=START + timedelta(seconds=i)) for i, part in enumerate(parts)]  # fmt: skip
    return JUDGE.answer(Conversation(conversation_id="c-1", messages=tuple(messages)))


# A reader, and the two lengths that are compared; of more than 10,000 characters signals read the ends alone.
READERS: dict[str, tuple[Callable[[str], Any], int, int]] = {
    "redaction with a name": (lambda text: redact_text(text, ("Ana López", "王伟")), MEGABYTE // 16, MEGABYTE // 4),
    "signals": (signals, 2_400, 9_600),
    "a conversation": (conversation, 10_000, 40_000),
    "HTML": (html_to_text, MEGABYTE // 16, MEGABYTE // 4),
    "markup": (without_markup, MEGABYTE // 4, MEGABYTE),
}


def hostile(piece: str, length: int) -> str:
    """The piece again and again, and an end on which a greedy pattern fails."""
    return (piece * (length // len(piece) + 1))[:length] + "\x1f>"


def seconds(reader: Callable[[str], Any], text: str) -> float:
    started = time.thread_time()
    reader(text)
    return time.thread_time() - started


def growth(reader: Callable[[str], Any], piece: str, short: int, long: int) -> float:
    """How many times the work a text of four times the length takes: the least of a few tries, for other programs
    disturb a measurement upwards only. 0 where it takes next to nothing."""
    least = float("inf")
    for _ in range(TRIES):
        taken = seconds(reader, hostile(piece, long))
        if taken < NOTHING_SECONDS:
            return 0.0
        least = min(least, taken / seconds(reader, hostile(piece, short)))
        if least < MOST_RATIO:
            break
    return least


@pytest.mark.parametrize("piece", PIECES.values(), ids=PIECES.keys())
@pytest.mark.parametrize("reader", READERS)
def test_four_times_the_text_is_no_more_than_about_four_times_the_work(reader: str, piece: str) -> None:
    assert growth(READERS[reader][0], piece, *READERS[reader][1:]) < MOST_RATIO


def test_a_planted_quadratic_reader_is_caught() -> None:
    def quadratic(text: str) -> int:
        return sum(text.count(text[0], at) for at in range(0, len(text), 4))

    assert growth(quadratic, "a", 10_000, 40_000) > MOST_RATIO


@pytest.mark.timeout(120)
@pytest.mark.parametrize("reader", READERS)
def test_a_megabyte_of_everything_passes(reader: str) -> None:
    assert READERS[reader][0](hostile("".join(PIECES.values()), MEGABYTE)) is not None
