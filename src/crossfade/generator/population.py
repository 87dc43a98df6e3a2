"""The songs that listeners start, in order of time."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crossfade.clock import DAY_MS, HOUR_MS, floor_to
from crossfade.generator.draws import Integers, draw, mix, take_bits
from crossfade.generator.habits import LONGEST_MS, LONGEST_OVER_MS
from crossfade.generator.heard import PAUSE, heard_ms
from crossfade.generator.listeners import Listeners
from crossfade.generator.places import read_places
from crossfade.generator.plays import Plays
from crossfade.generator.sessions import Sessions
from crossfade.generator.taste import Taste

_SEAT_BITS = 24
MAX_SEATS = 1 << _SEAT_BITS
_FAR_MS = 1 << 62
_NO_SEATS = np.empty(0, np.int64)

_Columns = tuple[NDArray[Any], ...]


class Population:
    """Advances all seats' chains, song by song. Memory grows only with the number of seats.

    Every draw is a function of the seed, the listener, and the numbers of epoch, session and song,
    so a simulation's plays do not depend on where it starts or on its steps.
    """

    def __init__(
        self, listeners: Listeners, sessions: Sessions, taste: Taste, duration_ms: Integers
    ) -> None:
        self._listeners, self._sessions, self._taste = listeners, sessions, taste
        self._duration = duration_ms
        self._country = read_places().country

    def skip_to(self, begin: int) -> None:
        """Skip the songs that open sessions had before `begin`."""
        moment = begin - LONGEST_MS - HOUR_MS
        while moment < begin:
            moment = min(floor_to(moment, DAY_MS) + DAY_MS, begin)
            for _ in self._rounds(moment):
                pass

    def advance(self, until: int) -> Plays:
        """Return the plays begun since the last step and before `until`, in the same UTC day."""
        return _put_in_order(list(self._rounds(until)) or [self._start_songs(_NO_SEATS)])

    def _rounds(self, until: int) -> Iterator[_Columns]:
        """Yield rounds of started songs, at most one per listener, until no seat is due."""
        sessions = self._sessions
        self._taste.open_day((until - 1) // DAY_MS)
        sessions.cover(until, until)
        seats = np.flatnonzero(sessions.due < until)
        while len(seats):
            is_between = sessions.is_between[seats]
            if is_between.any():
                sessions.enter_epoch(seats[is_between])
                seats = seats[(sessions.due[seats] < until)]
                continue
            yield self._start_songs(seats)
            is_over = sessions.due[seats] >= sessions.end[seats]
            sessions.open_next(seats[is_over])
            seats = seats[sessions.due[seats] < until]

    def _start_songs(self, seats: Integers) -> _Columns:
        listeners, sessions = self._listeners, self._sessions
        session = sessions.word[seats]
        play = draw(session, sessions.songs[seats])
        place = listeners.place[seats]
        song = self._taste.choose(play, listeners.genre[seats], self._country[place])
        more = mix(play)
        heard = heard_ms(take_bits(more, 40, 24), self._duration[song])
        time = sessions.due[seats]
        # Cap it: the longest songs would go on for longer than this after their session.
        heard = np.minimum(heard, sessions.end[seats] + LONGEST_OVER_MS - time)
        sessions.due[seats] = time + heard + PAUSE.find(take_bits(more, 16, 16), 16)
        sessions.songs[seats] += 1
        return (
            *(time, listeners.user[seats], place, sessions.device[seats], listeners.tier[seats]),
            *(song, heard, session, play, sessions.utc_offsets(place, time)),
            *(np.zeros(len(seats), np.bool_), seats),
        )


def _put_in_order(rounds: list[_Columns]) -> Plays:
    *columns, seats = (np.concatenate(column) for column in zip(*rounds, strict=True))
    time = columns[0]
    order = np.argsort(((time - time.min(initial=_FAR_MS)) << _SEAT_BITS) | seats)
    return Plays(*(column[order] for column in columns))
