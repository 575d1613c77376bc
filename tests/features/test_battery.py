"""Checks that every feature must pass, over all of them without listing them, and proof that each can fail."""

from __future__ import annotations

import math
import pickle
import string
from collections.abc import Iterator
from datetime import timedelta
from typing import get_args

import msgspec
import pytest
from hypothesis import given, settings

from handoff.features import FEATURE_NAMES, FEATURES, Follower, Moment, follow
from handoff.features import follower as follow_module
from handoff.features.table import Direction, Family, Running
from handoff.rules import REASONS
from handoff.simulate import simulate
from handoff.transcript import Conversation, Message
from handoff.transcript.episodes import prefix
from handoff.transcript.redact import redact
from tests.strategies import conversations

Row = tuple[float, ...]


def same(one: Row, other: Row) -> bool:
    return all(a == b or (math.isnan(a) and math.isnan(b)) for a, b in zip(one, other, strict=True))


def differing(one: Row, other: Row) -> list[str]:
    """The names of the features that differ, so that a failure says which."""
    return [
        n
        for n, a, b in zip(FEATURE_NAMES, one, other, strict=True)
        if not (a == b or (math.isnan(a) and math.isnan(b)))
    ]


def rows(conversation: Conversation) -> list[Row]:
    return [moment.row for moment in follow(conversation)]


def one_by_one(conversation: Conversation) -> Iterator[Moment]:
    """Fed message by message, as a live service is; the rating comes with the newest message."""
    masked = redact(conversation)
    follower = Follower(masked.facts, masked.locale)
    for index, message in enumerate(masked.messages):
        last = index == len(masked.messages) - 1
        yield follower.add(message, rating=masked.satisfaction if last else None)


@given(conversation=conversations())
def test_all_at_once_equals_message_by_message(conversation: Conversation) -> None:
    for whole, live in zip(follow(conversation), one_by_one(conversation), strict=True):
        assert differing(whole.row, live.row) == []
        assert differing(whole.row_since_decline, live.row_since_decline) == []
        assert whole.recent == live.recent


@given(conversation=conversations(most=8))
def test_later_messages_change_nothing(conversation: Conversation) -> None:
    assert leaks(conversation) == []


def leaks(conversation: Conversation) -> list[str]:
    """Features whose value after some message depends on what came later."""
    whole = rows(conversation)
    return [
        name
        for known in range(1, len(conversation.messages) + 1)
        for name in differing(whole[known - 1], rows(prefix(conversation, known))[-1])
    ]


@given(conversation=conversations(most=8))
def test_recent_messages_are_those_of_the_episode_so_far(conversation: Conversation) -> None:
    moments = list(follow(conversation))
    for moment in moments:
        said = [m.message for m in moments[: moment.index + 1] if m.read and m.episode == moment.episode]
        assert list(moment.recent) == [message for message in said if message.text][-8:]


def test_a_planted_leak_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A follower that peeks at the conversation's end fails the check above, and names the feature."""
    conversation = next(c for c in simulate(50, 3) if len(c.messages) > 6)
    honest = follow_module.Tracker.row

    def peeking(self: follow_module.Tracker, now: object) -> Row:
        values = list(honest(self, now))  # type: ignore[arg-type]
        values[FEATURE_NAMES.index("customer_messages")] = float(peeking.length)  # type: ignore[attr-defined]
        return tuple(values)

    real = follow_module.names_of

    def noting_the_end(whole: Conversation) -> tuple[str, ...]:
        peeking.length = len(whole.messages)  # type: ignore[attr-defined]
        return real(whole)

    monkeypatch.setattr(follow_module, "names_of", noting_the_end)
    monkeypatch.setattr(follow_module.Tracker, "row", peeking)
    assert set(leaks(conversation)) == {"customer_messages"}


@settings(max_examples=40)
@given(conversation=conversations(), other=conversations())
def test_another_conversation_changes_nothing(conversation: Conversation, other: Conversation) -> None:
    alone = rows(conversation)
    interleaved = []
    strange = follow(other)
    for moment in follow(conversation):
        next(strange, None)
        interleaved.append(moment.row)
    assert all(same(a, b) for a, b in zip(alone, interleaved, strict=True))


@given(conversation=conversations())
def test_shifting_the_clock_changes_nothing(conversation: Conversation) -> None:
    for before, after in zip(rows(conversation), rows(shifted(conversation, timedelta(days=37, hours=5))), strict=True):
        assert [
            n for n, a, b in zip(FEATURE_NAMES, before, after, strict=True) if a != pytest.approx(b, nan_ok=True)
        ] == []


def shifted(conversation: Conversation, by: timedelta) -> Conversation:
    def later(message: Message) -> Message:
        return message if message.sent_at is None else msgspec.structs.replace(message, sent_at=message.sent_at + by)

    return msgspec.structs.replace(conversation, messages=tuple(later(m) for m in conversation.messages))


@given(conversation=conversations())
def test_missing_stays_missing_and_nothing_is_infinite(conversation: Conversation) -> None:
    for row in rows(conversation):
        assert not any(math.isinf(value) for value in row)


def test_an_unknown_customer_and_a_mute_assistant_leave_their_features_missing() -> None:
    bare = Conversation(conversation_id="c", messages=(Message(role="customer", text="Hello", message_id="m1"),))
    row = dict(zip(FEATURE_NAMES, rows(bare)[0], strict=True))
    by_family = {feature.name: feature.family for feature in FEATURES}
    counts = {f.name for f in FEATURES if f.source.__class__ is Running and f.source.statistic().value() == 0}  # type: ignore[union-attr]
    for name, value in row.items():
        if by_family[name] in ("confidence", "account", "rating", "time") and name not in counts:
            assert math.isnan(value), name


@given(conversation=conversations())
def test_what_is_known_can_be_pickled_and_taken_up_again(conversation: Conversation) -> None:
    masked = redact(conversation)
    follower = Follower(masked.facts, masked.locale)
    for message in masked.messages:
        copy = pickle.loads(pickle.dumps(follower))
        assert same(follower.add(message).row, copy.add(message).row)


@given(conversation=conversations())
def test_following_does_not_change_the_conversation(conversation: Conversation) -> None:
    before = msgspec.json.encode(conversation)
    list(follow(conversation))
    assert msgspec.json.encode(conversation) == before


@pytest.mark.parametrize("feature", FEATURES, ids=lambda f: f.name)
class TestEachEntry:
    """What the table itself must hold to."""

    def test_says_shows_only_features(self, feature) -> None:  # type: ignore[no-untyped-def]
        shown = {field for _, field, _, _ in string.Formatter().parse(feature.says) if field}
        assert shown <= set(FEATURE_NAMES)
        assert feature.says.format_map(dict.fromkeys(FEATURE_NAMES, 1.0))

    def test_its_title_is_a_sentence_that_says_when_it_is_missing_or_zero(self, feature) -> None:  # type: ignore[no-untyped-def]
        assert feature.title.endswith(".")
        assert "missing" in feature.title or "0 " in feature.title

    def test_its_family_direction_and_reason_are_known(self, feature) -> None:  # type: ignore[no-untyped-def]
        assert feature.family in get_args(Family)
        assert feature.direction in get_args(Direction)
        assert feature.reason is None or feature.reason in REASONS


def test_names_are_unique() -> None:
    assert len(set(FEATURE_NAMES)) == len(FEATURE_NAMES)
