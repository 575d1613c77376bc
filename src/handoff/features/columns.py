"""The running features of many conversations at once, from what their messages say (`recorder.py`), column by column.

Episodes of like length stand side by side, a column each, and every statistic runs down all of them in the same steps,
in the same order, as `statistics.py` takes them: the numbers are the same to the last digit. A test holds each
statistic to its twin there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from handoff.features import statistics
from handoff.features.recorder import COLUMNS, MENTIONS
from handoff.features.signals import Signal
from handoff.features.table import FEATURE_NAMES, FEATURES, Running

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]


class Series:
    """One signal in many episodes. Arrays of shape (n_messages, n_episodes).

    `applies` tells the messages that the signal reads, `values` what it says there, NaN for nothing.
    """

    def __init__(self, values: Floats, applies: Flags) -> None:
        self.values, self.applies = values, applies
        self.valid: Flags = applies & ~np.isnan(values)

    @cached_property
    def count(self) -> Integers:
        """How many values there are up to each message."""
        return np.cumsum(self.valid, axis=0)

    @cached_property
    def filled(self) -> Floats:
        """The values, 0 where there is none."""
        return np.where(self.valid, self.values, 0.0)

    @cached_property
    def total(self) -> Floats:
        """The sum of the values up to each message."""
        return np.add.accumulate(self.filled, axis=0)

    @cached_property
    def last(self) -> Floats:
        """The newest value at each message; NaN before the first."""
        place = np.maximum.accumulate(np.where(self.valid, np.arange(len(self.values))[:, None], -1), axis=0)
        return np.where(place < 0, np.nan, np.take_along_axis(self.values, np.maximum(place, 0), axis=0))

    @cached_property
    def peak(self) -> Floats:
        """The highest value up to each message; NaN before the first."""
        return self.known(np.maximum.accumulate(np.where(self.valid, self.values, -np.inf), axis=0))

    @cached_property
    def streak(self) -> Integers:
        """Values other than 0 in a row, up to the newest."""
        broken = np.where(self.valid & (self.values == 0), self.count, 0)
        return self.count - np.maximum.accumulate(broken, axis=0)

    def known(self, found: Floats) -> Floats:
        """What was found, NaN before the first value."""
        return np.where(self.count > 0, found, np.nan)


def _mean(series: Series) -> Floats:
    return series.known(series.total / np.maximum(series.count, 1))


def _recent(series: Series) -> Floats:
    """Message after message: nothing of NumPy's accumulates it."""
    found = np.empty_like(series.values)
    average = np.full(series.values.shape[1], np.nan)
    for message, (values, valid) in enumerate(zip(series.values, series.valid, strict=True)):
        newest = np.where(np.isnan(average), values, 0.5 * (average + values))
        average = np.where(valid, newest, average)
        found[message] = average
    return found


def _minimum(series: Series) -> Floats:
    return series.known(np.minimum.accumulate(np.where(series.valid, series.values, np.inf), axis=0))


def _slope(series: Series) -> Floats:
    n = series.count.astype(np.float64)
    product = np.add.accumulate((series.count - 1) * series.filled, axis=0)
    positions, squares = n * (n - 1) / 2, (n - 1) * n * (2 * n - 1) / 6
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = (n * product - positions * series.total) / (n * squares - positions * positions)
    return np.where(n < 2, np.nan, slope)


def _missing_share(series: Series) -> Floats:
    read = np.cumsum(series.applies, axis=0)
    missing = np.cumsum(series.applies & ~series.valid, axis=0)
    return np.where(read > 0, missing / np.maximum(read, 1), np.nan)


def _longest_streak(series: Series) -> Floats:
    return np.maximum.accumulate(series.streak, axis=0).astype(np.float64)


def _since(series: Series) -> Floats:
    read = np.cumsum(series.applies, axis=0)
    newest = np.maximum.accumulate(np.where(series.valid & (series.values != 0), read, 0), axis=0)
    return np.where(newest > 0, read - newest, np.nan)


def _distinct(series: Series) -> Floats:
    seen = np.bitwise_or.accumulate(series.filled.astype(np.int64), axis=0)
    return np.bitwise_count(seen).astype(np.float64)


STATISTICS: dict[Callable[[], statistics.Statistic], Callable[[Series], Floats]] = {
    statistics.Last: lambda series: series.last,
    statistics.Mean: _mean,
    statistics.Recent: _recent,
    statistics.Minimum: _minimum,
    statistics.Maximum: lambda series: series.peak,
    statistics.Total: lambda series: series.total,
    statistics.Slope: _slope,
    statistics.FallFromPeak: lambda series: series.peak - series.last,
    statistics.MissingShare: _missing_share,
    statistics.Streak: lambda series: series.streak.astype(np.float64),
    statistics.LongestStreak: _longest_streak,
    statistics.Since: _since,
    statistics.Distinct: _distinct,
}


def features(signals: Floats, by_customer: Flags, starts: Flags, read: Flags | None = None) -> Floats:
    """Array of shape (n_features, n_rows), FEATURES in order, NaN for missing.

    signals: array of shape (n_columns, n_rows), `recorder.COLUMNS` in order, a row a message.
    by_customer, starts: arrays of shape (n_rows,): who wrote it, and whether its episode begins with it.
    read: array of shape (n_rows,): whether it is read, as all are where this is left out.
    """
    found = np.empty((len(FEATURES), len(starts)))
    read = np.ones_like(starts) if read is None else read
    for rows, inside in _side_by_side(starts):
        episodes = _Episodes(signals, by_customer, read, rows)
        kept = rows[inside]
        for place, name in enumerate(FEATURE_NAMES):
            found[place, kept] = episodes.feature(place, name)[inside]
    return found


def _side_by_side(starts: Flags) -> Iterator[tuple[Integers, Flags]]:
    """Episodes of like length together: which row stands in which place, and which places hold one (others hold any).

    Arrays of shape (n_messages, n_episodes). At most half of the places are empty, whatever the lengths.
    """
    first = np.flatnonzero(starts)
    lengths = np.diff(np.append(first, len(starts)))
    doublings = np.frexp(lengths - 0.5)[1]
    for doubling in np.unique(doublings):
        chosen = doublings == doubling
        places = np.arange(lengths[chosen].max())[:, None]
        inside = places < lengths[chosen]
        yield np.where(inside, first[chosen] + places, first[chosen]), inside


class _Episodes:
    """Some episodes side by side, and what was worked out of them so far."""

    def __init__(self, signals: Floats, by_customer: Flags, read: Flags, rows: Integers) -> None:
        self._signals, self._rows = signals, rows
        customer, heard = by_customer[rows], read[rows]
        self._applies = {"customer": customer & heard, "assistant": ~customer & heard, "any": heard}
        self._mentioned = signals[COLUMNS.index("mentioned")][rows].astype(np.int64)
        self._series: dict[Signal, Series] = {}

    def feature(self, place: int, name: str) -> Floats:
        source = FEATURES[place].source
        if isinstance(source, Running):
            return STATISTICS[source.statistic](self._of(source.signal))
        known: Floats = self._signals[COLUMNS.index(name)][self._rows]
        return known

    def _of(self, signal: Signal) -> Series:
        if signal not in self._series:
            self._series[signal] = Series(self._values(signal), self._applies[signal.role])
        return self._series[signal]

    def _values(self, signal: Signal) -> Floats:
        if signal.entry is None:
            values: Floats = self._signals[COLUMNS.index(signal.name)][self._rows]
            return values
        mentioned: Floats = (self._mentioned >> MENTIONS.index(signal) & 1).astype(np.float64)
        return mentioned
