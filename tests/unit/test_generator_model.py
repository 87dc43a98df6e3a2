"""The simulated audience: repeatable, and shaped as docs/generator.md says."""

from collections import Counter, defaultdict

import numpy as np
import pytest

from crossfade.contract.counting import COUNTED_AFTER_MS
from crossfade.contract.countries import COUNTRIES
from crossfade.contract.play import DEVICES as CONTRACT_DEVICES
from crossfade.generator.catalogue import GENRES, ZIPF_EXPONENT, ZIPF_OFFSET
from crossfade.generator.listeners import DEVICES, TIERS
from crossfade.generator.model import BLOCK, SKIPPED_EVER, Audience, Plays, PlaySequence
from crossfade.generator.populations import read_populations

BLOCKS = 24


@pytest.fixture(scope="module")
def audience() -> Audience:
    return Audience(1, songs=20_000, listeners=20_000)


@pytest.fixture(scope="module")
def plays(audience: Audience) -> Plays:
    blocks = [audience.draw_block(block) for block in range(BLOCKS)]
    columns = ("listener", "song", "device", "ms_played")
    return Plays(0, *(np.concatenate([getattr(b, name) for b in blocks]) for name in columns))


def columns_of(plays: Plays) -> list[list[int]]:
    columns = (plays.listener, plays.song, plays.device, plays.ms_played)
    return [column.tolist() for column in columns]


def test_the_same_seed_gives_the_same_audience_and_plays() -> None:
    first, second = (Audience(7, songs=300, listeners=200) for _ in range(2))
    assert first.catalogue.song_ids == second.catalogue.song_ids
    assert first.catalogue.titles == second.catalogue.titles
    assert first.listeners.user_ids == second.listeners.user_ids
    assert columns_of(first.draw_block(3)) == columns_of(second.draw_block(3))


def test_another_seed_gives_another_audience() -> None:
    first, second = (Audience(seed, songs=300, listeners=200) for seed in (7, 8))
    assert not set(first.catalogue.song_ids) & set(second.catalogue.song_ids)
    assert not set(first.listeners.user_ids) & set(second.listeners.user_ids)
    assert columns_of(first.draw_block(0)) != columns_of(second.draw_block(0))


@pytest.mark.parametrize("sizes", [[1], [50, 3], [BLOCK], [5_000]])
def test_the_sequence_is_the_same_however_it_is_taken(sizes: list[int]) -> None:
    audience = Audience(3, songs=100, listeners=100)
    expected = columns_of(audience.draw_block(0))
    sequence, taken, turn = PlaySequence(audience), 0, 0
    while taken < BLOCK:
        part = sequence.take(sizes[turn % len(sizes)])
        assert part.first == taken
        assert columns_of(part) == [column[taken : taken + len(part)] for column in expected]
        taken, turn = taken + len(part), turn + 1
    assert sequence.take(10).first == BLOCK


def test_popularity_follows_zipfs_law(audience: Audience, plays: Plays) -> None:
    counts = np.bincount(plays.song, minlength=20_000)
    ranks = np.arange(1, 1_001)
    slope = np.polyfit(np.log(ranks + ZIPF_OFFSET), np.log(counts[:1_000] + 0.5), 1)[0]
    assert slope == pytest.approx(-ZIPF_EXPONENT, abs=0.1)
    assert audience.catalogue.popularity[0] == pytest.approx(0.0081, abs=0.0005)


def test_a_song_is_heard_in_many_countries_and_most_where_its_artist_lives(
    audience: Audience, plays: Plays
) -> None:
    country = audience.listeners.country[plays.listener]
    home = audience.catalogue.home[plays.song]
    [india] = (i for i, code in enumerate(read_populations().countries) if code == "IN")
    at_home = float((home[country == india] == india).mean())
    abroad = float((home[country != india] == india).mean())
    assert at_home > abroad + 0.2
    assert abroad > 0.05
    top_abroad = set(np.bincount(plays.song[country != india]).argsort()[-100:].tolist())
    top_india = set(np.bincount(plays.song[country == india]).argsort()[-100:].tolist())
    assert 20 <= len(top_abroad & top_india) < 100


def test_a_third_of_plays_end_within_thirty_seconds_and_half_are_complete(
    audience: Audience, plays: Plays
) -> None:
    duration = audience.catalogue.duration_ms[plays.song]
    assert float((plays.ms_played < 5_000).mean()) == pytest.approx(0.2414, abs=0.005)
    assert float((plays.ms_played < COUNTED_AFTER_MS).mean()) == pytest.approx(0.3505, abs=0.005)
    assert float((plays.ms_played < duration).mean()) == pytest.approx(SKIPPED_EVER, abs=0.005)
    assert plays.ms_played.min() >= 0
    assert (plays.ms_played <= duration).all()


def test_listeners_live_where_people_live(audience: Audience) -> None:
    populations = read_populations()
    counts = np.bincount(audience.listeners.country, minlength=len(populations.countries))
    shares = counts / counts.sum()
    assert np.abs(shares - populations.shares).max() < 0.01
    assert counts[populations.countries.index("SE")] > 0


def test_the_table_of_populations_has_only_countries_of_the_contract() -> None:
    populations = read_populations()
    assert set(populations.countries) < COUNTRIES
    assert "ZZ" not in populations.countries
    assert populations.shares.sum() == pytest.approx(1)
    assert populations.shares.min() > 0


def test_devices_and_tiers_are_mixed_as_stated(audience: Audience, plays: Plays) -> None:
    assert set(DEVICES) <= set(CONTRACT_DEVICES)
    for shares in (DEVICES, TIERS, GENRES):
        assert sum(shares.values()) == pytest.approx(1)
    used = np.bincount(plays.device, minlength=len(DEVICES)) / len(plays)
    assert np.abs(used - np.array(list(DEVICES.values()))).max() < 0.02
    main = audience.listeners.device[plays.listener]
    assert 0.85 < float((plays.device == main).mean()) < 0.95


def test_some_listeners_play_far_more_than_others(audience: Audience) -> None:
    activity = np.sort(audience.listeners.activity)
    assert 0.3 < activity[-2_000:].sum() < 0.5


def test_artists_have_catalogues_of_albums_and_names_of_their_own(audience: Audience) -> None:
    catalogue = audience.catalogue
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


def test_every_song_has_an_id_of_its_own(audience: Audience) -> None:
    assert len(set(audience.catalogue.song_ids)) == 20_000
    assert len(set(audience.listeners.user_ids)) == 20_000


def test_some_names_are_beyond_ascii(audience: Audience) -> None:
    beyond = sum(not title.isascii() for title in audience.catalogue.titles)
    assert 0.02 < beyond / 20_000 < 0.4


@pytest.mark.parametrize(("songs", "listeners"), [(1, 1), (2, 5), (13, 1), (500, 3)])
def test_the_smallest_audiences_play_too(songs: int, listeners: int) -> None:
    plays = Audience(0, songs=songs, listeners=listeners).draw_block(0)
    assert plays.song.max() < songs
    assert plays.listener.max() < listeners
