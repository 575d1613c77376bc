"""Every feature, declared once: the same table serves training, rules, explanations and documentation.

To add one, add an entry. Its name says what is counted, unit included; `title` is a sentence for an analyst that
also says when it is missing; `says` is what an agent reads, and may show any feature of the same row;
`direction` is +1 or -1 where more of it can only raise or lower the risk (a monotone constraint of the model);
`reason` is the reason for a hand-off that it speaks for. The battery in tests/features runs over every entry.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from handoff.features import signals as s
from handoff.features.statistics import (
    Distinct,
    FallFromPeak,
    Last,
    LongestStreak,
    Maximum,
    Mean,
    Minimum,
    MissingShare,
    Recent,
    Since,
    Slope,
    Statistic,
    Streak,
    Total,
)
from handoff.transcript import Customer

Family = Literal[
    "confidence",
    "knowledge",
    "sentiment",
    "loudness",
    "wording",
    "repetition",
    "shape",
    "time",
    "account",
    "rating",
    "text",
]
Direction = Literal[-1, 0, 1]


@dataclass(frozen=True, slots=True)
class Running:
    """A running statistic over one signal."""

    signal: s.Signal
    statistic: Callable[[], Statistic]


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact about the customer, known when the conversation started."""

    read: Callable[[Customer], float | None]


@dataclass(frozen=True, slots=True)
class State:
    """A number that the episode's tracker holds itself: the minutes open, the newest rating."""

    attribute: Literal["minutes_open", "rating"]


@dataclass(frozen=True, slots=True)
class Said:
    """What a trained model reads from the wording itself (`handoff.models.slots`): no column of a row."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One number about the conversation so far."""

    name: str
    family: Family
    source: Running | Fact | State | Said
    title: str
    says: str
    direction: Direction = 0
    reason: str | None = None


def _known(name: str) -> Fact:
    """The fact as a number, yes and no as 1 and 0; None when nothing is known."""
    return Fact(lambda customer: None if getattr(customer, name) is None else float(getattr(customer, name)))


def _mentioned(entry: str, title: str, says: str, *, direction: Direction = 0, reason: str | None = None) -> Feature:
    """The number of the customer's messages that match a lexicon entry."""
    source = Running(s.mentions(entry), Total)
    return Feature(f"{entry}_count", "wording", source, title, says, direction, reason)


