"""The simulated audience: which listener plays which song, on what, and for how long."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crossfade.clock import SECOND_MS
from crossfade.generator.catalogue import Catalogue, make_catalogue
from crossfade.generator.listeners import DEVICES, Listeners, make_listeners
from crossfade.generator.populations import read_populations

BLOCK = 8_192
"""Plays that are drawn at once. Block b has plays b * BLOCK and on, however they are taken."""

LOCAL_SHARE = 0.3
"""Share of plays that go to artists of the listener's own country, by their popularity."""

MAIN_DEVICE_SHARE = 0.85

SKIPPED_WITHIN = {0.2414: 5 * SECOND_MS, 0.3505: 30 * SECOND_MS}
"""Share of plays that are skipped by then (docs/generator.md names the sources)."""

SKIPPED_EVER = 0.486

_CATALOGUE, _LISTENERS, _PLAYS = range(3)
_DRAWS = 6


@dataclass(frozen=True, slots=True, eq=False)
class Plays:
    """Consecutive plays, a column each; `first` is the first one's number in the sequence."""

    first: int
    listener: NDArray[np.int64]
    song: NDArray[np.int64]
    device: NDArray[np.int64]
    ms_played: NDArray[np.int64]

    def __len__(self) -> int:
        """Count the plays."""
        return len(self.song)

    def part(self, begin: int, end: int) -> "Plays":
        """Give the plays from position `begin` up to but not with `end`, copying nothing."""
        columns = (self.listener, self.song, self.device, self.ms_played)
        return Plays(self.first + begin, *(column[begin:end] for column in columns))


class Audience:
    """A service with its songs and its listeners; everything follows from the seed.

    The plays are one sequence without an end, numbered from 0. Each depends on the seed and its
    number alone: not on when it is asked for, nor with how many others.
    """

    def __init__(self, seed: int, *, songs: int, listeners: int) -> None:
        self.seed = seed
        self.catalogue: Catalogue = make_catalogue(self._rng(_CATALOGUE), songs)
        self.listeners: Listeners = make_listeners(self._rng(_LISTENERS), listeners)
        self._listener_table = _cumulate(self.listeners.activity)
        self._device_table = _cumulate(np.array(list(DEVICES.values())))
        self._taste = _Taste(self.catalogue)

    def draw_block(self, block: int) -> Plays:
        """Draw the plays with numbers `block * BLOCK` to `(block + 1) * BLOCK - 1`."""
        who, what, where, how, device, heard = self._rng(_PLAYS, block).random((_DRAWS, BLOCK))
        listener = _look_up(self._listener_table, who)
        is_local = where < LOCAL_SHARE
        song = self._taste.choose(what, is_local, self.listeners.country[listener])
        is_main = how < MAIN_DEVICE_SHARE
        other_device = _look_up(self._device_table, device)
        return Plays(
            first=block * BLOCK,
            listener=listener,
            song=song,
            device=np.where(is_main, self.listeners.device[listener], other_device),
            ms_played=_listen(heard, self.catalogue.duration_ms[song]),
        )

    def _rng(self, *stream: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, *stream])


class PlaySequence:
    """Takes the plays of an audience in their order, in parts of any size."""

    def __init__(self, audience: Audience) -> None:
        self._blocks = self._draw(audience)
        self._block = next(self._blocks)
        self._taken = 0

    def take(self, at_most: int) -> Plays:
        """Give the next plays: at least one, and fewer than asked where a block ends."""
        if self._taken == BLOCK:
            self._block, self._taken = next(self._blocks), 0
        end = min(self._taken + at_most, BLOCK)
        plays = self._block.part(self._taken, end)
        self._taken = end
        return plays

    @staticmethod
    def _draw(audience: Audience) -> Iterator[Plays]:
        block = 0
        while True:
            yield audience.draw_block(block)
            block += 1


class _Taste:
    """Chooses songs: by everybody's popularity, or among the artists of one country.

    Both ways read one table of cumulated shares: first all songs by popularity, then the same
    songs by country and popularity, so that a country's songs are one stretch of it.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        by_home = np.argsort(catalogue.home, kind="stable")
        shares = np.concatenate([catalogue.popularity, catalogue.popularity[by_home]])
        self._table = _cumulate(shares)
        self._songs = np.concatenate([np.arange(len(by_home)), by_home])
        countries = np.arange(len(read_populations().countries))
        homes = catalogue.home[by_home]
        edges = np.concatenate([[0.0], self._table])
        self._begin = edges[len(homes) + np.searchsorted(homes, countries, "left")]
        self._end = edges[len(homes) + np.searchsorted(homes, countries, "right")]
        self._all = edges[len(homes)]

    def choose(
        self, draw: NDArray[np.float64], is_local: NDArray[np.bool_], country: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Choose a song for each draw; a country without artists listens to everybody's."""
        begin, end = self._begin[country], self._end[country]
        is_local = is_local & (end > begin)
        place = np.where(is_local, begin + draw * (end - begin), draw * self._all)
        return self._songs[_look_up(self._table, place)]


def _listen(draw: NDArray[np.float64], duration_ms: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give the time heard: a skip soon, a skip later, or the whole song."""
    shares, ends = [0.0, *SKIPPED_WITHIN], [0, *SKIPPED_WITHIN.values()]
    soon = np.interp(draw, shares, ends)
    share_soon, end_soon = shares[-1], ends[-1]
    late_part = (draw - share_soon) / (SKIPPED_EVER - share_soon)
    later = end_soon + late_part * (duration_ms - end_soon)
    heard = np.where(draw < share_soon, np.minimum(soon, end_soon - 1), later)
    return np.where(draw < SKIPPED_EVER, heard, duration_ms).astype(np.int64)


def _cumulate(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Make the table in which a draw from [0, 1) finds its item; its last entry is 1 exactly."""
    table = np.cumsum(shares)
    return table / table[-1]


def _look_up(table: NDArray[np.float64], place: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.minimum(np.searchsorted(table, place, "right"), len(table) - 1)
