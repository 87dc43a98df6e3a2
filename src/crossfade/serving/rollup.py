"""The rows of one window, summed by song, artist and country as they arrive."""

import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from enum import StrEnum

from datasketches import hll_sketch, hll_union

from crossfade.clock import utc_date
from crossfade.contract.counting import SKETCH_LG_K
from crossfade.contract.identities import artist_key
from crossfade.kafka.window_log import Grain, WindowRow, WindowValue
from crossfade.serving.merge import Names

_MAX_PENDING = 256
"""The most sketches of a country that wait to be united; a request may have to unite them."""

_ZERO = (0, 0, 0)


class By(StrEnum):
    """What rows are summed by; the values are the kinds in gold/listeners."""

    SONG = "song"
    ARTIST = "artist"
    COUNTRY = "country"

    def key_of(self, grain: Grain) -> str:
        """Return a row's key: its song id, its artist's key or its country."""
        if self is By.SONG:
            return grain.song_id
        return artist_key(grain.artist) if self is By.ARTIST else grain.country


Sums = tuple[int, int, int]
"""Plays, counted plays, milliseconds heard; a plain tuple, since a request adds very many."""


class _Tally:
    """The sums of one key, and the grains of the rows that are in them."""

    __slots__ = ("counted_plays", "grains", "ms_played", "plays")

    def __init__(self) -> None:
        self.plays = 0
        self.counted_plays = 0
        self.ms_played = 0
        self.grains: list[Grain] = []

    def add(self, plays: int, counted_plays: int, ms_played: int) -> None:
        """Add the increase of a row."""
        self.plays += plays
        self.counted_plays += counted_plays
        self.ms_played += ms_played


class WindowRollup:
    """One window of one generation of speed: the newest value of each row, and their sums."""

    def __init__(self, window_start: int) -> None:
        self._day = utc_date(window_start)
        self._rows: dict[Grain, tuple[int, WindowValue]] = {}
        self._songs: dict[str, _Tally] = defaultdict(_Tally)
        self._artists: dict[str, _Tally] = defaultdict(_Tally)
        self._countries: dict[str, _Tally] = defaultdict(_Tally)
        self._pending: dict[str, dict[Grain, bytes]] = defaultdict(dict)
        self._unions: dict[str, hll_union] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def apply(self, row: WindowRow) -> bool:
        """Replace the row that is held, unless it has a higher (epoch, batch) than this one.

        Returns:
            Whether the row was applied.
        """
        grain, value, epoch = row.key.grain, row.value, row.key.epoch
        held = self._rows.get(grain)
        if held is None:
            grain = _intern(grain)
            for tally in self._tallies_of(grain):
                tally.add(value.plays, value.counted_plays, value.ms_played)
                tally.grains.append(grain)
        else:
            held_epoch, old = held
            if (held_epoch, old.batch) > (epoch, value.batch):
                return False
            for tally in self._tallies_of(grain):
                tally.add(
                    value.plays - old.plays,
                    value.counted_plays - old.counted_plays,
                    value.ms_played - old.ms_played,
                )
        self._rows[grain] = epoch, value
        pending = self._pending[grain.country]
        pending[grain] = value.listeners
        if len(pending) >= _MAX_PENDING:
            self._unite_country(grain.country)
        return True

    def sums_of(self, by: By, key: str) -> Sums:
        """Return one key's measures."""
        tally = self._tallies(by).get(key)
        return _ZERO if tally is None else (tally.plays, tally.counted_plays, tally.ms_played)

    def add_to(self, sums: dict[str, Sums], by: By) -> None:
        """Add each key's measures to those of other windows."""
        known = sums.get
        for key, tally in self._tallies(by).items():
            plays, counted, ms_played = known(key, _ZERO)
            sums[key] = (
                plays + tally.plays,
                counted + tally.counted_plays,
                ms_played + tally.ms_played,
            )

    def add_country_to(self, sums: dict[str, Sums], by: By, country: str) -> None:
        """Add each key's measures in one country to those of other windows."""
        for grain in self._grains(By.COUNTRY, country):
            key, value = by.key_of(grain), self._rows[grain][1]
            plays, counted, ms_played = sums.get(key, _ZERO)
            sums[key] = (
                plays + value.plays,
                counted + value.counted_plays,
                ms_played + value.ms_played,
            )

    def find_names(self, song_id: str) -> Names | None:
        """Return a song's most played names in this window; None if it has no row."""
        rows = ((grain, self._rows[grain][1].plays) for grain in self._grains(By.SONG, song_id))
        names = (Names(self._day, plays, grain.title, grain.artist) for grain, plays in rows)
        return max(names, default=None)

    def count_spellings(self, counts: Counter[str], key: str, country: str | None) -> None:
        """Add the plays of each spelling of an artist."""
        for grain in self._grains(By.ARTIST, key):
            if country in (None, grain.country):
                counts[grain.artist] += self._rows[grain][1].plays

    def sketches(self, by: By, key: str, country: str | None = None) -> Iterator[bytes]:
        """Yield the sketches whose union holds a key's listeners."""
        if by is By.COUNTRY:
            if key in self._countries:
                yield bytes(self._unite_country(key).get_result().serialize_compact())
            return
        for grain in self._grains(by, key):
            if country in (None, grain.country):
                yield self._rows[grain][1].listeners

    def _unite_country(self, country: str) -> hll_union:
        """Add only the pending sketches: a row's later sketch includes its earlier one."""
        union = self._unions.get(country)
        if union is None:
            union = self._unions[country] = hll_union(SKETCH_LG_K)
        for sketch in self._pending.pop(country, {}).values():
            union.update(hll_sketch.deserialize(sketch))
        return union

    def _tallies(self, by: By) -> dict[str, _Tally]:
        if by is By.SONG:
            return self._songs
        return self._artists if by is By.ARTIST else self._countries

    def _tallies_of(self, grain: Grain) -> tuple[_Tally, _Tally, _Tally]:
        return (
            self._songs[grain.song_id],
            self._artists[artist_key(grain.artist)],
            self._countries[grain.country],
        )

    def _grains(self, by: By, key: str) -> Iterable[Grain]:
        tally = self._tallies(by).get(key)
        return tally.grains if tally is not None else ()


def _intern(grain: Grain) -> Grain:
    """Keep one copy of each text that many windows and countries share."""
    return Grain._make(None if text is None else sys.intern(text) for text in grain)
