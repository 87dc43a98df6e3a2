"""A scenario's effects on the plays: spikes, bots, and silent countries."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from crossfade.clock import DAY_MS, MINUTE_MS, SECOND_MS
from crossfade.errors import MisuseError
from crossfade.generator.catalogue import Catalogue
from crossfade.generator.draws import Integers, below, draw, key_of, mix
from crossfade.generator.places import Homes, read_places
from crossfade.generator.plays import Plays
from crossfade.generator.scenario import BotKind, Bots, Silence, Spike

LOOPER_MS = 31 * SECOND_MS
"""A looper plays each song for a second longer than a counted play needs."""

FARM_SONGS = 5

_PERMILLE = 1_000


class UtcOffsets(Protocol):
    """Computes how far the clocks of places are ahead of UTC."""

    def __call__(self, place: NDArray[np.int16], time: Integers, /) -> NDArray[np.int16]:
        """Return the minutes for each pair of place and time."""


class Spikes:
    """Redirects plays to the songs of spikes."""

    def __init__(
        self, spikes: Sequence[Spike], catalogue: Catalogue, *, seed: int, begin: int
    ) -> None:
        self._begin = begin
        self._duration = catalogue.duration_ms
        self._spikes = [
            (
                spike,
                _songs_of(spike, catalogue),
                _country(spike.country),
                key_of(seed, f"spike {i}"),
            )
            for i, spike in enumerate(spikes)
        ]

    def apply(self, plays: Plays) -> Plays:
        """Change the songs of the plays that follow a spike; whole plays stay whole plays."""
        for spike, songs, country, key in self._spikes:
            since = plays.event_time - self._begin - spike.at_ms
            words = mix(plays.play ^ key)
            risen = np.minimum(since * _PERMILLE // max(spike.rise_ms, 1), _PERMILLE)
            share = round(spike.share * _PERMILLE) * np.where(spike.rise_ms, risen, _PERMILLE)
            follows = (since >= 0) & (since < spike.for_ms) & (below(words, _PERMILLE**2) < share)
            if country is not None:
                follows &= read_places().country[plays.place] == country
            plays = self._redirect(plays, follows, songs[below(mix(words), len(songs))])
        return plays

    def _redirect(self, plays: Plays, follows: NDArray[np.bool_], songs: Integers) -> Plays:
        was_whole = plays.ms_played >= self._duration[plays.song]
        song = np.where(follows, songs, plays.song).astype(np.int32)
        duration = self._duration[song]
        heard = np.where(was_whole, duration, np.minimum(plays.ms_played, duration - 1))
        return plays.changed(song=song, ms_played=np.where(follows, heard, plays.ms_played))


class BotAccounts:
    """Generates the plays of bots: each account plays at regular intervals by its kind's rule."""

    def __init__(
        self, bots: Sequence[Bots], catalogue: Catalogue, *, seed: int, begin: int
    ) -> None:
        self._begin = begin
        self._catalogue = catalogue
        self.names = [f"{one.kind}-{number}" for number, one in enumerate(bots)]
        out = np.flatnonzero(catalogue.release_day <= begin // DAY_MS)
        released = out if len(out) else np.arange(len(catalogue))
        self._farms = [
            _Farm(one, catalogue, released, seed=seed, number=number)
            for number, one in enumerate(bots)
        ]

    def play(self, begin: int, end: int, offsets: UtcOffsets) -> list[tuple[int, Plays]]:
        """Return each farm's number and its plays in [`begin`, `end`)."""
        span = (begin - self._begin, end - self._begin)
        played = [
            (number, farm.play(*span, origin=self._begin, offsets=offsets))
            for number, farm in enumerate(self._farms)
        ]
        return [(number, plays) for number, plays in played if len(plays)]


class _Farm:
    def __init__(
        self, bots: Bots, catalogue: Catalogue, released: Integers, *, seed: int, number: int
    ) -> None:
        self._kind = bots.kind
        self._duration = catalogue.duration_ms
        self._period = max(1, round(MINUTE_MS / bots.plays_a_minute))
        accounts = np.arange(bots.accounts)
        self._user = draw(key_of(seed, f"bots {number}"), accounts)
        self._phase = below(mix(self._user), self._period)
        places, country = read_places(), _country(bots.country)
        home = Homes().find(mix(self._user))
        if country is not None:
            home = np.full(bots.accounts, int(np.searchsorted(places.country, country)))
        self._home = home
        self._places = places
        self._songs = released
        self._rank = released[below(draw(key_of(seed, f"songs {number}"), accounts), len(released))]
        artist = catalogue.artists[int(self._rank[0])]
        same = [song for song in released.tolist() if catalogue.artists[song] == artist]
        self._list = np.array(same[:FARM_SONGS], np.int64)

    def play(self, begin: int, end: int, *, origin: int, offsets: UtcOffsets) -> Plays:
        first = np.maximum(-(-(begin - self._phase) // self._period), 0)
        counts = np.maximum(-(-(end - self._phase) // self._period) - first, 0)
        account = np.repeat(np.arange(len(counts)), counts)
        turn = np.arange(len(account)) - np.repeat(np.cumsum(counts) - counts, counts)
        turn += first[account]
        time = origin + self._phase[account] + turn * self._period
        play = draw(self._user[account], turn)
        song = self._choose(account, turn, play)
        place = self._home[account]
        if self._kind is BotKind.TRAVELLER:
            place = below(mix(play), len(self._places.country))
        duration = self._duration[song]
        is_short = self._kind in (BotKind.LOOPER, BotKind.FARM)
        heard = np.minimum(duration, LOOPER_MS) if is_short else duration
        zeros = np.zeros(len(time), np.int8)
        where = place.astype(np.int16)
        plays = Plays(
            *(time, self._user[account], where, zeros, zeros, song.astype(np.int32), heard),
            *(mix(self._user[account]), play, offsets(where, time), zeros.astype(np.bool_)),
        )
        return plays.take(np.argsort(time, kind="stable"))

    def _choose(self, account: Integers, turn: Integers, play: NDArray[np.uint64]) -> Integers:
        match self._kind:
            case BotKind.LOOPER:
                return self._rank[account]
            case BotKind.FARM:
                return self._list[turn % len(self._list)]
            case _:
                return self._songs[below(play, len(self._songs))]


class Silences:
    """Holds back the plays of silent countries."""

    def __init__(self, silences: Sequence[Silence], *, begin: int) -> None:
        self._silences = [(one, _country(one.country), begin + one.at_ms) for one in silences]

    def held_until(self, plays: Plays) -> tuple[NDArray[np.bool_], Integers]:
        """Return which plays are held back, and until when: `LOST` for those never sent."""
        is_held = np.zeros(len(plays), np.bool_)
        until = plays.event_time.copy()
        for silence, country, begin in self._silences:
            end = begin + silence.for_ms
            concerned = read_places().country[plays.place] == country
            concerned &= (plays.event_time >= begin) & (plays.event_time < end)
            is_held |= concerned
            until[concerned] = end if silence.then == "all_at_once" else LOST
        return is_held, until


LOST = 1 << 61
"""A sending time later than any other: the record is never sent."""


def _songs_of(spike: Spike, catalogue: Catalogue) -> Integers:
    rank = spike.album_of if spike.song is None else spike.song
    if rank is None or rank >= len(catalogue):
        what = f"The scenario's song {rank} is not among {len(catalogue):,} songs."
        raise MisuseError(what, "Give more --songs, or a smaller rank.")
    if spike.song is not None:
        return np.array([rank], np.int64)
    album = (catalogue.artists[rank], catalogue.albums[rank])
    both = zip(catalogue.artists, catalogue.albums, strict=True)
    return np.array([song for song, one in enumerate(both) if one == album], np.int64)


def _country(code: str | None) -> int | None:
    countries = read_places().countries
    if code is None:
        return None
    if code not in countries:
        what = f"There are no simulated listeners in {code}."
        raise MisuseError(what, "Name another country in the scenario.")
    return countries.index(code)
