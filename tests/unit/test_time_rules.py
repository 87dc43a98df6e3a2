"""The rule for the records that speed counts, and its settings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.contract.time_rules import FUTURE_MS, TimeRules
from crossfade.errors import MisuseError

RULES = TimeRules(grain_ms=600_000, late_after_ms=1_800_000, clock_slack_ms=1_000)
LOG = 1_700_000_000_000


@pytest.mark.parametrize(
    ("event_time_ms", "on_time"),
    [
        (LOG, True),
        (LOG - 1_800_000, True),
        (LOG - 1_800_001, False),
        (LOG + FUTURE_MS, True),
        (LOG + FUTURE_MS + 1, False),
    ],
)
def test_a_record_is_on_time_within_lateness_and_future(event_time_ms: int, on_time: bool) -> None:
    assert RULES.is_on_time(event_time_ms, LOG) is on_time


@given(horizon=st.integers(10**12, 2 * 10**12), age=st.integers(0, 10_000_000))
def test_no_record_logged_after_the_horizon_is_on_time_below_the_boundary(
    horizon: int, age: int
) -> None:
    log_time = horizon - RULES.clock_slack_ms + age
    oldest = log_time - RULES.late_after_ms
    assert RULES.window_start(oldest) >= RULES.boundary_of(horizon)


@pytest.mark.parametrize("grain_ms", [0, 7_000, 25 * 60_000, 7_200_000])
def test_a_grain_that_does_not_divide_an_hour_is_refused(grain_ms: int) -> None:
    with pytest.raises(MisuseError, match="does not divide an hour"):
        TimeRules(grain_ms=grain_ms)
