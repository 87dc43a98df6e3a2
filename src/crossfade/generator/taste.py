"""The choice of songs: from all songs, from the listener's genre, or from the country's artists."""

import numpy as np
from numpy.typing import NDArray

from crossfade.generator.catalogue import NOWHERE, Catalogue
from crossfade.generator.draws import Integers, Words, take_bits
from crossfade.generator.places import read_places
from crossfade.generator.releases import age_permille

LOCAL_OF_256 = 77
"""Of 256 plays, those of artists from the listener's country."""

GENRE_OF_256 = 115
"""Of 256 plays, those of the listener's favourite genre; the rest are chosen from all songs."""

_PLACES_A_SONG = 16
_LEAST, _MOST = 1 << 8, 1 << 24
_ALL_SONGS = 0
_PERMILLE = 1_000


class Taste:
    """One table for all cells: all songs, each genre's, and each country's artists'.

    A cell holds each of its songs in proportion to the song's weight. New releases rise and fall,
    so the table is built again for each UTC day; it has no song that is not released yet.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        songs = np.arange(len(catalogue))
        self.genres = list(dict.fromkeys(genre for genre in catalogue.genres if genre))
        index = {genre: number for number, genre in enumerate(self.genres)}
        genre = np.array([index.get(one or "", NOWHERE) for one in catalogue.genres], np.int64)
        self.genre_weights = np.bincount(
            genre[genre >= 0], catalogue.weight[genre >= 0], minlength=len(self.genres)
        ).astype(np.int64)
        """The total weight of each genre's songs."""
        countries = len(read_places().countries)
        first_country = 1 + len(self.genres)
        cells = [songs * 0, 1 + genre, first_country + catalogue.home]
        kept = [songs, songs[genre >= 0], songs[catalogue.home >= 0]]
        cell = np.concatenate([one[which] for one, which in zip(cells, kept, strict=True)])
        order = np.argsort(cell, kind="stable")
        self._cell = cell[order]
        self._song = np.concatenate(kept)[order].astype(np.int32)
        self._first_country = first_country
        counts = np.bincount(cell, minlength=first_country + countries)
        self._ends = np.cumsum(counts)
        sizes = [1 << (count * _PLACES_A_SONG).bit_length() for count in counts.tolist()]
        self._sizes = np.clip(np.array(sizes, np.int64), _LEAST, _MOST)
        self._day: int | None = None
        self._table: NDArray[np.int32] = np.empty(0, np.int32)
        self._begin = self._size = np.empty(0, np.int64)

    def open_day(self, day: int) -> None:
        """Build the table for a day, counted from the epoch, unless it is already built."""
        if day == self._day:
            return
        self._day = day
        age = age_permille(day - self._catalogue.release_day)
        weight = self._catalogue.weight * age // _PERMILLE
        if not weight.any():
            weight = self._catalogue.weight
        self._fill(weight[self._song])

    def choose(
        self, words: Words, genre: NDArray[np.integer], country: Integers
    ) -> NDArray[np.int32]:
        """Choose a song for each word: its lowest 8 bits choose the cell, its upper 32 the song.

        If a country or genre has no released song, choose from all songs.
        """
        kind = take_bits(words, 0, 8)
        cell = np.where(kind < LOCAL_OF_256, self._first_country + country, _ALL_SONGS)
        if self.genres:
            is_genre = (kind >= LOCAL_OF_256) & (kind < LOCAL_OF_256 + GENRE_OF_256)
            cell = np.where(is_genre, 1 + genre, cell)
        place = self._begin[cell] + ((take_bits(words, 32, 32) * self._size[cell]) >> 32)
        return self._table[place]

    def _fill(self, weight: Integers) -> None:
        """Fill the table with each song's share of its cell's places, rounded to whole places."""
        until = np.concatenate([[0], np.cumsum(weight)])
        first = np.concatenate([[0], self._ends[:-1]])
        total = until[self._ends] - until[first]
        sizes = np.where(total > 0, self._sizes, 0)
        done = until[1:] - until[first][self._cell]
        # A cell weighs less than 2^39 places, and has at most 2^24 of them.
        ends = done * sizes[self._cell] // np.maximum(total[self._cell], 1)
        begins = np.cumsum(sizes) - sizes
        places = np.diff(np.concatenate([[0], begins[self._cell] + ends]))
        self._table = np.repeat(self._song, places)
        self._begin = np.where(total > 0, begins, begins[_ALL_SONGS])
        self._size = np.where(total > 0, sizes, sizes[_ALL_SONGS])
