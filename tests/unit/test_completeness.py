"""Every condition under which an answer is not complete, and the reason it names."""

from dataclasses import replace

import pytest

from crossfade.clock import DAY_MS, HOUR_MS, MINUTE_MS
from crossfade.contract.boundary import NO_BOUNDARY
from crossfade.contract.time_rules import FUTURE_MS, TimeRules
from crossfade.serving.completeness import (
    FRESH_MS,
    SpeedStatus,
    TimeContext,
    explain_incompleteness,
)
from crossfade.serving.merge import plan_range
from crossfade.serving.speed_generation import LatePlays

RULES = TimeRules()
NOON = 20_000 * DAY_MS + 12 * HOUR_MS
NOW = NOON + 25 * MINUTE_MS
FRESH = SpeedStatus(
    is_ready=True,
    sent_at=NOW - 500,
    lag_ms=700,
    held_from=NOON,
    first_log_time=NOON - DAY_MS,
)


def why(
    progress: SpeedStatus | None,
    *,
    boundary: int = NOON,
    begin: int = NOON - HOUR_MS,
    end: int = NOON + 30 * MINUTE_MS,
    batch_every_ms: int | None = None,
    unread: int | None = None,
) -> str:
    plan = plan_range(begin, end, boundary=boundary, grain_ms=RULES.grain_ms)
    context = TimeContext(boundary, NOW, RULES, batch_every_ms, unread)
    return explain_incompleteness(plan, progress, context)


def late_on(*days: int, newest: int | None = None) -> LatePlays:
    """Return late plays of a micro-batch, 1,000 on the first day, one on each of the others."""
    by_day = dict.fromkeys(days, 1) | {days[0]: 1_000}
    newest = (max(days) + 1) * DAY_MS - 1 if newest is None else newest
    return LatePlays(sum(by_day.values()), by_day, newest, {0: 10})


def test_an_answer_is_complete_while_speed_holds_all_it_owns_and_is_fresh() -> None:
    assert why(FRESH) == ""


def test_time_that_batch_owns_is_complete_while_batch_has_read_all_that_kafka_holds() -> None:
    assert why(SpeedStatus(is_batch_at_end=True), end=NOON) == ""
    assert why(replace(FRESH, held_from=NOW, dropped_before=NOW), end=NOON) == ""
    assert why(SpeedStatus(trouble="Kafka cannot be reached"), end=NOON) != ""
    assert "last reported" in why(replace(FRESH, sent_at=NOW - HOUR_MS), end=NOON)
    assert "speed lags" in why(replace(FRESH, lag_ms=HOUR_MS), end=NOON)


@pytest.mark.parametrize(
    ("unread", "reason"),
    [
        (0, ""),
        (1, "1 record in Kafka waits for batch, which reads them when it runs"),
        (2_000, "2,000 records in Kafka wait for batch, which reads them when it runs"),
        (None, "Kafka is not read here: plays that came after the newest batch run are unknown"),
    ],
)
def test_where_speed_is_not_read_time_that_batch_owns_is_complete_if_batch_has_read_kafka(
    unread: int | None, reason: str
) -> None:
    assert why(None, end=NOON, unread=unread) == reason
    assert why(None, unread=unread).startswith("speed is not read here")


TODAY = NOON // DAY_MS


@pytest.mark.parametrize(
    ("begin", "end", "missing"),
    [
        (TODAY - 30, TODAY, "1,002 late plays wait"),
        (TODAY - 9, TODAY - 8, "1,000 late plays wait"),
        (TODAY - 7, TODAY - 6, "1 late play waits"),
        (TODAY - 8, TODAY - 7, ""),
        (TODAY - 6, TODAY, ""),
        (0, TODAY - 9, "1 late play waits"),
        (0, TODAY - 20, ""),
    ],
    ids=["month", "day", "other day", "day between", "after", "other run", "before"],
)
def test_only_ranges_with_late_plays_on_their_days_are_incomplete(
    begin: int, end: int, missing: str
) -> None:
    other = LatePlays(1, {TODAY - 20: 1}, (TODAY - 20) * DAY_MS, {0: 20})
    progress = replace(FRESH, late=[late_on(TODAY - 9, TODAY - 7), other])

    reason = why(progress, begin=begin * DAY_MS, end=end * DAY_MS)

    assert bool(reason) == bool(missing)
    assert reason.startswith(missing)


