"""What a run must rebuild: ranges of windows and hours, and days."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from crossfade.clock import DAY_MS, HOUR_MS, Range, day_start_ms, floor_to, format_time, utc_date
from crossfade.contract.boundary import windows_kept_from
from crossfade.contract.periods import Period, PeriodKind, period_holding

MAX_RANGES = 64
"""With more ranges in one condition, planning costs more than reading the rows between them."""

CHARTED_KINDS = (PeriodKind.DAY, PeriodKind.WEEK, PeriodKind.MONTH, PeriodKind.YEAR)
"""The kinds of period with published charts; all time is summed when it is read."""


@dataclass(frozen=True, slots=True)
class Dirty:
    """What a run rebuilds: windows of the last two days, hours of the open day, and closed days."""

    windows: Sequence[Range]
    hours: Sequence[Range]
    days: Sequence[date]


def find_dirty(
    touched: Mapping[int, Iterable[int]],
    grain_ms: int,
    *,
    previous: int,
    boundary: int,
) -> Dirty:
    """Return what new plays and the advance of the boundary make dirty, below the boundary.

    Args:
        touched: the windows that new plays fell in, by hour.
        grain_ms: length of a window.
        previous: the boundary of the run before.
        boundary: the boundary of this run.
    """
    windows = [window for found in touched.values() for window in found]
    moved = {"previous": previous, "boundary": boundary}
    return Dirty(
        windows=dirty_ranges(windows, grain_ms, since=windows_kept_from(boundary), **moved),
        hours=dirty_ranges(touched, HOUR_MS, since=floor_to(boundary, DAY_MS), **moved),
        days=dirty_days(touched, **moved),
    )


def dirty_ranges(
    touched: Iterable[int], step: int, *, previous: int, boundary: int, since: int
) -> list[Range]:
    """Return the ranges to rebuild, of whole steps between `since` and the boundary.

    A step is dirty if it holds a touched time, or if the boundary has passed it since `previous`.
    Adjacent ranges are merged, and near ones as well if there are more than `MAX_RANGES`.
    """
    end = floor_to(boundary, step)
    starts = {floor_to(time, step) for time in touched}
    found = {(start, start + step) for start in starts if since <= start and start + step <= end}
    passed = max(floor_to(previous, step), since)
    if passed < end:
        found.add((passed, end))
    return merge_ranges(found)


def merge_ranges(ranges: Iterable[Range], limit: int = MAX_RANGES) -> list[Range]:
    """Merge ranges that touch or overlap, then the nearest ones until at most `limit` are left."""
    merged: list[Range] = []
    for begin, end in sorted(ranges):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    if len(merged) <= limit:
        return merged
    gaps = sorted(after[0] - before[1] for before, after in pairwise(merged))
    bridged = gaps[len(merged) - limit - 1]
    return merge_ranges(_bridge(merged, bridged), limit)


def dirty_days(touched: Iterable[int], *, previous: int, boundary: int) -> list[date]:
    """Return the closed days to rebuild: those touched, and those that the boundary passed.

    If `previous` is minus infinity, `touched` must name every day that has plays.
    """
    closed = _day(boundary)
    return sorted(
        {day for day in map(utc_date, touched) if day < closed} | _passed(previous, boundary)
    )


def dirty_periods(days: Sequence[date], boundary: int) -> list[Period]:
    """Return the closed periods that hold a dirty day; newly closed periods do."""
    closed = _day(boundary)
    held = {period_holding(kind, day) for kind in CHARTED_KINDS for day in days}
    chosen = [period for period in held if period.is_closed(closed)]
    return sorted(chosen, key=lambda period: (period.kind, period.end))


def in_ranges(column: str, ranges: Sequence[Range]) -> str:
    """Return the SQL condition that a timestamp lies in one of the ranges."""
    parts = [
        f"({column} >= {_literal(begin)} AND {column} < {_literal(end)})" for begin, end in ranges
    ]
    return f"({' OR '.join(parts) or 'false'})"


def on_days(days: Iterable[date]) -> str:
    """Return the SQL condition that `date` is one of the days; it prunes lake partitions."""
    listed = ", ".join(f"DATE '{day}'" for day in sorted(days))
    return f"date IN ({listed})" if listed else "false"


def days_of(ranges: Iterable[Range]) -> list[date]:
    """Return the days that the ranges touch."""
    starts = {time for begin, end in ranges for time in range(floor_to(begin, DAY_MS), end, DAY_MS)}
    return [utc_date(time) for time in sorted(starts)]


def days_in(periods: Iterable[Period]) -> list[date]:
    """Return the days of the periods, sorted and without repeats; all time is left out."""
    times = {
        time
        for period in periods
        if period.start is not None
        for time in range(day_start_ms(period.start), day_start_ms(period.end), DAY_MS)
    }
    return [utc_date(time) for time in sorted(times)]


def _passed(previous: int, boundary: int) -> set[date]:
    if previous < 0:
        return set()
    midnights = range(floor_to(previous, DAY_MS), floor_to(boundary, DAY_MS), DAY_MS)
    return {utc_date(time) for time in midnights}


def _bridge(ranges: Sequence[Range], gap: int) -> list[Range]:
    bridged = [ranges[0]]
    for begin, end in ranges[1:]:
        if begin - bridged[-1][1] <= gap:
            bridged[-1] = (bridged[-1][0], end)
        else:
            bridged.append((begin, end))
    return bridged


def _day(boundary: int) -> date:
    """Return the day that a boundary lies on; the first of all for minus infinity."""
    return date.min if boundary < 0 else utc_date(boundary)


def _literal(time_ms: int) -> str:
    """Write a time as a plain text, which Spark, DuckDB and delta-rs take for the column's type."""
    return f"'{format_time(time_ms)}'"
