"""Precision and recall of the triggers on public sets of single queries whose intents call for one.

Which intent calls for which trigger is `triggers.yaml`. The intent is that of the whole query, not of its words: a
query that needs a human ("CHAT_WITH_AGENT") need not ask for one, which is why recall there is no ceiling of 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import msgspec

from handoff.analytics.shares import Share
from handoff.decision import Judge
from handoff.formats.queries import read_banking77, read_clinc150, read_hint3
from handoff.formats.record import Found
from handoff.metrics import Interval
from handoff.quality.language import Mark, fired_rules, score
from handoff.quality.row import Row
from handoff.quality.settings import QualitySettings

PROXY = "what the query is about calls for the trigger"
INTERVAL = "Wilson"
READERS = {"hint3": read_hint3, "banking77": read_banking77, "clinc150": read_clinc150}
# CLINC150 keeps its splits in one file; the names of its test queries begin so.
CLINC_TEST = ("clinc150-test-", "clinc150-oos_test-")


class Calls(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Intents on which a trigger should fire, and those that count for nothing."""

    calls: frozenset[str]
    may: frozenset[str]


class QuerySet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A set's folder, the file of its test split in there, and what its intents call for, by trigger."""

    folder: str
    test: str
    triggers: dict[str, Calls]


def rows(data: Path, settings: QualitySettings) -> Iterator[Row]:
    """Precision, recall and quiet share of every trigger on the test split of every set that calls for one."""
    judge = Judge.by_rules()
    for name, of in query_sets().items():
        marks = tuple(marks_of(of, data, judge))
        settings.step()
        for trigger in of.triggers:
            found = score(mark for mark in marks if mark.rule == trigger)
            shares = {"recall": found.recall, "precision": found.precision, "quiet where it must be": found.quiet}
            yield from (_row(name, trigger, metric, of_) for metric, of_ in shares.items() if of_.of)


def query_sets() -> dict[str, QuerySet]:
    """What the intents of the sets call for, as it was fixed."""
    text = files("handoff.quality").joinpath("triggers.yaml").read_bytes()
    return msgspec.yaml.decode(text, type=dict[str, QuerySet])


def marks_of(of: QuerySet, data: Path, judge: Judge) -> Iterator[Mark]:
    """One mark for every test query and trigger, those left out on which the trigger may fire."""
    for name, text, intent in queries(of.folder, data / of.folder / of.test):
        fired = fired_rules((text,), judge)
        for trigger, intents in of.triggers.items():
            if intent not in intents.may:
                yield Mark(name, trigger, of.folder, "en", intent in intents.calls, trigger in fired)


def queries(folder: str, path: Path) -> Iterator[tuple[str, str, str]]:
    """Name, text and intent of every test query."""
    for record in READERS[folder](path):
        if not isinstance(record, Found):
            continue
        conversation = record.conversation
        if folder == "clinc150" and not conversation.conversation_id.startswith(CLINC_TEST):
            continue
        intent = conversation.outcome.reason if conversation.outcome else None
        yield conversation.conversation_id, conversation.messages[0].text, intent or ""


def _row(name: str, trigger: str, metric: str, found: Share) -> Row:
    return Row(
        set=name,
        task=f"{trigger}, {found.count} of {found.of}",
        proxy_for=PROXY,
        metric=metric,
        ours=Interval(found.share, found.low, found.high),
        interval=INTERVAL,
    )
