"""A seed gives the same plays from any start and in any steps; another seed gives others."""

from dataclasses import replace

import pytest

from crossfade.clock import DAY_MS, HOUR_MS, parse_time
from crossfade.generator.catalogue import Catalogue, catalogue_of, make_catalogue
from crossfade.generator.catalogue_file import CatalogueRow
from crossfade.generator.habits import LONGEST_MS, LONGEST_OVER_MS
from crossfade.generator.model import Audience, Society
from crossfade.generator.plays import Plays
from support.audiences import are_same, between, play, rest_of, society_of

BEGIN = parse_time("2024-03-07")
"""In this week New York's clocks go forward, and many seats' epochs of three days end."""

SOCIETY = society_of(2_000, 80)


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return make_catalogue(1, 2_000)


@pytest.fixture(scope="module")
def week(catalogue: Catalogue) -> Plays:
    return play(SOCIETY, catalogue, BEGIN)


def test_the_same_seed_gives_the_same_plays(week: Plays) -> None:
    again = make_catalogue(1, 2_000)
    assert are_same(week, play(SOCIETY, again, BEGIN))


def test_another_seed_gives_other_songs_and_other_people(week: Plays) -> None:
    first, second = make_catalogue(1, 2_000), make_catalogue(2, 2_000)
    assert not set(first.song_ids) & set(second.song_ids)
    other = play(replace(SOCIETY, seed=2), second, BEGIN, DAY_MS)
    for name in ("user", "session", "play"):
        assert not set(getattr(week, name).tolist()) & set(getattr(other, name).tolist())


def test_no_two_plays_or_sessions_have_the_same_random_word(week: Plays) -> None:
    assert len(set(week.play.tolist())) == len(week)
    sessions = set(zip(week.session.tolist(), week.user.tolist(), strict=True))
    assert len(sessions) == len(set(week.session.tolist()))


def test_plays_come_in_order_and_within_the_time_asked_for(week: Plays) -> None:
    assert (week.event_time[1:] >= week.event_time[:-1]).all()
    assert BEGIN <= week.event_time[0] < BEGIN + HOUR_MS
    assert BEGIN + 7 * DAY_MS - HOUR_MS < week.event_time[-1] < BEGIN + 7 * DAY_MS


@pytest.mark.parametrize("step", [61_001, HOUR_MS, 5 * HOUR_MS + 1, 3 * DAY_MS])
def test_plays_are_the_same_in_any_steps(step: int, week: Plays, catalogue: Catalogue) -> None:
    length = HOUR_MS if step == 61_001 else 2 * DAY_MS
    stepped = play(SOCIETY, catalogue, BEGIN, length, step=step)
    assert are_same(stepped, between(week, BEGIN, BEGIN + length))


@pytest.mark.parametrize(
    "start",
    ["2024-03-08", "2024-03-09T23:59:59.999Z", "2024-03-10T06:30:00.001Z", "2024-03-12T13:00:00Z"],
)
def test_a_single_day_equals_that_day_of_a_longer_run(
    start: str, week: Plays, catalogue: Catalogue
) -> None:
    begin = parse_time(start)
    day = play(SOCIETY, catalogue, begin, DAY_MS)
    assert len(day) > 100_000
    assert are_same(day, between(week, begin, begin + DAY_MS))


@pytest.mark.parametrize(
    ("society", "is_steady"),
    [
        (society_of(3_000, 1), False),
        (society_of(200, 235), False),
        (society_of(200, 235), True),
        (society_of(500, 40, growth=0.5, stay_days=3), True),
        (society_of(500, 40, growth=3.0), False),
    ],
)
def test_a_single_day_equals_that_day_for_all_kinds_of_audiences(
    society: Society, catalogue: Catalogue, *, is_steady: bool
) -> None:
    end = BEGIN + 6 * DAY_MS
    whole = play(society, catalogue, BEGIN, 6 * DAY_MS, is_steady=is_steady)
    begin = BEGIN + 5 * DAY_MS + 12_345
    last_day = play(society, catalogue, begin, end - begin, is_steady=is_steady)
    assert len(last_day) > 1_000
    assert are_same(last_day, between(whole, begin, end))


def test_an_audience_without_an_end_goes_on_as_one_with_an_end(catalogue: Catalogue) -> None:
    society = society_of(100, 235)
    endless = Audience(society, catalogue, begin=BEGIN)
    parts = [endless.next_plays() for _ in range(20 * 24)]
    last = parts[-1]
    assert last is not None
    assert len(last)
    ended = play(society, catalogue, BEGIN + 19 * DAY_MS, DAY_MS)
    assert are_same(between(ended, endless.moment - HOUR_MS, endless.moment), last)


def test_songs_that_last_hours_are_repeatable_too() -> None:
    """A listener stops such a song at most a quarter of an hour after the session's end."""
    song = CatalogueRow(
        *("Long", "Somebody", "long", None, None, None, 10 * HOUR_MS, 1, None, None, None, None)
    )
    songs = catalogue_of(1, 1, [song])
    society = society_of(500, 5)
    whole = play(society, songs, BEGIN)
    begin = BEGIN + 3 * DAY_MS + 1
    day = play(society, songs, begin, DAY_MS)
    assert len(day) > 100
    assert are_same(day, between(whole, begin, begin + DAY_MS))
    assert HOUR_MS < whole.ms_played.max() <= LONGEST_MS + LONGEST_OVER_MS


@pytest.mark.parametrize(("songs", "listeners"), [(1, 1), (2, 5), (13, 1), (500, 3)])
def test_the_smallest_audiences_play_too(songs: int, listeners: int) -> None:
    plays = play(society_of(listeners, 40), make_catalogue(0, songs), BEGIN)
    assert 0 < len(plays) < 40 * 7 * 3 * listeners
    assert plays.song.max() < songs
    assert len(set(plays.user.tolist())) <= listeners


def test_an_audience_may_play_less_than_once_a_day() -> None:
    audience = Audience(society_of(1, 0.001), make_catalogue(0, 1), begin=BEGIN, end=BEGIN + DAY_MS)
    assert len(rest_of(audience)) < 100
