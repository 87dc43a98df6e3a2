"""The simulated audience plays songs with the distributions that docs/generator.md states."""

import math
from collections import Counter, defaultdict

import numpy as np
import pytest
from numpy.typing import NDArray

from crossfade.clock import DAY_MS, HOUR_MS, MINUTE_MS, parse_time
from crossfade.contract.counting import COUNTED_AFTER_MS
from crossfade.errors import MisuseError
from crossfade.generator.catalogue import (
    ZIPF_EIGHTHS,
    ZIPF_OFFSET,
    Catalogue,
    catalogue_of,
    make_catalogue,
    zipf_weights,
)
from crossfade.generator.catalogue_file import CatalogueRow
from crossfade.generator.draws import draw, key_of
from crossfade.generator.habits import MAX_PLAYS_A_DAY
from crossfade.generator.model import Audience
from crossfade.generator.places import read_places
from crossfade.generator.plays import Plays
from crossfade.generator.releases import PEAK_AFTER_DAYS, age_permille
from crossfade.generator.taste import LOCAL_OF_256, Taste
from support.audiences import play, society_of

SONGS = 20_000
LISTENERS = 20_000
BEGIN = parse_time("2024-05-06")
SOCIETY = society_of(LISTENERS, 30)
SETTLED_DAYS = 400


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return make_catalogue(1, SONGS)


@pytest.fixture(scope="module")
def plays(catalogue: Catalogue) -> Plays:
    return play(SOCIETY, catalogue, BEGIN)


@pytest.fixture(scope="module")
def live(catalogue: Catalogue) -> Plays:
    return play(SOCIETY, catalogue, BEGIN, is_steady=True)


def country_of(plays: Plays, code: str) -> NDArray[np.bool_]:
    places = read_places()
    return places.country[plays.place] == places.countries.index(code)


def slope_of(counts: NDArray[np.int64], ranks: NDArray[np.int64]) -> float:
    """Fit a power law of rank + 10 to the counts, in bins that grow with the rank."""
    edges = np.geomspace(1, SONGS, 20)
    bins = np.digitize(ranks + 1, edges)
    found = np.unique(bins)
    x = [math.log((ranks[bins == one] + 1 + ZIPF_OFFSET).mean()) for one in found]
    y = [math.log(counts[bins == one].mean()) for one in found]
    return float(np.polyfit(x, y, 1)[0])


