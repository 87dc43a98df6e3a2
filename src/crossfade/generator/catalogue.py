"""The songs of the simulated service: artists, albums, and each song's popularity."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from crossfade.clock import SECOND_MS
from crossfade.contract.identities import derive_song_id
from crossfade.generator.catalogue_file import CatalogueRow
from crossfade.generator.draws import (
    Choice,
    Integers,
    LogNormal,
    draw,
    find_normal,
    key_of,
    take_bits,
)
from crossfade.generator.names import (
    make_artist_names,
    make_different,
    make_titles,
    make_vocabulary,
)
from crossfade.generator.places import read_places
from crossfade.generator.releases import release_days

ZIPF_EIGHTHS = 7
"""Popularity falls as rank^-7/8, which needs only square roots, so that it is exactly rounded."""

ZIPF_OFFSET = 10
"""Flattens the head (Mandelbrot): of 20,000 songs, the first gets 0.7 % of the plays, not 5 %."""

HEAVIEST = 1 << 24
"""The weight of the most popular song."""

SONGS_AN_ARTIST = 12
SONGS_AN_ALBUM = 11
NOWHERE = -1
"""The home of an artist whose country is unknown."""

_DURATION = LogNormal(205 * SECOND_MS, 280_000, least=60 * SECOND_MS, most=900 * SECOND_MS)
_SIZE = LogNormal(1_000, 1_000_000)
_BITS = 32
_LONG_AGO = -(1 << 20)

GENRES = {
    "pop": 22,
    "hip hop": 17,
    "rock": 15,
    "electronic": 10,
    "latin": 9,
    "r&b": 7,
    "country": 5,
    "indie": 5,
    "metal": 4,
    "classical": 3,
    "jazz": 2,
    "folk": 1,
}
"""Of a hundred artists, those of each genre."""


@dataclass(frozen=True, slots=True, eq=False)
class Catalogue:
    """Songs in order of popularity, most popular first, as columns indexed by song."""

    song_ids: list[str]
    titles: list[str]
    artists: list[str]
    albums: list[str | None]
    genres: list[str | None]
    duration_ms: Integers
    home: Integers
    """The index of the artist's country, or `NOWHERE`."""
    weight: Integers
    """Popularity without the rise and fall of new releases, from 1 to `HEAVIEST`."""
    release_day: Integers
    """The release day, in days since the epoch (UTC)."""
    album_artists: list[str | None]
    isrcs: list[str | None]
    recording_mbids: list[str | None]

    def __len__(self) -> int:
        """Count the songs."""
        return len(self.song_ids)


@dataclass(frozen=True, slots=True, eq=False)
class _Artists:
    names: list[str]
    genre: NDArray[np.int32]
    home: Integers
    fame: Integers
    sizes: Integers


def catalogue_of(seed: int, songs: int, rows: Sequence[CatalogueRow] = ()) -> Catalogue:
    """Return the catalogue of a simulation: a user's songs if given, else simulated ones."""
    if not rows:
        return make_catalogue(seed, songs)
    ordered = sorted(rows, key=lambda row: -row.weight)
    index = {country: number for number, country in enumerate(read_places().countries)}
    return Catalogue(
        song_ids=[row.song_id for row in ordered],
        titles=[row.title for row in ordered],
        artists=[row.artist for row in ordered],
        albums=[row.album for row in ordered],
        genres=[row.genre for row in ordered],
        duration_ms=np.array([row.duration_ms for row in ordered], np.int64),
        home=np.array([index.get(row.country or "", NOWHERE) for row in ordered], np.int64),
        weight=np.array([row.weight for row in ordered], np.int64),
        release_day=np.array([row.release_day or _LONG_AGO for row in ordered], np.int64),
        album_artists=[row.album_artist for row in ordered],
        isrcs=[row.isrc for row in ordered],
        recording_mbids=[row.recording_mbid for row in ordered],
    )


def make_catalogue(seed: int, songs: int) -> Catalogue:
    """Build a catalogue, which depends only on the seed and the number of songs."""
    key = partial(key_of, seed)
    vocabulary = make_vocabulary(key("words"))
    artists = _make_artists(seed, vocabulary, songs)
    artist_of = np.repeat(np.arange(len(artists.names)), artists.sizes)
    number = np.arange(songs)
    position = number - np.repeat(np.cumsum(artists.sizes) - artists.sizes, artists.sizes)
    titles = _make_song_titles(make_titles(key("titles"), vocabulary, songs), artist_of)
    is_first = position % SONGS_AN_ALBUM == 0
    album_of = np.cumsum(is_first) - 1
    album_names = make_titles(key("albums"), vocabulary, int(is_first.sum()))
    released = release_days(key("releases"), artist_of[is_first], position[is_first])[album_of]
    fame = artists.fame[artist_of] + find_normal(
        take_bits(draw(key("fame"), number), 32, 32), _BITS
    )
    durations = _DURATION.find(take_bits(draw(key("durations"), number), 32, 32), _BITS)
    order = np.argsort(-fame, kind="stable")
    names = [artists.names[artist] for artist in artist_of[order].tolist()]
    ordered_titles = [titles[song] for song in order.tolist()]
    genres = list(GENRES)
    return Catalogue(
        song_ids=list(map(derive_song_id, names, ordered_titles)),
        titles=ordered_titles,
        artists=names,
        albums=[album_names[album] for album in album_of[order].tolist()],
        genres=[genres[genre] for genre in artists.genre[artist_of[order]].tolist()],
        duration_ms=durations[order],
        home=artists.home[artist_of[order]],
        weight=zipf_weights(songs),
        release_day=released[order],
        album_artists=[None] * songs,
        isrcs=[None] * songs,
        recording_mbids=[None] * songs,
    )


def zipf_weights(count: int) -> Integers:
    """Return each rank's weight by the law of Zipf and Mandelbrot.

    It is (rank + 10)^-7/8, from square roots, products and one division, which IEEE 754 rounds the
    same on every machine.
    """
    rank = np.arange(count, dtype=np.float64) + (1 + ZIPF_OFFSET)
    half = np.sqrt(rank)
    quarter = np.sqrt(half)
    eighth = np.sqrt(quarter)
    falling = 1.0 / (half * quarter * eighth)
    return np.maximum((falling / falling[0] * HEAVIEST).astype(np.int64), 1)


def _make_artists(seed: int, vocabulary: list[str], songs: int) -> _Artists:
    count = max(1, songs // SONGS_AN_ARTIST)
    number = np.arange(count)
    size = _SIZE.find(take_bits(draw(key_of(seed, "sizes"), number), 32, 32), _BITS)
    sizes = 1 + size * (songs - count) // int(size.sum())
    sizes[: songs - int(sizes.sum())] += 1
    return _Artists(
        names=make_artist_names(key_of(seed, "artists"), vocabulary, count),
        genre=Choice(list(GENRES.values())).find(draw(key_of(seed, "genres"), number)),
        home=Choice(read_places().people, 20)
        .find(draw(key_of(seed, "homes"), number))
        .astype(np.int64),
        fame=find_normal(take_bits(draw(key_of(seed, "famous"), number), 32, 32), _BITS),
        sizes=sizes,
    )


def _make_song_titles(drawn: list[str], artist_of: Integers) -> list[str]:
    """Return titles that are distinct per artist, so that a song's id names one song."""
    titles: list[str] = []
    taken: dict[str, None] = {}
    last = -1
    for artist, drawn_title in zip(artist_of.tolist(), drawn, strict=True):
        if artist != last:
            taken, last = {}, artist
        title = make_different(drawn_title, taken)
        taken[title] = None
        titles.append(title)
    return titles
