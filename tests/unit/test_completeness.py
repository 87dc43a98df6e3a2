"""Every condition under which an answer is not complete, and the reason it names."""

from dataclasses import replace

import pytest

from crossfade.clock import DAY_MS, HOUR_MS, MINUTE_MS
from crossfade.contract.boundary import NO_BOUNDARY
from crossfade.contract.time_rules import TimeRules
from crossfade.serving.completeness import (
    FRESH_MS,
    SpeedStatus,
    TimeContext,
    explain_incompleteness,
)
from crossfade.serving.merge import plan_range

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
    end: int = NOON + HOUR_MS,
) -> str:
    plan = plan_range(begin, end, boundary=boundary, grain_ms=RULES.grain_ms)
    return explain_incompleteness(plan, progress, TimeContext(boundary, NOW, RULES))


def test_an_answer_is_complete_while_speed_holds_all_it_owns_and_is_fresh() -> None:
    assert why(FRESH) == ""


def test_time_that_batch_owns_is_complete_whatever_speed_does() -> None:
    assert why(None, end=NOON) == ""
    assert why(SpeedStatus(), end=NOON) == ""


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