def test_worldwide_popularity_follows_zipf_and_mandelbrot(catalogue: Catalogue) -> None:
    taste = Taste(catalogue)
    taste.open_day(BEGIN // DAY_MS)
    words = draw(key_of(1, "zipf"), np.arange(2_000_000)) | np.uint64(0xFF)
    zeros = np.zeros(len(words), np.int64)
    counts = np.bincount(taste.choose(words, zeros, zeros), minlength=SONGS)
    [settled] = np.nonzero(BEGIN // DAY_MS - catalogue.release_day > SETTLED_DAYS)
    assert slope_of(counts[settled], settled) == pytest.approx(-ZIPF_EIGHTHS / 8, abs=0.01)


def test_popularity_among_all_plays_is_close_to_it(catalogue: Catalogue, plays: Plays) -> None:
    """The favourites of countries and genres raise some rare songs."""
    counts = np.bincount(plays.song, minlength=SONGS)
    [settled] = np.nonzero(BEGIN // DAY_MS - catalogue.release_day > SETTLED_DAYS)
    assert slope_of(counts[settled], settled) == pytest.approx(-ZIPF_EIGHTHS / 8, abs=0.05)


def test_weights_fall_from_the_first_song_to_the_last() -> None:
    weights = zipf_weights(1_000_000)
    assert (np.diff(weights) <= 0).all()
    assert weights[-1] >= 1
    assert weights[0] / weights[:SONGS].sum() == pytest.approx(0.0073, abs=0.0005)


def test_large_countries_share_more_than_half_of_their_top_fifty(plays: Plays) -> None:
    def favourites(code: str) -> set[int]:
        counts = np.bincount(plays.song[country_of(plays, code)], minlength=SONGS)
        return set(counts.argsort()[-50:].tolist())

    india, states, brazil = map(favourites, ("IN", "US", "BR"))
    for one, other in ((india, states), (states, brazil), (india, brazil)):
        assert 24 <= len(one & other) <= 36


def test_listeners_play_more_songs_by_artists_of_their_own_country(
    catalogue: Catalogue, plays: Plays
) -> None:
    india = country_of(plays, "IN")
    is_indian = catalogue.home[plays.song] == read_places().countries.index("IN")
    at_home, abroad = float(is_indian[india].mean()), float(is_indian[~india].mean())
    # Listeners elsewhere prefer artists of their own countries in the same way.
    assert at_home - abroad == pytest.approx(LOCAL_OF_256 / 256, abs=0.03)


def test_a_third_of_plays_end_within_thirty_seconds_and_half_are_complete(
    catalogue: Catalogue, plays: Plays
) -> None:
    duration = catalogue.duration_ms[plays.song]
    assert float((plays.ms_played < 5_000).mean()) == pytest.approx(0.2414, abs=0.002)
    assert float((plays.ms_played < COUNTED_AFTER_MS).mean()) == pytest.approx(0.3505, abs=0.002)
    assert float((plays.ms_played < duration).mean()) == pytest.approx(0.486, abs=0.002)
    assert plays.ms_played.min() >= 0
    assert (plays.ms_played <= duration).all()


@pytest.mark.parametrize("is_steady", [False, True])
def test_the_number_of_plays_follows_the_rate(
    *, is_steady: bool, plays: Plays, live: Plays
) -> None:
    reached = len(live if is_steady else plays) / 7 / LISTENERS
    assert reached == pytest.approx(30, rel=0.02)


@pytest.mark.parametrize(
    ("listeners", "plays_a_day"), [(60_000, 1), (2_000, 120), (1_000, MAX_PLAYS_A_DAY)]
)
@pytest.mark.parametrize("is_steady", [False, True])
def test_the_rate_is_met_for_few_plays_and_for_many(
    listeners: int, plays_a_day: float, *, is_steady: bool
) -> None:
    songs = make_catalogue(1, 1_000)
    society = society_of(listeners, plays_a_day)
    found = play(society, songs, BEGIN, is_steady=is_steady, step=6 * HOUR_MS)
    assert len(found) / 7 / listeners == pytest.approx(plays_a_day, rel=0.035)


def test_a_rate_beyond_what_a_listener_can_hear_is_refused() -> None:
    with pytest.raises(MisuseError, match="Give more --listeners"):
        Audience(society_of(100, 241), make_catalogue(1, 10), begin=BEGIN)


def test_live_plays_come_evenly_and_past_plays_follow_day_and_night(
    plays: Plays, live: Plays
) -> None:
    past, present = (np.bincount(one.event_time // HOUR_MS % 24) for one in (plays, live))
    assert present.std() / present.mean() < 0.04
    assert past.max() > 2 * past.min()


def test_live_plays_come_evenly_though_each_country_sleeps_at_night(live: Plays) -> None:
    local = (live.event_time[country_of(live, "US")] // MINUTE_MS - 300) // 60 % 24
    by_hour = np.bincount(local, minlength=24)
    assert by_hour[18] > 4 * by_hour[4]


def test_no_song_is_played_before_its_release(catalogue: Catalogue, plays: Plays) -> None:
    assert (catalogue.release_day > BEGIN // DAY_MS).mean() > 0.2
    assert (catalogue.release_day[plays.song] <= plays.event_time // DAY_MS).all()
    assert ((catalogue.release_day - 1) % 7 == 0).all()


def row(number: int, released: int | None) -> CatalogueRow:
    name = f"song {number}"
    rest = (None, None, None, 180_000, 100, None, released, None, None)
    return CatalogueRow(name, "artist", name, *rest)


def test_a_release_rises_for_a_week_and_falls_by_half_each_fortnight() -> None:
    day = BEGIN // DAY_MS + 10
    songs = catalogue_of(1, 50, [row(number, None if number else day) for number in range(50)])
    found = play(society_of(4_000, 20), songs, BEGIN, 50 * DAY_MS, step=DAY_MS)
    on_day = (found.event_time - BEGIN) // DAY_MS
    number = songs.song_ids.index("song 0")
    new = np.bincount(on_day[found.song == number], minlength=50)
    assert new[:10].sum() == 0
    # The other songs are as popular as the new one will be at the end.
    times_usual = new * 49 / np.bincount(on_day[found.song != number], minlength=50)
    law = age_permille(np.arange(50) - 10) / 1_000
    assert np.abs(times_usual / np.maximum(law, 0.01) - 1)[10:].max() < 0.12
    assert int(times_usual.argmax()) == 10 + PEAK_AFTER_DAYS
    assert times_usual.max() == pytest.approx(8, rel=0.05)
    assert times_usual[10 + PEAK_AFTER_DAYS + 14] == pytest.approx(1 + 7 / 2, rel=0.08)


def test_artists_have_albums_and_unique_names(catalogue: Catalogue) -> None:
    songs = Counter(catalogue.artists)
    assert 1_500 < len(songs) < 1_800
    assert max(songs.values()) > 50 > 3 > min(songs.values())
    albums = defaultdict(set)
    genres = defaultdict(set)
    for artist, album, genre in zip(
        catalogue.artists, catalogue.albums, catalogue.genres, strict=True
    ):
        albums[artist].add(album)
        genres[artist].add(genre)
    assert max(map(len, albums.values())) > 4
    assert {len(of_one) for of_one in genres.values()} == {1}


def test_every_song_has_a_unique_id(catalogue: Catalogue) -> None:
    assert len(set(catalogue.song_ids)) == SONGS


def test_some_names_are_not_ascii(catalogue: Catalogue) -> None:
    beyond = sum(not title.isascii() for title in catalogue.titles)
    assert 0.02 < beyond / SONGS < 0.4
