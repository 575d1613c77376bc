"""The lexicon: what counts as asking for a human, as urgent, as a dispute. One record an entry, one file a theme.

The records are `lexicon/*.yaml`; how to write one is `lexicon/README.md`. They are read and checked at first use.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, reduce
from importlib.resources import files
from itertools import repeat
from operator import or_
from typing import Annotated, Any, Literal, get_args

import msgspec

from handoff.errors import BadPolicy, nearest
from handoff.signals.data import read_list, read_yaml
from handoff.signals.phrase import BadPhrase, Groups, Phrase, compile_phrase
from handoff.signals.words import contractions, double_letters

Reader = Literal["customer", "assistant"]

# Raise it when the same lexicon and the same text give another reading. tests/signals/test_golden.py notices.
READING_VERSION = 2

MIN_EXAMPLES = 4
MIN_LETTERS_FOR_SLIPS = 5

Examples = Annotated[tuple[str, ...], msgspec.Meta(min_length=MIN_EXAMPLES)]


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that a message may say. The fields are those of the data file; `lexicon/README.md` describes them."""

    id: Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z_]*$")]
    title: str
    reads: Reader
    phrases: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    in_other_languages: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    negation: Literal["silences", "ignored"] = "silences"
    quoted: Literal["silences", "counts"] = "silences"
    counts: Literal["places", "words"] = "places"
    slips: Literal["mended", "kept"] = "kept"
    fires_on: Examples
    quiet_on: Examples


