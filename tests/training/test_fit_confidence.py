"""Which replies count as having helped, and what becomes of a version's confidence."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from handoff.errors import BadInput, NotEnoughData
from handoff.rules.confidence import Label
from handoff.training.fit_confidence import check_label, fit_confidence, labelled_replies, out_of_fold
from handoff.transcript import Conversation
from tests.build import conversation

ASK = {"customer": "Where is the export?"}
REPLY = {"assistant": "It is under Settings.", "confidence": 0.9, "assistant_version": "v1"}
AGAIN = {"customer": "That does not help at all."}
THANKS = {"customer": "Found it, thank you."}
RESOLVED = {"system": "", "event": "resolved"}
AGENT = {"agent": "Hello, I am here."}


def judged(label: Label, parts: list[dict[str, Any]], **fields: Any) -> list[tuple[int, int]]:
    """(position of the reply, 1 where it helped)."""
    return [(moment.index, helped) for moment, helped in labelled_replies(conversation(*parts, **fields), label)]


@pytest.mark.parametrize(
    ("parts", "outcome", "by_outcome", "by_next"),
    [
        pytest.param([ASK, REPLY, THANKS, RESOLVED], None, [(1, 1)], [(1, 1)], id="thanked and resolved"),
        pytest.param([ASK, REPLY, AGAIN, REPLY, RESOLVED], None, [(1, 1), (3, 1)], [(1, 0), (3, 1)], id="denied once"),
        pytest.param([ASK, REPLY, ASK, AGENT], None, [(1, 0)], [(1, 0)], id="asked again, then handed over"),
        pytest.param([ASK, REPLY, AGENT, REPLY], None, [(1, 0)], [(1, 0)], id="handed over at once"),
        pytest.param(
            [ASK, REPLY, AGENT, THANKS], None, [(1, 0)], [(1, 0)], id="what follows the hand-off is not its own"
        ),
        pytest.param([ASK, REPLY], {"resolved": True}, [(1, 1)], [(1, 1)], id="the outcome says resolved"),
        pytest.param([ASK, REPLY], {"resolved": False}, [(1, 0)], [(1, 0)], id="the outcome says unresolved"),
        pytest.param([ASK, REPLY], {"abandoned": True}, [(1, 0)], [(1, 0)], id="the customer gave up"),
        pytest.param([ASK, REPLY], {"escalated": True}, [(1, 0)], [(1, 0)], id="handed over after the last message"),
        pytest.param([ASK, REPLY], None, [], [], id="nobody knows"),
        pytest.param([ASK, REPLY, REPLY], {"resolved": True}, [(1, 1), (2, 1)], [(2, 1)], id="two replies in a row"),
        pytest.param([ASK, {"assistant": "Yes."}], {"resolved": True}, [], [], id="without a confidence"),
        pytest.param(
            [ASK, {**REPLY, "event": "handoff_requested"}, AGENT], None, [], [], id="an announcement is no reply"
        ),
    ],
)
def test_a_reply_helped(
    parts: list[dict[str, Any]],
    outcome: dict[str, Any] | None,
    by_outcome: list[tuple[int, int]],
    by_next: list[tuple[int, int]],
) -> None:
    assert judged("outcome", parts, outcome=outcome) == by_outcome
    assert judged("next_message", parts, outcome=outcome) == by_next


def test_a_reply_of_its_own_label_helped_where_that_is_0() -> None:
    parts = [ASK, {**REPLY, "label": 1}, ASK, {**REPLY, "label": 0}, ASK, REPLY]
    assert judged("label", parts) == [(1, 0), (3, 1)]


def test_an_unknown_label_is_named() -> None:
    with pytest.raises(BadInput, match="did you mean 'outcome'"):
        check_label("outcomes")


def chats(replies: int, version: str | None = "v1", confidence: float = 0.9, failed: int = 2) -> Iterator[Conversation]:
    """One reply a chat; `failed` of every five fail."""
    for number in range(replies):
        parts = [ASK, {**REPLY, "assistant_version": version, "confidence": confidence}]
        yield conversation(
            {"facts": {"customer_id": f"{version}-{number}"}}, *parts,
            conversation_id=f"{version}-{number}", outcome={"resolved": number % 5 >= failed},
        )  # fmt: skip


def test_a_version_that_says_90_percent_and_helps_in_60_is_used_as_60() -> None:
    found = fit_confidence(chats(500), "outcome", "chats.jsonl", 7)
    (fit,) = found.fits
    assert (fit.replies, fit.helped, fit.mean_reported) == (500, 300, pytest.approx(0.9))
    # Log loss as reported: -(.6 log .9 + .4 log .1); of a constant 60 %: -(.6 log .6 + .4 log .4).
    assert fit.log_loss is not None
    assert fit.log_loss["none"] == pytest.approx(-(0.6 * math.log(0.9) + 0.4 * math.log(0.1)), abs=1e-6)
    assert fit.log_loss["sigmoid"] == pytest.approx(-(0.6 * math.log(0.6) + 0.4 * math.log(0.4)), abs=2e-3)
    assert fit.error_reported == pytest.approx(0.3)
    assert fit.error_used == pytest.approx(0.0, abs=0.01)
    used = found.file.used(conversation(ASK, REPLY).messages[1])
    # Platt's targets: (300 + 1) / 302 of those that helped, 1 / 202 of those that did not.
    assert used == pytest.approx((300 * 301 / 302 + 200 / 202) / 500, abs=1e-4)


def test_499_replies_stay_as_reported_and_it_is_said() -> None:
    found = fit_confidence([*chats(500), *chats(499, "v2")], "outcome", "chats.jsonl", 7)
    assert set(found.file.versions) == {"v1"}
    assert found.fits[1].says == "stays as reported: 499 labelled replies; needs at least 500"


def test_a_version_that_means_what_it_says_stays_as_reported() -> None:
    found = fit_confidence(chats(500, confidence=0.6), "outcome", "chats.jsonl", 7)
    assert found.file.versions == {}
    assert (found.fits[0].method, found.fits[0].says) == ("none", "stays as reported: no method had a lower log loss")


def test_replies_that_all_helped_stay_as_reported() -> None:
    found = fit_confidence(chats(500, failed=0), "outcome", "chats.jsonl", 7)
    assert found.fits[0].says.startswith("stays as reported: 0 replies of one kind")


def test_replies_without_a_version_are_counted_and_left_out() -> None:
    found = fit_confidence([*chats(500), *chats(3, None)], "outcome", "chats.jsonl", 7)
    assert (found.without_version, found.fits[0].replies) == (3, 500)


def test_without_a_labelled_reply_it_says_what_it_needs() -> None:
    with pytest.raises(NotEnoughData, match="none of 1 conversations holds a reply with a confidence"):
        fit_confidence([conversation(ASK)], "outcome", "chats.jsonl", 7)


def test_no_row_is_calibrated_by_a_fit_that_has_seen_it() -> None:
    """Each fold's label is the same throughout and the others' the opposite: who has not seen it must be wrong."""
    raw, y = np.zeros(100), np.repeat([0, 1], 50)
    p = out_of_fold(raw, y, y)["sigmoid"]
    assert (p[:50] > 0.9).all() and (p[50:] < 0.1).all()
