"""Derived ids, countries and periods."""

import re
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.contract.countries import COUNTRIES
from crossfade.contract.identities import derive_event_id, derive_song_id
from crossfade.contract.periods import Period, PeriodKind, parse_period, period_holding
from crossfade.contract.play import EVENT_ID
from crossfade.errors import MisuseError

DAYS = st.dates(date(1970, 1, 1), date(2200, 1, 1))


def test_a_songs_derived_id_is_version_1() -> None:
    assert derive_song_id("Björk", "Jóga") == "sJEWfZSa_r2TqmTL3zMDbv"


@pytest.mark.parametrize(
    "artist, title", [("björk", "JÓGA"), (" Björk ", "Jóga\t"), ("Bjo\u0308rk", "Jo\u0301ga")]
)
def test_case_spaces_and_decomposition_do_not_make_another_song(artist: str, title: str) -> None:
    assert derive_song_id(artist, title) == derive_song_id("Björk", "Jóga")


def test_artist_and_title_do_not_run_together() -> None:
    assert derive_song_id("ab", "c") != derive_song_id("a", "bc")


def test_an_event_id_changes_with_each_of_its_parts() -> None:
    def derive(source="spotify", user="u", time=1, song="s", ms: int | None = 2, ordinal=0) -> str:
        return derive_event_id(
            source, user, event_time=time, song_id=song, ms_played=ms, ordinal=ordinal
        )

    others = [
        derive(source="jsonl"),
        derive(user="v"),
        derive(time=2),
        derive(song="t"),
        derive(ms=None),
        derive(ordinal=1),
    ]
    assert len({derive(), *others}) == 7
    assert derive() == derive()


@given(st.text(), st.text(), st.integers(), st.integers())
def test_a_derived_event_id_obeys_the_contract(
    user: str, song: str, time: int, ordinal: int
) -> None:
    event_id = derive_event_id("jsonl", user, event_time=time, song_id=song, ordinal=ordinal)
    assert re.fullmatch(EVENT_ID.strip("^$"), event_id)


@given(st.sampled_from([kind for kind in PeriodKind if kind is not PeriodKind.ALL]), DAYS)
def test_periods_of_a_kind_tile_the_calendar(kind: PeriodKind, day: date) -> None:
    period = period_holding(kind, day)
    assert period.holds(day)
    assert not period.holds(period.end)
    assert period_holding(kind, period.end).start == period.end
    assert parse_period(kind, period.name) == period


@given(DAYS)
def test_a_chart_week_runs_from_friday_to_thursday(day: date) -> None:
    week = period_holding("week", day)
    assert week.start is not None
    assert week.start.strftime("%A") == "Friday"
    assert week.end - week.start == timedelta(days=7)


def test_all_time_holds_every_day_up_to_one() -> None:
    period = period_holding("all", date(2019, 6, 1))
    assert period == Period(PeriodKind.ALL, None, date(2019, 6, 2))
    assert period.holds(date(1970, 1, 1))
    assert period.name == "all"


@pytest.mark.parametrize(
    "typed, nearest", [("2019-06-30", "2019-06-28"), ("2019-07-02", "2019-07-05")]
)
def test_a_week_that_begins_on_another_day_is_refused_with_the_nearest(
    typed: str, nearest: str
) -> None:
    with pytest.raises(MisuseError, match=f"The nearest Friday is {nearest}"):
        parse_period("week", typed)


@pytest.mark.parametrize(
    "kind, text",
    [
        ("day", "20190601"),
        ("day", "2019-W01-1"),
        ("day", "2019-02-30"),
        ("month", "2019-13"),
        ("month", "2019-06-01"),
        ("year", "19"),
        ("year", "9999"),
        ("all", ""),
    ],
)
def test_a_text_that_is_not_a_period_is_refused(kind: str, text: str) -> None:
    with pytest.raises(MisuseError, match="Write it as"):
        parse_period(kind, text)


def test_a_period_is_closed_when_all_its_days_have_passed() -> None:
    june = parse_period("month", "2019-06")
    assert june.is_closed(date(2019, 7, 1))
    assert not june.is_closed(date(2019, 6, 30))


def test_countries_are_the_249_of_iso_3166_kosovo_and_unknown() -> None:
    assert len(COUNTRIES) == 251
    assert all(len(code) == 2 and code.isupper() for code in COUNTRIES)
