"""The ranges and periods that a run of batch must rebuild."""

from datetime import date
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from crossfade.clock import DAY_MS, HOUR_MS, MINUTE_MS, day_start_ms, floor_to, utc_date
from crossfade.contract.boundary import NO_BOUNDARY, windows_kept_from
from crossfade.contract.periods import period_holding
from crossfade.processing.batch.ranges import (
    MAX_RANGES,
    days_in,
    days_of,
    dirty_days,
    dirty_periods,
    dirty_ranges,
    find_dirty,
    in_ranges,
    merge_ranges,
)

GRAIN = 10 * MINUTE_MS
NOON = day_start_ms(date(2026, 1, 2)) + 12 * HOUR_MS

times = st.integers(NOON - 3 * DAY_MS, NOON + DAY_MS)
boundaries = st.integers(-300, 100).map(lambda step: NOON + step * GRAIN)


def covers(ranges: list[tuple[int, int]], time: int) -> bool:
    return any(begin <= time < end for begin, end in ranges)


@given(st.lists(times, max_size=200), boundaries, boundaries)
def test_every_window_that_was_touched_or_passed_is_dirty_and_no_other(
    touched: list[int], one: int, other: int
) -> None:
    previous, boundary = sorted((one, other))
    since = windows_kept_from(boundary)
    moved = {"previous": previous, "boundary": boundary, "since": since}
    found = dirty_ranges(touched, GRAIN, **moved)
    for time in touched:
        is_owned = since <= time and floor_to(time, GRAIN) + GRAIN <= boundary
        assert covers(found, time) or not is_owned
    for time in range(max(previous, since), boundary, GRAIN):
        assert covers(found, time)
    assert all(since <= begin < end <= boundary for begin, end in found)
    assert all(begin % GRAIN == end % GRAIN == 0 for begin, end in found)


@given(st.lists(st.tuples(st.integers(0, 9_000), st.integers(1, 20)), max_size=300))
def test_merged_ranges_are_few_and_disjoint_and_lose_nothing(pieces: list[tuple[int, int]]) -> None:
    ranges = [(begin, begin + length) for begin, length in pieces]
    merged = merge_ranges(ranges)
    assert len(merged) <= MAX_RANGES
    assert all(before[1] < after[0] for before, after in pairwise(merged))
    assert all(covers(merged, begin) and covers(merged, end - 1) for begin, end in ranges)


@given(st.lists(times, max_size=50), boundaries, boundaries)
def test_a_day_is_dirty_when_it_is_closed_and_was_touched_or_passed(
    touched: list[int], one: int, other: int
) -> None:
    previous, boundary = sorted((one, other))
    days = dirty_days(touched, previous=previous, boundary=boundary)
    passed = range(floor_to(previous, DAY_MS), floor_to(boundary, DAY_MS), DAY_MS)
    expected = {utc_date(time) for time in (*touched, *passed)}
    assert days == sorted(day for day in expected if day < utc_date(boundary))


def test_nothing_is_dirty_before_there_is_a_boundary() -> None:
    dirty = find_dirty({NOON: [NOON]}, GRAIN, previous=NO_BOUNDARY, boundary=NO_BOUNDARY)
    assert not dirty.windows
    assert not dirty.hours
    assert not dirty.days


def test_the_first_boundary_makes_every_touched_day_below_it_dirty() -> None:
    old = NOON - 900 * DAY_MS
    dirty = find_dirty(
        {NOON: [NOON], old: [old]}, GRAIN, previous=NO_BOUNDARY, boundary=NOON + HOUR_MS
    )
    assert dirty.days == [utc_date(old)]
    assert dirty.hours == [(floor_to(NOON, DAY_MS), NOON + HOUR_MS)]
    assert dirty.windows == [(floor_to(NOON, DAY_MS) - DAY_MS, NOON + HOUR_MS)]


def test_a_dirty_day_makes_its_closed_periods_dirty_and_no_open_one() -> None:
    boundary = day_start_ms(date(2026, 1, 9)) + HOUR_MS
    kinds = {
        (str(period.kind), period.start)
        for period in dirty_periods([date(2026, 1, 2), date(2025, 12, 30)], boundary)
    }
    assert kinds == {
        ("day", date(2026, 1, 2)),
        ("day", date(2025, 12, 30)),
        ("week", date(2026, 1, 2)),
        ("week", date(2025, 12, 26)),
        ("month", date(2025, 12, 1)),
        ("year", date(2025, 1, 1)),
    }


def test_a_period_closes_with_its_last_day_even_without_plays_on_it() -> None:
    previous = day_start_ms(date(2026, 1, 30))
    boundary = day_start_ms(date(2026, 2, 1)) + MINUTE_MS * 10
    days = dirty_days([], previous=previous, boundary=boundary)
    assert days == [date(2026, 1, 30), date(2026, 1, 31)]
    assert period_holding("month", date(2026, 1, 5)) in dirty_periods(days, boundary)


def test_ranges_and_periods_name_each_of_their_days_once() -> None:
    midnight = day_start_ms(date(2026, 1, 2))
    assert days_of([(midnight - 1, midnight + 1), (midnight, midnight + 5)]) == [
        date(2026, 1, 1),
        date(2026, 1, 2),
    ]
    week = period_holding("week", date(2026, 1, 2))
    assert days_in([week, period_holding("day", date(2026, 1, 3))]) == [
        date(2026, 1, day) for day in range(2, 9)
    ]


def test_a_condition_without_ranges_matches_nothing() -> None:
    assert in_ranges("event_time", []) == "(false)"
