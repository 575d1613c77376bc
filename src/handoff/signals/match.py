"""Where the entries of the lexicon occur in the words of a message.

The number of hits of an entry is the number of places where one of its phrases matches: leftmost first, the longest
where several start together, never overlapping. (An entry that counts words counts different ones.) A match does
not count where one of the entry's `unless` phrases covers a part of it, where it is negated, or where it stands
in quotation marks, as the label of a button does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from handoff.signals.data import read_sets
from handoff.signals.lexicon import CompiledEntry, Lexicon
from handoff.signals.negation import MAX_WORDS_BEFORE, is_negated, may_carry_over

# First and last token of a match, the last one excluded.
Span = tuple[int, int]

# Matches reach at most so far to either side of the border between two messages.
MAX_SPANNING_WORDS = 24

# A quotation is a few words. Longer ones are marks for inches, or a letter in full, whose words count.
MAX_QUOTED_WORDS = 12


def hits(words: Sequence[str], role: str, lexicon: Lexicon) -> dict[str, int]:
    """How often each entry that reads this role occurs, entries without a match left out."""
    plain, quoted = _quotations(words) if '"' in words else (words, frozenset())
    tokens = [".", *plain, "."]
    counts: dict[str, int] = {}
    for index, (spans, joined) in _matches(tokens, role, lexicon).items():
        compiled = lexicon.entries[index]
        kept = _counted(spans, tokens, joined, quoted, compiled)
        if kept:
            counts[compiled.entry.id] = _count(kept, tokens, compiled)
    return counts


def hits_across(tail: Sequence[str], words: Sequence[str], role: str, lexicon: Lexicon) -> dict[str, int]:
    """As `hits`, only of matches that begin in `tail` and end in `words`."""
    before = [word for word in tail[-MAX_SPANNING_WORDS:] if word != '"']
    after = [word for word in words[:MAX_SPANNING_WORDS] if word != '"']
    if not before or not after or before[-1] == ".":
        return {}
    tokens = [".", *before, *after, "."]
    border = 1 + len(before)
    counts: dict[str, int] = {}
    for index, (spans, joined) in _matches(tokens, role, lexicon).items():
        compiled = lexicon.entries[index]
        across = [span for span in spans if span[0] < border < span[1]]
        kept = _counted(across, tokens, joined, frozenset(), compiled) if across else []
        if kept:
            counts[compiled.entry.id] = _count(kept, tokens, compiled)
    return counts


def denied_across(
    tail: Sequence[str], words: Sequence[str], found: Iterable[str], role: str, lexicon: Lexicon
) -> frozenset[str]:
    """Those of the entries `found` of which every match is denied by the message before: "it's not", "urgent"."""
    before = [word for word in tail[-MAX_WORDS_BEFORE:] if word != '"']
    plain, quoted = _quotations(words)
    if not may_carry_over(before, plain):
        return frozenset()
    tokens, entries = [".", *plain, "."], set(found)
    together = [*before, *plain, "."]
    denied: set[str] = set()
    for index, (spans, joined) in _matches(tokens, role, lexicon).items():
        compiled = lexicon.entries[index]
        if compiled.entry.id not in entries or compiled.entry.negation != "silences":
            continue
        kept = _counted(spans, tokens, joined, quoted, compiled)
        if all(is_negated(together, len(before) + start - 1, len(before) + end - 1) for start, end in kept):
            denied.add(compiled.entry.id)
    return frozenset(denied)


def _matches(tokens: list[str], role: str, lexicon: Lexicon) -> dict[int, tuple[list[Span], str]]:
    """By entry, every match of its phrases, and the tokens as one string.

    A phrase of which a word is missing is not tried.
    """
    anchors = lexicon.anchors.get(role, {})
    present = set(tokens)
    candidates = {found for word in present & anchors.keys() for found in anchors[word]}
    if not candidates:
        return {}
    joined = " " + " ".join(tokens) + " "
    matches: dict[int, tuple[list[Span], str]] = {}
    for index, phrase in candidates:
        if any(map(present.isdisjoint, phrase.others)):
            continue
        for start, end in phrase.spans(joined):
            matches.setdefault(index, ([], joined))[0].append(_token_span(joined, start, end))
    return matches


def _token_span(joined: str, start: int, end: int) -> Span:
    first = joined.count(" ", 0, start)
    return first, first + joined.count(" ", start, end)


def _counted(
    spans: Iterable[Span], tokens: Sequence[str], joined: str, quoted: frozenset[int], compiled: CompiledEntry
) -> list[Span]:
    """The matches that count: not cancelled, not negated, not quoted; leftmost, then longest, none overlapping."""
    entry = compiled.entry
    cancelled = _covered(joined, compiled)
    kept: list[Span] = []
    last = 0
    for start, end in sorted(spans, key=lambda span: (span[0], -span[1])):
        if start < last or any(start < b and a < end for a, b in cancelled):
            continue
        if entry.quoted == "silences" and start in quoted:
            continue
        if entry.negation == "silences" and is_negated(tokens, start, end):
            continue
        kept.append((start, end))
        last = end
    return kept


def _covered(joined: str, compiled: CompiledEntry) -> list[Span]:
    return [_token_span(joined, start, end) for phrase in compiled.unless for start, end in phrase.spans(joined)]


def _count(spans: list[Span], tokens: Sequence[str], compiled: CompiledEntry) -> int:
    if compiled.entry.counts == "words":
        return len({tuple(tokens[start:end]) for start, end in spans})
    return len(spans)


def _quotations(words: Sequence[str]) -> tuple[list[str], frozenset[int]]:
    """The words without quotation marks, and the places (1 is the first word) that stand between two of them.

    A message that is one quotation, a long one, and what the customer says to have said before are not quoted.
    """
    plain: list[str] = []
    quoted: set[int] = set()
    opened: int | None = None
    for word in words:
        if word != '"':
            plain.append(word)
        elif opened is None:
            opened = len(plain)
        else:
            if not _is_own_speech(plain, opened):
                quoted.update(range(1 + opened, 1 + len(plain)))
            opened = None
    whole = len(quoted) >= sum(word != "." for word in plain)
    return plain, frozenset() if whole else frozenset(quoted)


def _is_own_speech(plain: list[str], opened: int) -> bool:
    return len(plain) - opened > MAX_QUOTED_WORDS or not read_sets("grammar")["saying"].isdisjoint(
        plain[max(0, opened - 4) : opened]
    )
