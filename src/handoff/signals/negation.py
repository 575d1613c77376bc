"""Whether a match is denied: "not urgent", "did not crash", "no refund needed", "I don't want to cancel"."""

from __future__ import annotations

from collections.abc import Sequence

from handoff.signals.data import read_sets

MAX_WORDS_BEFORE = 6
MAX_WORDS_AFTER = 5


def is_negated(tokens: Sequence[str], start: int, end: int) -> bool:
    """Whether the tokens from `start` to `end` are denied by what stands before or after them in the clause."""
    return _denied_before(tokens, start) or _denied_after(tokens, end)


def may_carry_over(before: Sequence[str], after: Sequence[str]) -> bool:
    """Whether a denial at the end of one message may reach into the next: "it's not", "urgent".

    It does not where the first message ends a sentence or answers ("no", "urgent"), or the next one begins its own.
    """
    words = read_sets("negation")
    if not before or not after or before[-1] in (".", ",") or before[-1] in words["answers"]:
        return False
    return after[0] not in words["begins_anew"] and not words["denying"].isdisjoint(before)


def _denied_before(tokens: Sequence[str], start: int) -> bool:
    """Whether a denial reaches the match: only words that carry it on ("not that", "do not want to") lie between."""
    words = read_sets("negation")
    place = start - 1
    while place >= max(start - MAX_WORDS_BEFORE, 0):
        token = tokens[place]
        if token in words["denying"]:
            return not _denies_nothing(tokens, place)
        if token in ("or", "nor"):  # "not urgent or critical": the word before it is denied, too
            place -= 1
        elif token not in words["carrying"]:
            return False
        place -= 1
    return False


def _denies_nothing(tokens: Sequence[str], place: int) -> bool:
    """A "not" that asks ("can't I …?", "isn't this …?"), that fails ("can not …") or that adds ("not only"), and
    a "no" that answers ("no I want …", "no please …")."""
    words = read_sets("negation")
    following = tokens[place + 1] if place + 1 < len(tokens) else "."
    if tokens[place] == "no":
        return following in words["after_an_answer"]
    if tokens[place] != "not":
        return False
    before = tokens[place - 1] if place else "."
    # "isn't this …" asks, "this isn't that …" does not: a question begins with the auxiliary.
    begins = place < 2 or tokens[place - 2] in words["before_a_question"]
    asks = begins and before in words["auxiliary"] and following in words["subject"]
    return asks or before in ("can", "could", "why") or following in ("only", "just")


def _denied_after(tokens: Sequence[str], end: int) -> bool:
    """Whether what follows takes it back: "a refund is not needed", "urgent it is not"."""
    words = read_sets("negation")
    after = tokens[end : end + MAX_WORDS_AFTER]
    for place, token in enumerate(after[:3]):
        if token in (".", ","):
            return False
        if token in ("not", "no") and not words["unneeded"].isdisjoint(after[place + 1 : place + 3]):
            return True
    return False
