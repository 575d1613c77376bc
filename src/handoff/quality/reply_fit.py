"""How a reply fits what was said before it: shared words, closeness of meaning, repetition, form."""

from __future__ import annotations

from collections.abc import Sequence

from handoff.models.encoder import Embeds
from handoff.models.ngrams import words

QUESTION_WORDS = frozenset(
    ("what", "who", "where", "when", "why", "how", "which", "do", "does", "did", "are", "is", "can", "could", "would")
)


def fit_of(reply: str, bots: Sequence[str], people: Sequence[str], vectors: Embeds) -> list[float]:
    """The reply against earlier ones of bots and against what people said, both oldest first.

    What it answers is what people said last; 0 wherever there is nothing to compare with.
    """
    asked_text = people[-1] if people else ""
    own, asked = words(reply), words(asked_text)
    shared = set(own) & set(asked)
    return [
        float(len(bots) + len(people) + 1),
        float(len(own)),
        float(len(asked)),
        len(shared) / max(1, len(set(own))),
        len(shared) / max(1, len(set(asked))),
        len(set(own)) / max(1, len(own)),
        *_closeness(reply, people, vectors),
        *_closeness(reply, bots, vectors),
        *_closeness(asked_text, people[:-1], vectors),
        max((_overlap(own, words(text)) for text in bots), default=0.0),
        max((_overlap(own, words(text)) for text in people), default=0.0),
        float(bots.count(reply)),
        float(people.count(reply)),
        float("?" in own),
        float("?" in asked),
        float("!" in own),
        float(bool(own) and own[0] in QUESTION_WORDS),
        float(bool(asked) and asked[0] in QUESTION_WORDS),
    ]


def _closeness(text: str, others: Sequence[str], vectors: Embeds) -> tuple[float, float, float]:
    """Cosine of the text to the last of the others, the largest and the mean; 0 without any."""
    if not others:
        return 0.0, 0.0, 0.0
    cosines = vectors.encode(others) @ vectors.encode([text])[0]
    return float(cosines[-1]), float(cosines.max()), float(cosines.mean())


def _overlap(a: Sequence[str], b: Sequence[str]) -> float:
    """Shared words over all words (Jaccard)."""
    return len(set(a) & set(b)) / max(1, len(set(a) | set(b)))
