"""Conversion of times and lengths between text and milliseconds."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade import clock
from crossfade.errors import MisuseError


@given(st.integers(min_value=0, max_value=4_000_000_000_000))
def test_a_time_written_is_read_back(time_ms: int) -> None:
    assert clock.parse_time(clock.format_time(time_ms)) == time_ms


@given(st.integers(min_value=0, max_value=10**12))
def test_a_length_written_is_read_back(length_ms: int) -> None:
    assert clock.parse_duration(clock.format_duration(length_ms)) == length_ms


def test_a_date_is_its_utc_midnight() -> None:
    assert clock.parse_time("2019-06-01") == clock.day_start_ms(date(2019, 6, 1))


def test_an_offset_is_taken_into_account() -> None:
    assert clock.parse_time("2019-06-01T02:00:00+02:00") == clock.parse_time("2019-06-01")


@pytest.mark.parametrize("text", ["", "90", "s", "-5s", "5 weeks", "1h30m"])
def test_an_unclear_length_is_refused_with_the_cure(text: str) -> None:
    with pytest.raises(MisuseError, match="such as 250ms, 90s"):
        clock.parse_duration(text)


def test_flooring_keeps_a_multiple_and_lowers_the_rest() -> None:
    assert clock.floor_to(600_000, 600_000) == 600_000
    assert clock.floor_to(599_999, 600_000) == 0
    assert clock.floor_to(-1, 600_000) == -600_000
