"""Column by column the features are the ones that a follower gives, to the last digit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoff.features import FEATURE_NAMES, FEATURES, follow
from handoff.features.columns import STATISTICS, Series, features
from handoff.features.recorder import COLUMNS, MENTIONS, record
from handoff.features.table import Running
from handoff.simulate import simulate
from handoff.transcript import Conversation
from tests.strategies import conversations

VALUES = st.none() | st.sampled_from([0.0, 1.0, 2.0, 5.0]) | st.floats(-1, 1)
# By message, whether the signal reads it, and what it says.
EPISODE = st.lists(st.tuples(st.booleans(), VALUES), max_size=12)


@pytest.mark.parametrize("statistic", STATISTICS, ids=lambda statistic: statistic.__name__)
@given(episodes=st.lists(EPISODE, min_size=1, max_size=3))
def test_equals_its_twin(statistic: type, episodes: list[list[tuple[bool, float | None]]]) -> None:
    whole = statistic.__name__ == "Distinct"  # its values are sums of powers of two
    length = max(map(len, episodes))
    values, applies = np.full((length, len(episodes)), np.nan), np.zeros((length, len(episodes)), dtype=bool)
    expected = np.full_like(values, np.nan)
    for column, episode in enumerate(episodes):
        running = statistic()
        for row, (reads, value) in enumerate(episode):
            said = float(int(abs(value))) if whole and value is not None else value
            applies[row, column] = reads
            values[row, column] = np.nan if said is None else said
            if reads:
                running.update(said)
            found = running.value()
            expected[row, column] = np.nan if found is None else found
    made = STATISTICS[statistic](Series(values, applies))
    for column, episode in enumerate(episodes):
        np.testing.assert_array_equal(made[: len(episode), column], expected[: len(episode), column])


def test_every_statistic_of_a_feature_has_a_twin() -> None:
    assert {f.source.statistic for f in FEATURES if isinstance(f.source, Running)} <= STATISTICS.keys()


def test_a_float_holds_all_mentions() -> None:
    assert len(MENTIONS) <= 52


def check(chats: list[Conversation]) -> None:
    expected = [moment.row for chat in chats for moment in follow(chat) if moment.read]
    signals, customers, starts = list[tuple[float, ...]](), list[bool](), list[bool]()
    for moments in record(chats):
        episode = -1
        for moment in moments:
            if moment.read:
                signals.append(moment.row)
                customers.append(moment.message.role == "customer")
                starts.append(moment.episode != episode)
                episode = moment.episode
    columns = np.array(signals, dtype=np.float64).reshape(-1, len(COLUMNS)).T
    made = features(columns, np.array(customers, dtype=bool), np.array(starts, dtype=bool))
    for place, name in enumerate(FEATURE_NAMES):
        np.testing.assert_array_equal(made[place], [row[place] for row in expected], err_msg=name)


def test_equals_following_of_simulated_chats() -> None:
    check(list(simulate(60, 4)))


@given(st.lists(conversations(), max_size=4))
def test_equals_following_of_any_chats(chats: list[Conversation]) -> None:
    check(chats)