FEATURES: tuple[Feature, ...] = (
    # What the assistant reports of itself.
    Feature(
        "confidence_last", "confidence", Running(s.CONFIDENCE, Last),
        "The AI's confidence in its latest reply that reports one; missing until one does.",
        "AI confidence is {confidence_last:.0%}", -1, "ai_uncertainty",
    ),
    Feature(
        "confidence_mean", "confidence", Running(s.CONFIDENCE, Mean),
        "The AI's mean confidence over its replies; missing until one reports it.",
        "AI confidence averages {confidence_mean:.0%}", -1, "ai_uncertainty",
    ),
    Feature(
        "confidence_min", "confidence", Running(s.CONFIDENCE, Minimum),
        "The AI's lowest confidence in any reply; missing until one reports it.",
        "AI confidence was as low as {confidence_min:.0%}", -1, "ai_uncertainty",
    ),
    Feature(
        "confidence_peak", "confidence", Running(s.CONFIDENCE, Maximum),
        "The AI's highest confidence in any reply; missing until one reports it.",
        "AI confidence never passed {confidence_peak:.0%}", 0, "ai_uncertainty",
    ),
    Feature(
        "confidence_slope", "confidence", Running(s.CONFIDENCE, Slope),
        "Change of the AI's confidence a reply, by least squares; missing until two replies report it.",
        "AI confidence changes by {confidence_slope:+.0%} a reply", -1, "ai_uncertainty",
    ),
    Feature(
        "confidence_fall", "confidence", Running(s.CONFIDENCE, FallFromPeak),
        "Fall of the AI's confidence from its highest reply to its latest; missing until it reports one.",
        "AI confidence fell from {confidence_peak:.0%} to {confidence_last:.0%}", 1, "ai_uncertainty",
    ),
    Feature(
        "confidence_low_streak", "confidence", Running(s.LOW_CONFIDENCE_REPLY, Streak),
        "Replies in a row with a confidence below 70 %, up to the latest; 0 before the first.",
        "{confidence_low_streak:.0f} replies in a row below 70% confidence", 1, "ai_uncertainty",
    ),
    Feature(
        "confidence_low_streak_longest", "confidence", Running(s.LOW_CONFIDENCE_REPLY, LongestStreak),
        "The longest run of replies with a confidence below 70 %; 0 before the first.",
        "{confidence_low_streak_longest:.0f} replies in a row were below 70% confidence", 1, "ai_uncertainty",
    ),
    Feature(
        "confidence_missing_share", "confidence", Running(s.CONFIDENCE, MissingShare),
        "Share of the AI's replies that report no confidence; missing before the first reply.",
        "{confidence_missing_share:.0%} of the AI's replies report no confidence",
    ),
    # What the assistant does not know.
    Feature(
        "uncertain_replies", "knowledge", Running(s.UNCERTAIN, Total),
        "The AI's replies that say it does not know or is not sure; 0 before the first.",
        "The AI said {uncertain_replies:.0f}× that it does not know", 1, "ai_uncertainty",
    ),
    Feature(
        "uncertain_since", "knowledge", Running(s.UNCERTAIN, Since),
        "Replies since the AI last said it does not know; missing until it does.",
        "The AI was uncertain {uncertain_since:.0f} replies ago", 0, "ai_uncertainty",
    ),
    Feature(
        "knowledge_misses", "knowledge", Running(s.KNOWLEDGE_MISS, Total),
        "Replies whose knowledge search found nothing, by its count or by the AI's words; 0 before the first.",
        "The AI searched its knowledge and found nothing ({knowledge_misses:.0f}×)", 1, "ai_uncertainty",
    ),
    Feature(
        "apologies", "knowledge", Running(s.APOLOGY, Total),
        "The AI's replies that apologise; 0 before the first.",
        "The AI apologised {apologies:.0f}×", 0, "customer_frustration",
    ),
    # How the customer feels.
    Feature(
        "sentiment_last", "sentiment", Running(s.SENTIMENT, Last),
        "Sentiment of the customer's latest message, -1 to 1 (VADER); missing for a language that it does not know.",
        "The customer's latest message reads {sentiment_last:+.2f} on a scale from -1 to +1", -1,
        "customer_frustration",
    ),
    Feature(
        "sentiment_mean", "sentiment", Running(s.SENTIMENT, Mean),
        "Mean sentiment of the customer's messages, -1 to 1; missing for a language that it does not know.",
        "The customer's messages read {sentiment_mean:+.2f} on average", -1, "customer_frustration",
    ),
    Feature(
        "sentiment_recent", "sentiment", Running(s.SENTIMENT, Recent),
        "Sentiment of the customer's newest messages, each weighing half of the next; missing like the others.",
        "The customer's newest messages read {sentiment_recent:+.2f}", -1, "customer_frustration",
    ),
    Feature(
        "sentiment_min", "sentiment", Running(s.SENTIMENT, Minimum),
        "Sentiment of the customer's most negative message, -1 to 1; missing for a language that it does not know.",
        "The customer's most negative message reads {sentiment_min:+.2f}", -1, "customer_frustration",
    ),
    Feature(
        "sentiment_slope", "sentiment", Running(s.SENTIMENT, Slope),
        "Change of sentiment a customer message, by least squares; missing until two can be read.",
        "The customer's sentiment changes by {sentiment_slope:+.2f} a message", -1, "customer_frustration",
    ),
    # How loud the customer is.
    Feature(
        "capital_ratio_last", "loudness", Running(s.CAPITAL_RATIO, Last),
        "Share of shouted letters in the customer's latest message, acronyms apart; missing without letters.",
        "{capital_ratio_last:.0%} of the latest message is in capitals", 1, "customer_frustration",
    ),
    Feature(
        "capital_ratio_max", "loudness", Running(s.CAPITAL_RATIO, Maximum),
        "Largest share of shouted letters in a customer message, acronyms apart; missing without letters.",
        "Up to {capital_ratio_max:.0%} of a message is in capitals", 1, "customer_frustration",
    ),
    Feature(
        "shouting_count", "loudness", Running(s.SHOUTING, Total),
        "The customer's messages that shout: two capital words or more, three tenths of the letters; 0 if none.",
        "The customer shouts in {shouting_count:.0f} messages", 1, "customer_frustration",
    ),
    Feature(
        "exclamation_run_max", "loudness", Running(s.EXCLAMATIONS, Maximum),
        "Longest run of exclamation marks in a customer message; missing before the first message.",
        "{exclamation_run_max:.0f} exclamation marks in a row", 0, "customer_frustration",
    ),
    Feature(
        "question_run_max", "loudness", Running(s.QUESTION_MARKS, Maximum),
        "Longest run of question marks in a customer message; missing before the first message.",
        "{question_run_max:.0f} question marks in a row", 0, "customer_frustration",
    ),
    # What the customer says, one feature a lexicon entry (signals/lexicon).
    _mentioned(
        "asks_for_human", "The customer's messages that ask for a human; 0 if none.",
        "The customer asked for a human", direction=1, reason="human_requested",
    ),
    _mentioned(
        "asks_for_manager", "The customer's messages that ask for a manager or supervisor; 0 if none.",
        "The customer asked for a manager", direction=1, reason="human_requested",
    ),
    _mentioned(
        "not_helping", "The customer's messages that say the chat does not help; 0 if none.",
        "The customer says that this does not help", direction=1, reason="human_requested",
    ),
    _mentioned(
        "frustration", "The customer's messages that express frustration; 0 if none.",
        "The customer is frustrated", direction=1, reason="customer_frustration",
    ),
    _mentioned(
        "anger", "The customer's messages that express anger; 0 if none.",
        "The customer is angry", direction=1, reason="customer_frustration",
    ),
    _mentioned(
        "disappointment", "The customer's messages that express disappointment; 0 if none.",
        "The customer is disappointed", direction=1, reason="customer_frustration",
    ),
    _mentioned(
        "negative_about_company", "The customer's messages that speak ill of the service or company; 0 if none.",
        "The customer speaks ill of the service", direction=1, reason="customer_frustration",
    ),
    _mentioned(
        "threat_to_leave", "The customer's messages that threaten to cancel or to review badly; 0 if none.",
        "The customer threatens to leave", direction=1, reason="customer_frustration",
    ),
    _mentioned(
        "urgency", "The customer's messages that call it urgent; 0 if none.",
        "The customer calls it urgent", direction=1, reason="urgent_issue",
    ),
    _mentioned(
        "outage", "The customer's messages that report an outage; 0 if none.",
        "The customer reports an outage", direction=1, reason="urgent_issue",
    ),
    _mentioned(
        "dispute_or_refund", "The customer's messages that dispute a charge or want money back; 0 if none.",
        "The customer disputes a charge or wants a refund", direction=1, reason="billing_dispute",
    ),
    _mentioned(
        "billing_question", "The customer's messages with a problem with or request about billing; 0 if none.",
        "The customer has a billing question", reason="billing_question",
    ),
    _mentioned(
        "account_problem", "The customer's messages about trouble with access or the account; 0 if none.",
        "The customer has trouble with their account", reason="account_issue",
    ),
    _mentioned(
        "legal_compliance", "The customer's messages on legal or compliance matters; 0 if none.",
        "The customer raises a legal or compliance matter", direction=1, reason="legal_compliance",
    ),
    _mentioned(
        "security", "The customer's messages that report a security concern; 0 if none.",
        "The customer reports a security concern", direction=1, reason="security",
    ),
    _mentioned(
        "contract_terms", "The customer's messages on contracts or custom terms; 0 if none.",
        "The customer asks about a contract or custom terms", direction=1, reason="sales",
    ),
    _mentioned(
        "policy_exception", "The customer's messages that ask for an exception; 0 if none.",
        "The customer asks for an exception", direction=1, reason="policy_exception",
    ),
    _mentioned(
        "sales_interest", "The customer's messages that show interest in buying or expanding; 0 if none.",
        "The customer wants to buy or expand", direction=1, reason="sales",
    ),
    _mentioned(
        "complaint_investigation", "The customer's messages that lodge a complaint; 0 if none.",
        "The customer lodges a complaint", direction=1, reason="complaint",
    ),
    _mentioned(
        "technical_terms", "The customer's messages with technical vocabulary; 0 if none.",
        "The customer uses technical terms", reason="technical_complexity",
    ),
    _mentioned(
        "error_report", "The customer's messages that quote an error; 0 if none.",
        "The customer quotes an error", reason="technical_complexity",
    ),
    _mentioned(
        "integrations", "The customer's messages about an integration or custom setup; 0 if none.",
        "The customer mentions an integration or custom setup", reason="technical_complexity",
    ),
    _mentioned(
        "deadline", "The customer's messages that name a deadline; 0 if none.",
        "The customer has a deadline", direction=1, reason="urgent_issue",
    ),
    _mentioned(
        "detailed_explanation", "The customer's messages that ask for a detailed explanation; 0 if none.",
        "The customer wants a detailed explanation", reason="technical_complexity",
    ),
    _mentioned(
        "feature_request", "The customer's messages that ask for a feature; 0 if none.",
        "The customer asks for a feature", reason="feature_request",
    ),
    _mentioned("thanks", "The customer's messages that thank; 0 if none.", "The customer says thanks"),
    _mentioned(
        "problem_solved", "The customer's messages that say it is solved; 0 if none.",
        "The customer says that it is solved", direction=-1,
    ),
    Feature(
        "complexity_kinds", "wording", Running(s.COMPLEXITY_KINDS, Distinct),
        "Kinds of complexity seen: technical terms, integrations, deadline, detailed explanation, several "
        "questions at once; 0 if none.",
        "{complexity_kinds:.0f} signs of a complex matter", 1, "technical_complexity",
    ),
    # Saying it again.
    Feature(
        "customer_repetition_last", "repetition", Running(s.CUSTOMER_REPETITION, Last),
        "Likeness of the customer's latest message to the most alike of their last 8, 0 to 1; missing at first.",
        "The customer's latest message repeats an earlier one ({customer_repetition_last:.0%} alike)", 0,
        "customer_frustration",
    ),
    Feature(
        "customer_repeats_count", "repetition", Running(s.CUSTOMER_REPEATS, Total),
        "The customer's messages that ask the same again, in other words too; 0 if none.",
        "The customer repeated themselves {customer_repeats_count:.0f}×", 1, "customer_frustration",
    ),
    Feature(
        "assistant_repetition_max", "repetition", Running(s.ASSISTANT_REPETITION, Maximum),
        "Largest likeness of a reply by the AI to one of its last 8, 0 to 1; missing until it replied twice.",
        "The AI repeats itself ({assistant_repetition_max:.0%} alike)", 0, "ai_uncertainty",
    ),
    # The shape of the conversation.
    Feature(
        "customer_messages", "shape", Running(s.CUSTOMER_MESSAGE, Total),
        "Messages by the customer; 0 if none.", "{customer_messages:.0f} messages by the customer",
    ),
    Feature(
        "assistant_messages", "shape", Running(s.ASSISTANT_MESSAGE, Total),
        "Replies by the AI; 0 if none.", "{assistant_messages:.0f} replies by the AI",
    ),
    Feature(
        "customer_newest", "shape", Running(s.CUSTOMER_NEWEST, Last),
        "1 when the customer wrote last, 0 when the AI did; missing before the first message.",
        "The customer wrote last",
    ),
    Feature(
        "customer_run_last", "shape", Running(s.CUSTOMER_RUN, Last),
        "Messages in a row that the customer's latest run holds; missing before the first.",
        "The customer wrote {customer_run_last:.0f} messages in a row",
    ),
    Feature(
        "customer_words_last", "shape", Running(s.CUSTOMER_WORDS, Last),
        "Words in the customer's latest message; missing before the first.",
        "{customer_words_last:.0f} words in the latest message",
    ),
    Feature(
        "customer_words_mean", "shape", Running(s.CUSTOMER_WORDS, Mean),
        "Mean words a customer message; missing before the first.",
        "{customer_words_mean:.0f} words a message by the customer",
    ),
    Feature(
        "customer_words_slope", "shape", Running(s.CUSTOMER_WORDS, Slope),
        "Change of the words a customer message, by least squares; missing until there are two.",
        "The customer's messages change by {customer_words_slope:+.1f} words each",
    ),
    Feature(
        "assistant_words_last", "shape", Running(s.ASSISTANT_WORDS, Last),
        "Words in the AI's latest reply; missing before the first.",
        "{assistant_words_last:.0f} words in the AI's latest reply",
    ),
    Feature(
        "questions_total", "shape", Running(s.QUESTIONS, Total),
        "Questions that the customer asked; 0 if none.", "The customer asked {questions_total:.0f} questions",
    ),
    # Time.
    Feature(
        "minutes_open", "time", State("minutes_open"),
        "Minutes since the episode began; missing without times.", "Open for {minutes_open:.0f} minutes", 0,
        "long_conversation",
    ),
    Feature(
        "customer_gap_last", "time", Running(s.CUSTOMER_GAP, Last),
        "Seconds the customer took for their latest message; missing without times.",
        "The customer took {customer_gap_last:.0f} s to write",
    ),
    Feature(
        "customer_gap_mean", "time", Running(s.CUSTOMER_GAP, Mean),
        "Mean seconds before a customer message; missing without times.",
        "The customer takes {customer_gap_mean:.0f} s a message",
    ),
    Feature(
        "assistant_gap_mean", "time", Running(s.ASSISTANT_GAP, Mean),
        "Mean seconds before a reply by the AI; missing without times.",
        "The AI takes {assistant_gap_mean:.0f} s a reply",
    ),
    # The account, as known at the start.
    Feature(
        "vip", "account", _known("vip"), "1 for a VIP customer, 0 for another; missing when unknown.",
        "VIP customer", 0, "account_flag",
    ),
    Feature(
        "enterprise", "account", _known("enterprise"),
        "1 for an enterprise account, 0 for another; missing when unknown.", "Enterprise account", 0, "account_flag",
    ),
    Feature(
        "past_due", "account", _known("past_due"), "1 for an account past due, 0 for another; missing when unknown.",
        "Account past due", 0, "account_flag",
    ),
    Feature(
        "previous_escalations", "account", _known("previous_escalations"),
        "The customer's earlier escalations; missing when unknown.",
        "Earlier escalations: {previous_escalations:.0f}", 1, "repeat_escalation",
    ),
    Feature(
        "account_value_usd", "account", _known("account_value_usd"),
        "What the account is worth a year, in US dollars; missing when unknown.",
        "Account worth ${account_value_usd:,.0f} a year",
    ),
    Feature(
        "satisfaction_average", "account", _known("satisfaction_average"),
        "The customer's average rating so far, 1 to 5; missing when unknown.",
        "The customer's ratings average {satisfaction_average:.1f} of 5", 0, "low_satisfaction",
    ),
    # What the customer rated.
    Feature(
        "rating", "rating", State("rating"),
        "The newest rating in this episode, 1 to 5; missing until one is given.",
        "The customer rated this {rating:.0f} of 5", -1, "low_satisfaction",
    ),
)  # fmt: skip

FEATURE_NAMES: tuple[str, ...] = tuple(feature.name for feature in FEATURES)
