"""Where the entries of the lexicon occur in the words of a message.

The number of hits of an entry is the number of places where one of its phrases matches: leftmost first, the longest
where several start together, never overlapping. (An entry that counts words counts different ones.) A match does
not count where one of the entry's `unless` phrases covers a part of it, where it is negated, or where it stands
in quotation marks, as the label of a button does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from handoff.signals.data import read_sets
from handoff.signals.lexicon import Candidate, CompiledEntry, Lexicon, Phrases
from handoff.signals.negation import MAX_WORDS_BEFORE, is_negated, may_carry_over

# First and last token of a match, the last one excluded.
Span = tuple[int, int]

# Matches reach at most so far to either side of the border between two messages.
MAX_SPANNING_WORDS = 24

# A quotation is a few words. Longer ones are marks for inches, or a letter in full, whose words count.
MAX_QUOTED_WORDS = 12


class _Text(NamedTuple):
    """The tokens of a message, the same as one string, the sets of words that it holds one of (as bits, see
    `Lexicon.held`), and which of its tokens are quoted."""

    tokens: list[str]
    joined: str
    held: int
    quoted: frozenset[int]


def hits(words: Sequence[str], role: str, lexicon: Lexicon, held: int | None = None) -> dict[str, int]:
    """How often each entry that reads this role occurs, entries without a match left out.

    `held` is `lexicon.held(words)` where that is known already.
    """
    phrases = lexicon.phrases.get(role)
    held = lexicon.held(words) if held is None else held
    candidates = _candidates(words, held, phrases) if phrases is not None else ()
    if phrases is None or not candidates:
        return {}
    plain, quoted = _quotations(words) if '"' in words else (words, frozenset[int]())
    text = _text([".", *plain, "."], quoted, held)
    counts: dict[str, int] = {}
    for index, spans in _matches(text, candidates).items():
        compiled = lexicon.entries[index]
        kept = _counted(spans, text, compiled, _covered(text, phrases, index))
        if kept:
            counts[compiled.entry.id] = _count(kept, text.tokens, compiled)
    return counts


def hits_across(tail: Sequence[str], words: Sequence[str], role: str, lexicon: Lexicon) -> dict[str, int]:
    """As `hits`, only of matches that begin in `tail` and end in `words`."""
    phrases = lexicon.phrases.get(role)
    before = [word for word in tail[-MAX_SPANNING_WORDS:] if word != '"']
    after = [word for word in words[:MAX_SPANNING_WORDS] if word != '"']
    if phrases is None or not before or not after or before[-1] == ".":
        return {}
    held = lexicon.held((*before, *after))
    text = _text([".", *before, *after, "."], frozenset(), held)
    border = 1 + len(before)
    counts: dict[str, int] = {}
    for index, spans in _matches(text, _candidates(text.tokens, held, phrases)).items():
        compiled = lexicon.entries[index]
        across = [span for span in spans if span[0] < border < span[1]]
        kept = _counted(across, text, compiled, _covered(text, phrases, index)) if across else []
        if kept:
            counts[compiled.entry.id] = _count(kept, text.tokens, compiled)
    return counts


def denied_across(
    tail: Sequence[str], words: Sequence[str], found: Iterable[str], role: str, lexicon: Lexicon
) -> frozenset[str]:
    """Those of the entries `found` of which every match is denied by the message before: "it's not", "urgent"."""
    phrases = lexicon.phrases.get(role)
    before = [word for word in tail[-MAX_WORDS_BEFORE:] if word != '"']
    plain, quoted = _quotations(words)
    if phrases is None or not may_carry_over(before, plain):
        return frozenset()
    held, entries = lexicon.held(plain), set(found)
    text = _text([".", *plain, "."], quoted, held)
    together = [*before, *plain, "."]
    denied: set[str] = set()
    for index, spans in _matches(text, _candidates(plain, held, phrases)).items():
        compiled = lexicon.entries[index]
        if compiled.entry.id not in entries or compiled.entry.negation != "silences":
            continue
        kept = _counted(spans, text, compiled, _covered(text, phrases, index))
        if all(is_negated(together, len(before) + start - 1, len(before) + end - 1) for start, end in kept):
            denied.add(compiled.entry.id)
    return frozenset(denied)


def _text(tokens: list[str], quoted: frozenset[int], held: int) -> _Text:
    return _Text(tokens, f" {' '.join(tokens)} ", held, quoted)


def _candidates(words: Iterable[str], held: int, phrases: Phrases) -> Iterable[Candidate]:
    """The phrases of which no word is missing, each once, in a fixed order. In most texts of an assistant, none."""
    anchors, missing = phrases.anchors, phrases.needs & ~held
    return dict.fromkeys(
        [found for word in words if word in anchors for needs, found in anchors[word] if not needs & missing]
    )


def _matches(text: _Text, candidates: Iterable[Candidate]) -> dict[int, list[Span]]:
    """By entry, every match of its phrases."""
    matches: dict[int, list[Span]] = {}
    for found in candidates:
        for start, end in found.phrase.spans(text.joined):
            matches.setdefault(found.index, []).append(_token_span(text.joined, start, end))
    return matches


def _token_span(joined: str, start: int, end: int) -> Span:
    first = joined.count(" ", 0, start)
    return first, first + joined.count(" ", start, end)


def _counted(spans: list[Span], text: _Text, compiled: CompiledEntry, cancelled: list[Span]) -> list[Span]:
    """The matches that count: not cancelled, not negated, not quoted; leftmost, then longest, none overlapping."""
    entry = compiled.entry
    kept: list[Span] = []
    last = 0
    for start, end in sorted(spans, key=lambda span: (span[0], -span[1])):
        if start < last or any(start < b and a < end for a, b in cancelled):
            continue
        if entry.quoted == "silences" and start in text.quoted:
            continue
        if entry.negation == "silences" and is_negated(text.tokens, start, end):
            continue
        kept.append((start, end))
        last = end
    return kept


def _covered(text: _Text, phrases: Phrases, index: int) -> list[Span]:
    """What the phrases cover that cancel a match of this entry."""
    return [
        _token_span(text.joined, start, end)
        for found in phrases.unless[index]
        if found.needs & text.held == found.needs
        for start, end in found.phrase.spans(text.joined)
    ]


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
