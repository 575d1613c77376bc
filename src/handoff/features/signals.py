"""The signals that features are computed from: one number a message, or None where it says nothing.

A signal belongs to one side of the conversation (`role`) and looks at one message in its place (`Heard`).
Add a signal here, and a feature over it in `table.py`; nothing else needs to know.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from handoff.features.heard import Heard

# A customer's message this much like one of their last 8 says the same again (tests/signals/test_repetition.py
# holds pairs on both sides of it).
SAYS_THE_SAME = 0.5

# The guide counts replies in a row below 70 % confidence.
LOW_CONFIDENCE = 0.70

# Capitals: at least two shouted words that hold at least 30 % of the letters.
SHOUTED_WORDS, SHOUTED_SHARE = 2, 0.30

# The guide's complexity signals, each a kind of its own.
COMPLEXITY = ("technical_terms", "integrations", "deadline", "detailed_explanation")


@dataclass(frozen=True, slots=True)
class Signal:
    """One number a message of `role` ("customer", "assistant", or "any" of the two).

    `entry` is the lexicon entry whose mention the signal is, and nothing else; None for other signals.
    """

    name: str
    role: Literal["customer", "assistant", "any"]
    read: Callable[[Heard], float | None]
    entry: str | None = None


def mentions(entry: str, role: Literal["customer", "assistant"] = "customer") -> Signal:
    """1 when the message matches the lexicon entry, else 0."""
    return Signal(entry, role, lambda heard: 1.0 if entry in heard.hits else 0.0, entry)


def _low_confidence(heard: Heard) -> float | None:
    confidence = heard.message.confidence
    return None if confidence is None else float(round(confidence, 6) < LOW_CONFIDENCE)


def _knowledge_miss(heard: Heard) -> float | None:
    """1 when a knowledge search found nothing, by its count or by the assistant's own words."""
    if heard.message.knowledge_hits is not None:
        return float(heard.message.knowledge_hits == 0)
    return 1.0 if "found_nothing" in heard.hits else None


def _shouting(heard: Heard) -> float | None:
    reading = heard.reading
    if reading.capital_ratio is None:
        return 0.0
    return float(reading.shouted_words >= SHOUTED_WORDS and reading.capital_ratio >= SHOUTED_SHARE)


def _repeats(heard: Heard) -> float | None:
    said_so = "says_again" in heard.hits
    return float(said_so or (heard.repetition is not None and heard.repetition >= SAYS_THE_SAME))


def _complexity(heard: Heard) -> float | None:
    kinds = sum(1 << bit for bit, entry in enumerate(COMPLEXITY) if entry in heard.hits)
    return float(kinds | (1 << len(COMPLEXITY) if heard.reading.questions >= 2 else 0))


CONFIDENCE = Signal("confidence", "assistant", lambda heard: heard.message.confidence)
LOW_CONFIDENCE_REPLY = Signal("low_confidence_reply", "assistant", _low_confidence)
KNOWLEDGE_MISS = Signal("knowledge_miss", "assistant", _knowledge_miss)
UNCERTAIN = mentions("uncertain", "assistant")
APOLOGY = mentions("apology", "assistant")

SENTIMENT = Signal("sentiment", "customer", lambda heard: heard.reading.sentiment)
CAPITAL_RATIO = Signal("capital_ratio", "customer", lambda heard: heard.reading.capital_ratio)
SHOUTING = Signal("shouting", "customer", _shouting)
EXCLAMATIONS = Signal("exclamation_run", "customer", lambda heard: float(heard.reading.exclamation_run))
QUESTION_MARKS = Signal("question_run", "customer", lambda heard: float(heard.reading.question_run))
QUESTIONS = Signal("questions", "customer", lambda heard: float(heard.reading.questions))

CUSTOMER_REPETITION = Signal("customer_repetition", "customer", lambda heard: heard.repetition)
CUSTOMER_REPEATS = Signal("customer_repeats", "customer", _repeats)
ASSISTANT_REPETITION = Signal("assistant_repetition", "assistant", lambda heard: heard.repetition)
COMPLEXITY_KINDS = Signal("complexity_kinds", "customer", _complexity)

CUSTOMER_WORDS = Signal("customer_words", "customer", lambda heard: float(heard.reading.word_count))
ASSISTANT_WORDS = Signal("assistant_words", "assistant", lambda heard: float(heard.reading.word_count))
CUSTOMER_MESSAGE = Signal("customer_message", "customer", lambda heard: 1.0)
ASSISTANT_MESSAGE = Signal("assistant_message", "assistant", lambda heard: 1.0)
CUSTOMER_RUN = Signal("customer_run", "customer", lambda heard: float(heard.run))
CUSTOMER_NEWEST = Signal("customer_newest", "any", lambda heard: float(heard.message.role == "customer"))
CUSTOMER_GAP = Signal("customer_gap", "customer", lambda heard: heard.gap_seconds)
ASSISTANT_GAP = Signal("assistant_gap", "assistant", lambda heard: heard.gap_seconds)
