"""Followed together, conversations have the feature rows that a follower gives them one by one, to the last digit."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from handoff.features import follow
from handoff.features.together import follow_together, may_be_followed
from handoff.simulate import simulate
from handoff.transcript import Conversation
from tests.strategies import conversations


def check(chats: list[Conversation]) -> None:
    expected = [list(follow(chat)) for chat in chats]
    followed = follow_together(chats)
    every = [moment for moments in expected for moment in moments]
    bits = np.array(followed.rows(range(len(every)))).tobytes()  # -0.0 and 0.0 are not the same
    assert bits == np.array([moment.row for moment in every]).tobytes()
    assert followed.ends.tolist() == np.cumsum([len(moments) for moments in expected]).tolist()
    parts = ("index", "message", "owner", "episode", "read", "declined", "customer_texts", "recent")
    for found, moment in zip((m for moments in followed.moments for m in moments), every, strict=True):
        assert [getattr(found, part) for part in parts] == [getattr(moment, part) for part in parts]


def test_simulated_chats() -> None:
    chats = [chat for chat in simulate(80, 4) if may_be_followed(chat)]
    assert len(chats) > 60
    check(chats)


@given(st.lists(conversations().filter(may_be_followed), min_size=1, max_size=4))
def test_any_chats(chats: list[Conversation]) -> None:
    check(chats)
