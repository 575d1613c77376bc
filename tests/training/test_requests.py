"""Made-up requests for a human: what they are, whom they belong to, and that nothing is measured on them."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import msgspec
import numpy as np
import pytest

from handoff.features import FEATURE_NAMES
from handoff.signals import read
from handoff.simulate import simulate
from handoff.training import requests
from handoff.training.fit_escalation import _folds as fold_of_conversations
from handoff.training.fit_escalation import fit_escalation
from handoff.training.labels import EscalationTarget, is_about_hand_offs
from handoff.training.rows import REQUEST_SHARE, REQUEST_WEIGHT, Table, table
from tests.build import START, conversation

ASKED = FEATURE_NAMES.index("asks_for_human_count")


@pytest.fixture(scope="module")
def rows() -> Table:
    return table(simulate(160, 3), "escalated", requests=True)


@pytest.mark.parametrize("phrase", requests.PHRASES)
def test_every_phrase_plainly_asks_for_a_human(phrase: str) -> None:
    reading = read(phrase, "customer")
    assert set(reading.hits) == {"asks_for_human"}
    assert reading.exclamation_run == 0 and reading.shouted_words == 0


def test_it_comes_after_what_was_said_so_far() -> None:
    chat = conversation({"customer": "Hi"}, {"assistant": "Hello"}, {"customer": "Later"}, outcome={"resolved": True})
    moment = requests.asked_after(chat, 1, Random(1))
    assert (moment.index, moment.row[ASKED], moment.read) == (2, 1.0, True)
    assert [said.text for said in moment.recent][:2] == ["Hi", "Hello"]
    assert moment.message.text in requests.PHRASES
    assert moment.message.sent_at is not None
    assert (moment.message.sent_at - START).total_seconds() == 30 + requests.SECONDS


def test_a_chat_without_times_gets_none() -> None:
    chat = conversation({"customer": "Hi", "at": 0})
    bare = tuple(msgspec.structs.replace(message, sent_at=None) for message in chat.messages)
    without = msgspec.structs.replace(chat, messages=bare)
    assert requests.asked_after(without, 0, Random(1)).message.sent_at is None


def test_a_share_of_the_conversations_gets_one_and_the_real_rows_stay_as_they_are(rows: Table) -> None:
    plain, made = table(simulate(160, 3), "escalated"), rows.requests
    assert plain.requests is None and made is not None
    assert np.array_equal(plain.X, rows.X, equal_nan=True) and np.array_equal(plain.y, rows.y)
    assert plain.fingerprint == rows.fingerprint
    assert len(made) == len(set(made.of)) == pytest.approx(REQUEST_SHARE * len(rows.sources), rel=0.35)
    assert set(made.y) == {1} and set(made.weight) == {REQUEST_WEIGHT}
    assert (made.X[:, ASKED] >= 1).all()


def test_they_go_with_their_conversation_to_one_side(rows: Table) -> None:
    train = np.arange(len(rows.sources)) % 2 == 0
    part, rest = rows.take(train), rows.take(~train)
    assert part.requests is not None and rest.requests is not None and rows.requests is not None
    assert len(part.requests) + len(rest.requests) == len(rows.requests)
    assert train[part.requests.of].all() and not train[rest.requests.of].any()


def test_no_score_knows_a_request_of_its_own_fold(rows: Table) -> None:
    """The labels of one fold's requests turned round: its rows' scores stay, and those of others do not."""
    assert rows.requests is not None
    fold = fold_of_conversations(rows, 5)
    own = fold[rows.requests.of] == 2
    heavy = replace(rows.requests, weight=np.ones(len(own)))
    turned = replace(heavy, y=np.where(own, 0, 1))
    first, second = (
        fit_escalation(replace(rows, requests=made), "escalated", seed=5, wording=False).out_of_fold
        for made in (heavy, turned)
    )
    same = first == second
    assert len(first) == len(rows), "only real rows are scored"
    assert same[fold[rows.of] == 2].all() and not same.all()


@pytest.mark.parametrize(
    ("target", "within", "taught"),
    [("escalated", None, True), ("needed_human", None, True), ("escalated", 3, False), ("label", None, False),
     ("dissatisfied_next", None, False)],
)  # fmt: skip
def test_only_models_of_hand_offs_are_taught(target: EscalationTarget, within: int | None, taught: bool) -> None:
    assert is_about_hand_offs(target, within) is taught