@dataclass(frozen=True, slots=True)
class CompiledEntry:
    """An entry with its phrases as patterns."""

    entry: Entry
    phrases: tuple[Phrase, ...]
    unless: tuple[Phrase, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A phrase that may match: its entry's place, and which sets of words it cannot do without, as bits."""

    index: int
    phrase: Phrase
    needs: int


@dataclass(frozen=True, slots=True)
class Phrases:
    """The phrases of all entries for one reader.

    `anchors` leads from a word to the phrases that may match where it occurs, each with what it needs, `unless` from an
    entry's place to the phrases that cancel it. `needs` is all that any of them needs.
    """

    anchors: Mapping[str, tuple[tuple[int, Candidate], ...]]
    unless: Mapping[int, tuple[Candidate, ...]]
    needs: int


@dataclass(frozen=True, slots=True)
class Lexicon:
    """All entries, and what the tokeniser takes from them.

    `spelling` maps a token to the words it stands for, `vocabulary` holds every word of a phrase; `parts` has the bits
    of a word: which of the sets that phrases need it is in.
    """

    entries: tuple[CompiledEntry, ...]
    spelling: Mapping[str, tuple[str, ...]]
    vocabulary: frozenset[str]
    phrases: Mapping[str, Phrases]
    parts: Mapping[str, int]

    def held(self, words: Iterable[str]) -> int:
        """The bits of all words together: the sets that phrases need of which one of the words is."""
        return reduce(or_, map(self.parts.get, words, repeat(0)), 0)

    def known(self, word: str) -> bool:
        """Whether a word is one that a phrase may hold, or a common one with a double letter."""
        return word in self.vocabulary


@cache
def lexicon() -> Lexicon:
    """The shipped lexicon, read at first use. Raises `BadPolicy` naming file, entry and field."""
    folder = files("handoff.signals").joinpath("lexicon")
    names = sorted(f.name for f in folder.iterdir() if f.name.endswith(".yaml") and f.name != "groups.yaml")
    sources = {name: read_yaml(f"lexicon/{name}") for name in names}
    return build(sources, read_yaml("lexicon/groups.yaml"))


@cache
def lexicon_version() -> str:
    """A short digest of everything that a reading depends on: entries, word lists and the version of the code."""
    digest = hashlib.sha256(f"reading {READING_VERSION}\n".encode())
    for folder in ("lexicon", "wordlists"):
        root = files("handoff.signals").joinpath(folder)
        for name in sorted(f.name for f in root.iterdir() if f.name.endswith(".yaml")):
            digest.update(name.encode() + msgspec.json.encode(read_yaml(f"{folder}/{name}"), order="sorted"))
    return digest.hexdigest()[:12]


def build(sources: Mapping[str, Any], groups: Any) -> Lexicon:
    """A lexicon from the contents of its files. Raises `BadPolicy` naming file, entry, field and remedy."""
    named = _groups(groups)
    compiled: dict[str, CompiledEntry] = {}
    for file, records in sources.items():
        if not isinstance(records, list):
            raise BadPolicy(f"{file}: holds {type(records).__name__}; expected a list of entries")
        for record in records:
            entry = _entry(file, record)
            if entry.id in compiled:
                raise BadPolicy(f"{file}, entry '{entry.id}': the id is used twice; rename one of the two")
            compiled[entry.id] = _compiled(file, entry, named)
    return _lexicon(tuple(compiled.values()))


def _groups(value: Any) -> Groups:
    try:
        return msgspec.convert(value, dict[str, tuple[str, ...]])
    except msgspec.ValidationError as error:
        raise BadPolicy(f"groups.yaml: {error}; expected a list of words under each name") from None


def _entry(file: str, record: Any) -> Entry:
    name = record.get("id", "without an id") if isinstance(record, dict) else record
    if isinstance(record, dict):
        unknown = next((key for key in record if key not in Entry.__struct_fields__), None)
        if unknown is not None:
            remedy = nearest(str(unknown), Entry.__struct_fields__)
            raise BadPolicy(f"{file}, entry '{name}': unknown field '{unknown}'{remedy}")
    try:
        return msgspec.convert(record, Entry)
    except msgspec.ValidationError as error:
        raise BadPolicy(f"{file}, entry '{name}': {_described(record, error)}") from None


def _described(record: Any, error: msgspec.ValidationError) -> str:
    text, _, path = str(error).partition(" - at `$")
    field = path.strip("`.").split("[")[0]
    if text.startswith("Invalid enum value") and isinstance(record, dict):
        annotation = next(f.type for f in msgspec.structs.fields(Entry) if f.name == field)
        return f"{field}: {record[field]!r} is not a choice{nearest(str(record[field]), annotation.__args__)}"
    return f"{field}: {text}" if field else text


def _compiled(file: str, entry: Entry, groups: Groups) -> CompiledEntry:
    return CompiledEntry(
        entry,
        tuple(_phrase(file, entry.id, "phrases", written, groups) for written in entry.phrases)
        + tuple(_phrase(file, entry.id, "in_other_languages", w, groups) for w in entry.in_other_languages),
        tuple(_phrase(file, entry.id, "unless", written, groups) for written in entry.unless),
    )


def _phrase(file: str, entry: str, field: str, written: str, groups: Groups) -> Phrase:
    try:
        return compile_phrase(written, groups)
    except BadPhrase as error:
        raise BadPolicy(f"{file}, entry '{entry}', {field}, '{written}': {error}") from None


def _lexicon(entries: tuple[CompiledEntry, ...]) -> Lexicon:
    vocabulary = frozenset().union(*(p.words for c in entries for p in (*c.phrases, *c.unless)))
    mended = {
        w for c in entries if c.entry.slips == "mended" for p in c.phrases[: len(c.entry.phrases)] for w in p.words
    }
    bits: dict[frozenset[str], int] = {}
    phrases = {reader: _phrases(entries, reader, bits) for reader in get_args(Reader)}
    parts: dict[str, int] = {}
    for words, bit in bits.items():
        for word in words:
            parts[word] = parts.get(word, 0) | bit
    return Lexicon(
        entries=entries,
        spelling={**slips(mended, vocabulary | double_letters()), **contractions()},
        vocabulary=vocabulary | double_letters(),
        phrases=phrases,
        parts=parts,
    )


def _phrases(entries: tuple[CompiledEntry, ...], reader: Reader, bits: dict[frozenset[str], int]) -> Phrases:
    """The phrases for one reader; sets of words that they need and that have no bit yet are given one."""

    def candidate(index: int, phrase: Phrase, sets: Iterable[frozenset[str]]) -> Candidate:
        return Candidate(index, phrase, sum({bits.setdefault(words, 1 << len(bits)) for words in sets}))

    anchors: dict[str, list[tuple[int, Candidate]]] = {}
    unless: dict[int, tuple[Candidate, ...]] = {}
    for index, compiled in enumerate(entries):
        if compiled.entry.reads != reader:
            continue
        unless[index] = tuple(candidate(index, p, (p.anchors, *p.others)) for p in compiled.unless)
        for phrase in compiled.phrases:
            found = candidate(index, phrase, phrase.others)
            for word in phrase.anchors:
                anchors.setdefault(word, []).append((found.needs, found))
    needs = reduce(or_, [needs for found in anchors.values() for needs, _ in found], 0)
    return Phrases({word: tuple(found) for word, found in anchors.items()}, unless, needs)


def slips(words: Iterable[str], taken: frozenset[str]) -> dict[str, tuple[str, ...]]:
    """Common slips of the finger and the word that was meant: "refnud", "refud" and "reffund" are refund.

    Two neighbours swapped, one inner letter dropped, one inner letter doubled; in words of five letters or more.
    A slip that is a word of its own ("trail", "manger"), or could be of two words, is left alone; a swap is likelier
    than a dropped letter, and that than a doubled one.
    """
    real = frozenset(read_list("not_slips")) | taken
    long = sorted({w for w in words if len(w) >= MIN_LETTERS_FOR_SLIPS and w.isalpha() and w.isascii()})
    table: dict[str, tuple[str, ...]] = {}
    for slips_of in (_swapped, _dropped, _doubled):
        meant: dict[str, set[str]] = {}
        for word in long:
            for slip in slips_of(word) - real:
                if slip not in table:
                    meant.setdefault(slip, set()).add(word)
        table.update({slip: tuple(found) for slip, found in meant.items() if len(found) == 1})
    return table


def _swapped(word: str) -> set[str]:
    return {word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in range(len(word) - 1)} - {word}


def _dropped(word: str) -> set[str]:
    return {word[:i] + word[i + 1 :] for i in range(1, len(word) - 1)}


def _doubled(word: str) -> set[str]:
    return {word[:i] + word[i] + word[i:] for i in range(1, len(word))}