def test_a_reason_names_when_the_next_run_takes_late_plays() -> None:
    progress = replace(FRESH, late=[late_on(TODAY - 2)])
    closed = {"begin": NOON - 5 * DAY_MS - 12 * HOUR_MS, "end": NOON - 12 * HOUR_MS}

    assert (
        why(progress, **closed) == "1,000 late plays wait for batch, which adds them when it runs"
    )
    assert why(progress, **closed, batch_every_ms=10 * MINUTE_MS) == (
        "1,000 late plays wait for batch, which adds them at the next run, at most 10m from now"
    )


def test_late_plays_of_today_that_are_older_than_the_range_are_not_missing_in_it() -> None:
    begin = NOON - HOUR_MS
    older, newer = late_on(TODAY, newest=begin - 1), late_on(TODAY, newest=begin)

    assert why(replace(FRESH, late=[older])) == ""
    assert "1,000 late plays" in why(replace(FRESH, late=[newer]))
    assert "1,000 late plays" in why(replace(FRESH, late=[older]), begin=NOON - 12 * HOUR_MS)


def test_late_plays_of_an_earlier_releases_marker_have_no_days() -> None:
    assert why(replace(FRESH, late=[LatePlays(5, {}, NO_BOUNDARY, {0: 10})]), begin=0) == ""


@pytest.mark.parametrize("end", [NOON + HOUR_MS, NOON + DAY_MS, NOON + 400 * DAY_MS])
def test_a_range_that_ends_in_the_future_is_not_complete(end: int) -> None:
    assert why(FRESH, end=end).startswith("the range ends in the future, at 202")
    assert why(FRESH, begin=end - 10 * MINUTE_MS, end=end) == why(FRESH, end=end)
    stale = replace(FRESH, sent_at=NOW - HOUR_MS)
    assert why(stale, end=end) == f"{why(stale)}; {why(FRESH, end=end)}"


def test_the_open_window_and_the_one_that_clocks_ahead_may_fill_are_not_the_future() -> None:
    ahead = RULES.window_start(NOW + FUTURE_MS) + RULES.grain_ms

    assert why(FRESH, end=ahead) == ""
    assert why(FRESH, end=ahead + RULES.grain_ms) != ""


@pytest.mark.parametrize(
    ("progress", "expected"),
    [
        (None, "speed is not read here"),
        (SpeedStatus(), "still reading"),
        (
            SpeedStatus(trouble="Kafka cannot be reached: refused"),
            "Kafka cannot be reached: refused",
        ),
        (replace(FRESH, sent_at=None), "speed has not started yet"),
        (replace(FRESH, sent_at=NOW - FRESH_MS - 1_000), "speed last reported 11s ago"),
        (
            replace(FRESH, sent_at=NOW - FRESH_MS - 1, trouble="Kafka cannot be reached: refused"),
            "Kafka cannot be reached",
        ),
        (replace(FRESH, lag_ms=None), "how far speed lags is unknown"),
        (replace(FRESH, lag_ms=FRESH_MS + 2_000), "speed lags by 12s"),
        (replace(FRESH, held_from=NOON + 1), "are not held"),
        (replace(FRESH, dropped_before=NOON + 1), "watermark dropped plays"),
    ],
    ids=[
        "not read",
        "reading",
        "no Kafka",
        "silent",
        "stale",
        "stale without Kafka",
        "lag unknown",
        "lags",
        "not held",
        "dropped",
    ],
)
def test_an_answer_that_may_miss_plays_says_why(
    progress: SpeedStatus | None, expected: str
) -> None:
    assert expected in why(progress)


def test_ten_seconds_of_age_and_lag_are_fresh_enough() -> None:
    assert why(replace(FRESH, sent_at=NOW - FRESH_MS, lag_ms=FRESH_MS)) == ""


def test_once_the_boundary_passes_a_watermark_that_dropped_plays_batch_has_them() -> None:
    assert why(replace(FRESH, dropped_before=NOON)) == ""


def test_before_the_first_run_only_a_range_after_the_first_record_is_complete() -> None:
    first = NOON
    progress = replace(FRESH, first_log_time=first, held_from=NO_BOUNDARY)

    assert why(progress, boundary=NO_BOUNDARY, begin=first - RULES.late_after_ms) == ""
    assert why(progress, boundary=NO_BOUNDARY) == "no batch run yet"
    assert why(progress, boundary=NO_BOUNDARY, begin=0) == "no batch run yet"
