"""The times of listening: sessions, gaps, pauses, local hours and days of the week."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from numpy.typing import NDArray

from crossfade.clock import DAY_MS, HOUR_MS, MINUTE_MS, parse_time
from crossfade.generator import listeners as listeners_module
from crossfade.generator.catalogue import Catalogue, make_catalogue
from crossfade.generator.cycle import SLOT_MS, Clocks, Cycle
from crossfade.generator.draws import Integers, Words, below
from crossfade.generator.habits import LONGEST_MS, REST_MS, SESSION
from crossfade.generator.model import Audience
from crossfade.generator.places import read_places
from crossfade.generator.plays import Plays
from crossfade.generator.week import HALF_HOURS, WEEK, holidays_of
from support.audiences import play, society_of

BEGIN = parse_time("2024-07-08")
WINTER = parse_time("2024-01-08")
"""Two Mondays; the four countries have no holiday in the two weeks after either."""

ZONES = {
    "JP": "Asia/Tokyo",
    "US": "America/New_York",
    "SE": "Europe/Stockholm",
    "IN": "Asia/Kolkata",
}


class FourZones:
    """Stands for `Homes`: a quarter of the listeners lives in each zone."""

    def __init__(self) -> None:
        self._places = np.array([place_in(country) for country in ZONES])

    def find(self, words: Words) -> Integers:
        return self._places[below(words, len(ZONES))]


def place_in(country: str) -> int:
    places = read_places()
    both = zip(places.country.tolist(), places.zones, strict=True)
    wanted = (places.countries.index(country), ZONES[country])
    return next(number for number, one in enumerate(both) if one == wanted)


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return make_catalogue(1, 500)


@pytest.fixture(scope="module")
def four_zones() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(listeners_module, "Homes", FourZones)
        yield


@pytest.fixture(scope="module")
def summer(catalogue: Catalogue, four_zones: None) -> Plays:
    return play(society_of(16_000, 10), catalogue, BEGIN, 14 * DAY_MS)


@pytest.fixture(scope="module")
def winter(catalogue: Catalogue, four_zones: None) -> Plays:
    return play(society_of(16_000, 10), catalogue, WINTER, 14 * DAY_MS)


def test_lengths_of_sessions_are_log_normal_within_their_limits() -> None:
    audience = Audience(society_of(50_000, 5), make_catalogue(1, 50), begin=BEGIN)
    sessions = audience.sessions
    seats = np.flatnonzero(~sessions.is_between)
    sessions.open_next(seats)
    # An epoch cuts off the sessions that are open an hour before its end.
    is_whole = ~sessions.is_between & (sessions.end < sessions._epoch_end - HOUR_MS)
    seats = seats[is_whole[seats]]
    length = (sessions.end - sessions.due)[seats]
    assert 2 * MINUTE_MS <= length.min() < 3 * MINUTE_MS
    assert length.max() <= LONGEST_MS
    assert float(np.median(length)) == pytest.approx(30 * MINUTE_MS, rel=0.02)
    assert float(np.log(length).std()) == pytest.approx(0.8, abs=0.02)
    assert float(length.mean()) == pytest.approx(SESSION.mean, rel=0.02)


@pytest.mark.parametrize("is_steady", [False, True])
def test_gaps_are_log_normal_in_listening_time(*, is_steady: bool) -> None:
    audience = Audience(
        society_of(50_000, 40), make_catalogue(1, 50), begin=BEGIN, is_steady=is_steady
    )
    sessions, habits = audience.sessions, audience.sessions._habits
    # With twenty gaps left in the epoch, almost no gap reaches beyond its end.
    left = sessions._epoch_end - sessions.end
    seats = np.flatnonzero(~sessions.is_between & (left > 20 * habits.gap + DAY_MS))
    assert len(seats) > 5_000
    clock = sessions._clocks.of_place[sessions._listeners.place[seats]]
    over = sessions._cycle.own_time(clock, sessions.end[seats] + REST_MS)
    sessions.open_next(seats)
    is_open = ~sessions.is_between[seats]
    assert float(is_open.mean()) > 0.995
    gap = sessions._cycle.own_time(clock, sessions.due[seats]) - over
    logs = np.log(gap[is_open] / habits.gap[seats][is_open])
    assert float(np.median(logs)) == pytest.approx(0, abs=0.05)
    assert float(logs.std()) == pytest.approx(1, abs=0.03)
    assert float(((logs - logs.mean()) ** 3).mean()) == pytest.approx(0, abs=0.15)


def test_songs_of_a_listener_never_overlap_and_sessions_are_half_an_hour_apart(
    summer: Plays,
) -> None:
    busy = play(society_of(1_000, 235), make_catalogue(1, 500), BEGIN)
    for plays in (summer, busy):
        order = np.lexsort((plays.event_time, plays.user))
        one = plays.take(order)
        over = one.event_time[:-1] + one.ms_played[:-1]
        silence = one.event_time[1:] - over
        same_user = one.user[1:] == one.user[:-1]
        same_session = one.session[1:] == one.session[:-1]
        assert not (same_session & ~same_user).any()
        assert (silence[same_session] > 0).all()
        assert (silence[same_user & ~same_session] >= 30 * MINUTE_MS).all()


def test_pauses_between_songs_are_log_normal(summer: Plays) -> None:
    order = np.lexsort((summer.event_time, summer.user))
    one = summer.take(order)
    pause = (one.event_time[1:] - one.event_time[:-1] - one.ms_played[:-1])[
        one.session[1:] == one.session[:-1]
    ]
    assert float(np.median(pause)) == pytest.approx(1_500, rel=0.02)
    assert float(np.log(pause).std()) == pytest.approx(1.1, abs=0.03)


def begun_sessions(plays: Plays, country: str) -> NDArray[np.float64]:
    """Return the share of sessions that begin in each local half hour of the week."""
    kept = plays.take(plays.place == place_in(country))
    _, first = np.unique(kept.session, return_index=True)
    local = kept.event_time[first] + kept.utc_offset_min[first].astype(np.int64) * MINUTE_MS
    slot = (local // SLOT_MS + 3 * HALF_HOURS) % len(WEEK)
    return np.bincount(slot, minlength=len(WEEK)) / len(first)


EXPECTED = np.array(WEEK) / sum(WEEK)


def distance(one: NDArray[np.float64], other: NDArray[np.float64], width: int) -> float:
    """Return the share of one curve that must move to make the other, in steps of a width."""
    steps = (np.abs((one - other).reshape(-1, width).sum(axis=1))).sum() / 2
    return float(steps)


@pytest.mark.parametrize("country", ZONES)
def test_each_zone_listens_by_its_local_clock(country: str, summer: Plays, winter: Plays) -> None:
    found = (begun_sessions(summer, country) + begun_sessions(winter, country)) / 2
    assert distance(found, EXPECTED, HALF_HOURS) < 0.02
    by_hour = found.reshape(7, 24, 2).sum(axis=2)
    expected = EXPECTED.reshape(7, 24, 2).sum(axis=2)
    for days in (slice(0, 5), slice(5, 7)):
        mine, law = by_hour[days].sum(axis=0), expected[days].sum(axis=0)
        assert distance(mine / mine.sum(), law / law.sum(), 1) < 0.035
        assert np.corrcoef(mine, law)[0, 1] > 0.985
        assert int(mine.argmin()) in (2, 3, 4, 5)
        assert int(mine.argmax()) in range(16, 21)


def test_new_york_has_the_same_curve_in_july_and_in_january(summer: Plays, winter: Plays) -> None:
    july, january = begun_sessions(summer, "US"), begun_sessions(winter, "US")
    assert distance(july, january, 4) < 0.04
    assert distance(july, np.roll(january, 2), 4) > distance(july, january, 4) + 0.02
    offsets = {
        int(plays.utc_offset_min[plays.place == place_in("US")].max()) for plays in (summer, winter)
    }
    assert offsets == {-240, -300}


@pytest.mark.parametrize(
    ("day", "hours"), [("2024-03-10", 23), ("2024-11-03", 25), ("2024-07-10", 24)]
)
def test_offsets_are_those_of_the_zone_on_days_when_clocks_change(
    day: str, hours: int, catalogue: Catalogue, four_zones: None
) -> None:
    plays = play(society_of(2_000, 40), catalogue, parse_time(day) - DAY_MS, 3 * DAY_MS)
    for country, zone in ZONES.items():
        kept = plays.take(plays.place == place_in(country))
        info = ZoneInfo(zone)
        for time, offset in zip(
            kept.event_time.tolist(), kept.utc_offset_min.tolist(), strict=True
        ):
            moment = datetime.fromtimestamp(time / 1_000, UTC).astimezone(info)
            assert moment.utcoffset() == timedelta(minutes=offset)
    new_york = Clocks(read_places()).of_place[place_in("US")]
    start = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(ZONES["US"]))
    begin = int(start.timestamp()) * 1_000
    cycle = Cycle(Clocks(read_places()), begin - DAY_MS, begin + 2 * DAY_MS, is_steady=False)
    times = begin + SLOT_MS * np.arange(2 * hours)
    clock = np.full(2 * hours, new_york)
    weekday = start.weekday() * HALF_HOURS
    if hours == 24:
        slots = list(range(48))
    else:
        repeated = [2, 3] if hours == 25 else []
        slots = [0, 1, 2, 3, *repeated, *range(4 if hours == 25 else 6, 48)]
    assert cycle.intensity(clock, times).tolist() == [WEEK[weekday + slot] for slot in slots]


@pytest.mark.parametrize(
    ("country", "day"), [("US", "2024-07-04"), ("JP", "2024-05-03"), ("SE", "2024-12-25")]
)
def test_a_holiday_follows_the_curve_of_a_sunday(country: str, day: str) -> None:
    clocks = Clocks(read_places())
    date = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(ZONES[country]))
    assert (date.month, date.day) in holidays_of(country)
    assert date.weekday() < 5
    begin = int(date.timestamp()) * 1_000
    cycle = Cycle(clocks, begin - DAY_MS, begin + 2 * DAY_MS, is_steady=False)
    times = begin + SLOT_MS * np.arange(HALF_HOURS)
    clock = np.full(HALF_HOURS, clocks.of_place[place_in(country)])
    assert cycle.intensity(clock, times).tolist() == list(WEEK[6 * HALF_HOURS :])
    other = np.full(HALF_HOURS, clocks.of_place[place_in("IN")])
    assert cycle.intensity(other, times).tolist() != list(WEEK[6 * HALF_HOURS :])


def test_listening_time_converts_to_utc_and_back() -> None:
    clocks = Clocks(read_places())
    cycle = Cycle(clocks, BEGIN, BEGIN + 7 * DAY_MS, is_steady=False)
    moments = BEGIN + np.arange(0, 6 * DAY_MS, 7 * MINUTE_MS + 13)
    clock = np.arange(len(moments)) % len(clocks.kinds)
    back = cycle.time_of(clock, cycle.own_time(clock, moments))
    assert (moments - back >= 0).all()
    assert (moments - back <= 10).all()
    assert math.isclose(sum(WEEK) / len(WEEK), 1_000, abs_tol=1)
