"""The songs of the simulated service: artists with catalogues, albums, and how popular each is."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crossfade.clock import SECOND_MS
from crossfade.contract.identities import derive_song_id
from crossfade.generator.names import (
    make_artist_names,
    make_different,
    make_titles,
    make_vocabulary,
)
from crossfade.generator.populations import read_populations

ZIPF_EXPONENT = 0.9
ZIPF_OFFSET = 10.0
"""Flattens the head (Mandelbrot): of 20,000 songs the first has 0.8 % of the plays, not 6 %."""

SONGS_AN_ARTIST = 12
SONGS_AN_ALBUM = 11

_MEDIAN_MS = 205 * SECOND_MS
_SIGMA_DURATION = 0.28
_MIN_MS, _MAX_MS = 60 * SECOND_MS, 900 * SECOND_MS
_SIGMA_ARTIST_SIZE = 1.0
_SIGMA_ARTIST_FAME = 1.0
_SIGMA_SONG_FAME = 1.0

GENRES = {
    "pop": 0.22,
    "hip hop": 0.17,
    "rock": 0.15,
    "electronic": 0.10,
    "latin": 0.09,
    "r&b": 0.07,
    "country": 0.05,
    "indie": 0.05,
    "metal": 0.04,
    "classical": 0.03,
    "jazz": 0.02,
    "folk": 0.01,
}


@dataclass(frozen=True, slots=True, eq=False)
class Catalogue:
    """Songs in order of popularity, song 0 first: a column each, indexed by song."""

    song_ids: list[str]
    titles: list[str]
    artists: list[str]
    albums: list[str]
    genres: list[str]
    duration_ms: NDArray[np.int64]
    home: NDArray[np.int64]
    """Index of the country that the song's artist comes from."""
    popularity: NDArray[np.float64]
    """Share of the plays that taste common to all countries gives it; adds up to 1."""


@dataclass(frozen=True, slots=True, eq=False)
class _Artists:
    names: list[str]
    genres: list[str]
    home: NDArray[np.int64]
    fame: NDArray[np.float64]
    sizes: NDArray[np.int64]


def make_catalogue(rng: np.random.Generator, songs: int) -> Catalogue:
    """Make a catalogue; the same generator state gives the same one."""
    vocabulary = make_vocabulary(rng)
    artists = _make_artists(rng, vocabulary, songs)
    artist_of = np.repeat(np.arange(len(artists.names)), artists.sizes)
    titles = _make_song_titles(rng, vocabulary, artist_of)
    albums = _make_albums(rng, vocabulary, artists.sizes)
    fame = artists.fame[artist_of] + rng.normal(0.0, _SIGMA_SONG_FAME, songs)
    durations = _MEDIAN_MS * np.exp(rng.normal(0.0, _SIGMA_DURATION, songs))
    order = np.argsort(-fame, kind="stable")
    names = [artists.names[artist] for artist in artist_of[order].tolist()]
    ordered_titles = [titles[song] for song in order.tolist()]
    return Catalogue(
        song_ids=list(map(derive_song_id, names, ordered_titles)),
        titles=ordered_titles,
        artists=names,
        albums=[albums[song] for song in order.tolist()],
        genres=[artists.genres[artist] for artist in artist_of[order].tolist()],
        duration_ms=np.clip(durations, _MIN_MS, _MAX_MS).astype(np.int64)[order],
        home=artists.home[artist_of[order]],
        popularity=zipf_shares(songs),
    )


def zipf_shares(count: int) -> NDArray[np.float64]:
    """Give each rank its share by the law of Zipf and Mandelbrot; they add up to 1."""
    weights = (np.arange(count) + 1.0 + ZIPF_OFFSET) ** -ZIPF_EXPONENT
    return weights / weights.sum()


def _make_artists(rng: np.random.Generator, vocabulary: list[str], songs: int) -> _Artists:
    count = max(1, songs // SONGS_AN_ARTIST)
    weights = np.exp(rng.normal(0.0, _SIGMA_ARTIST_SIZE, count))
    genres = rng.choice(list(GENRES), count, p=list(GENRES.values()))
    populations = read_populations()
    return _Artists(
        names=make_artist_names(rng, vocabulary, count),
        genres=[str(genre) for genre in genres],
        home=rng.choice(len(populations.countries), count, p=populations.shares),
        fame=rng.normal(0.0, _SIGMA_ARTIST_FAME, count),
        sizes=1 + rng.multinomial(songs - count, weights / weights.sum()),
    )


def _make_song_titles(
    rng: np.random.Generator, vocabulary: list[str], artist_of: NDArray[np.int64]
) -> list[str]:
    """Make titles that are unlike within an artist, so that a song's id names one song."""
    drawn = make_titles(rng, vocabulary, len(artist_of))
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


def _make_albums(
    rng: np.random.Generator, vocabulary: list[str], sizes: NDArray[np.int64]
) -> list[str]:
    """Name each song's album: an artist's songs in order, so many to an album."""
    first_songs = np.cumsum(sizes) - sizes
    position = np.arange(sizes.sum()) - np.repeat(first_songs, sizes)
    is_first = position % SONGS_AN_ALBUM == 0
    names = make_titles(rng, vocabulary, int(is_first.sum()))
    return [names[album] for album in (np.cumsum(is_first) - 1).tolist()]
