"""Times as other systems write them: seconds or milliseconds since 1970, ISO 8601, Ruby's `2025-07-10 15:36:22 UTC`."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta

from handoff.errors import BadRecord, Problem

Time = int | float | str | None

# From here on a number cannot be seconds (it would be the year 5138): it is milliseconds.
_FIRST_MILLISECONDS = 1e11

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_SPACE_BEFORE_ZONE = re.compile(r"\s+(?=[+-]\d\d:?\d\d$)")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_time(value: Time, path: str, layout: str | None = None) -> datetime | None:
    """The time in UTC; None for an absent one, an empty text, and 0 (how Ruby writes an absent time as a number).

    `layout` is a `strptime` pattern for times that are none of the usual. Raises `BadRecord` naming `path`.
    """
    if value is None or value == 0 or value == "":
        return None
    try:
        time = _understood(value, layout)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        expected = f"a time like {layout}" if layout else "seconds since 1970 or a time such as 2026-03-02T14:31:05Z"
        raise BadRecord(Problem(path, str(value)[:40], expected)) from None


def _understood(value: int | float | str, layout: str | None) -> datetime:
    if isinstance(value, str):
        if layout is not None:
            return datetime.strptime(value, layout)
        text = value.strip()
        if not _NUMBER.fullmatch(text):
            text = text.replace("/", "-").replace(" UTC", "+00:00")
            return datetime.fromisoformat(_SPACE_BEFORE_ZONE.sub("", text))
        value = float(text)
    if not math.isfinite(value):
        raise ValueError(value)
    return _EPOCH + timedelta(seconds=value / 1000 if value >= _FIRST_MILLISECONDS else value)
