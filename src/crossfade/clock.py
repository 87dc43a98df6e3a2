"""The wall clock; conversion of times (ms since the epoch) and durations (ms) to and from text."""

import re
import time
from datetime import UTC, date, datetime, timedelta

from crossfade.errors import MisuseError

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

_DURATION = re.compile(r"^(\d+(?:\.\d+)?)(ms|s|m|h|d)$")
_UNIT_MS = {"ms": 1, "s": SECOND_MS, "m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Range = tuple[int, int]
"""A half-open range of milliseconds since the epoch."""


def now_ms() -> int:
    """Return the current time in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def floor_to(time_ms: int, step_ms: int) -> int:
    """Return a time rounded down to a multiple of `step_ms`."""
    return time_ms - time_ms % step_ms


def format_time(time_ms: int) -> str:
    """Return a time as RFC 3339 text in UTC, with milliseconds only if they are not zero."""
    moment = _EPOCH + timedelta(milliseconds=time_ms)
    precision = "milliseconds" if time_ms % SECOND_MS else "seconds"
    return moment.isoformat(timespec=precision).replace("+00:00", "Z")


def parse_time(text: str) -> int:
    """Parse an RFC 3339 time, or a date (its UTC midnight); raise MisuseError for other text."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        what = f'"{text}" is not a time.'
        cure = "Write it as 2019-06-01 or 2019-06-01T12:30:00Z."
        raise MisuseError(what, cure) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def parse_duration(text: str) -> int:
    """Parse a duration such as "90s", "1.5h" or "7d"; raise MisuseError for other text."""
    match = _DURATION.match(text.strip())
    if match is None:
        what = f'"{text}" is not a duration.'
        raise MisuseError(what, "Write a number and a unit, such as 250ms, 90s, 10m, 2h or 7d.")
    return round(float(match[1]) * _UNIT_MS[match[2]])


def format_duration(length_ms: int) -> str:
    """Return a duration as text, in the largest unit that is exact."""
    for unit in ("d", "h", "m", "s"):
        if length_ms and length_ms % _UNIT_MS[unit] == 0:
            return f"{length_ms // _UNIT_MS[unit]}{unit}"
    return f"{length_ms}ms"


def utc_date(time_ms: int) -> date:
    """Return the UTC date of a time."""
    return (_EPOCH + timedelta(milliseconds=time_ms)).date()


def day_start_ms(day: date) -> int:
    """Return the time at which a UTC day begins."""
    return (day - _EPOCH.date()).days * DAY_MS
