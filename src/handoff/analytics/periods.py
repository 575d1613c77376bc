"""Stretches of time, half-open and in UTC: days, ISO weeks, months, and a stretch beside the one before it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, get_args

import msgspec

from handoff.errors import BadInput

Calendar = Literal["day", "week", "month"]
CALENDAR: tuple[Calendar, ...] = get_args(Calendar)  # finest first

_DAY = timedelta(days=1)


class Period(msgspec.Struct, frozen=True):
    """From `start` up to, but without, `end`."""

    start: datetime
    end: datetime

    def holds(self, at: datetime | None) -> bool:
        """Whether the time lies in the period; a missing time lies in none."""
        return at is not None and self.start <= at < self.end

    @property
    def before(self) -> Period:
        """The period of the same length that ends where this one starts."""
        return Period(self.start - (self.end - self.start), self.start)

    def days(self) -> Iterator[date]:
        """Every day that the period touches."""
        day = self.start.date()
        while datetime.combine(day, time(), UTC) < self.end:
            yield day
            day += _DAY


def label(day: date, calendar: Calendar) -> str:
    """How the day's stretch is called: 2026-03-02, 2026-W10 (ISO) or 2026-03. Labels sort by time."""
    if calendar == "week":
        year, week, _ = day.isocalendar()
        return f"{year}-W{week:02}"
    return day.isoformat() if calendar == "day" else f"{day.year}-{day.month:02}"


def label_before(day: date, calendar: Calendar) -> str:
    """The label of the stretch before the one that holds the day."""
    first = {"day": day, "week": day - day.weekday() * _DAY, "month": day.replace(day=1)}[calendar]
    return label(first - _DAY, calendar)


def span(times: Sequence[datetime]) -> Period | None:
    """Whole days from the first time to the last; None without times."""
    if not times:
        return None
    first, last = min(times).date(), max(times).date()
    return Period(datetime.combine(first, time(), UTC), datetime.combine(last + _DAY, time(), UTC))


def later_half(period: Period) -> Period | None:
    """The later half of a period of whole days, the middle day of an odd number left out; None below two days."""
    half = (period.end - period.start).days // 2
    return Period(period.end - half * _DAY, period.end) if half else None


def moment_of(text: str, option: str) -> datetime:
    """A date (midnight in UTC) or a time. Raises `BadInput` naming the option."""
    try:
        at = datetime.fromisoformat(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadInput(f"{option}: '{text}' is no date; expected one such as 2026-03-02") from None
