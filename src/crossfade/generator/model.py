"""The simulated audience: a catalogue, its listeners, and their plays in order."""

from dataclasses import dataclass

import numpy as np

from crossfade.clock import DAY_MS, SECOND_MS, floor_to
from crossfade.generator.catalogue import Catalogue
from crossfade.generator.draws import Choice, Integers, draw, key_of, mix, take_bits
from crossfade.generator.habits import USUAL_PLAYS_A_DAY, make_habits
from crossfade.generator.heard import PAUSE, heard_ms
from crossfade.generator.listeners import Listeners, activities
from crossfade.generator.options import PAID_SHARE
from crossfade.generator.plays import Plays
from crossfade.generator.population import MAX_SEATS, Population
from crossfade.generator.sessions import Sessions, Turnover
from crossfade.generator.taste import Taste

BLOCK = 65_536
"""The approximate number of plays drawn together."""

GROWTH_SINCE_MS = 1_704_067_200_000
"""2024-01-01: the audience has the configured number of listeners then, and grows from there."""

_YEAR_MS = 365 * DAY_MS
_LONGEST_STEP_MS = 3_600 * SECOND_MS
_SAMPLE = 65_536
_SAMPLE_BITS = 20
_NEVER_MS = 1 << 60
_LONG_AGO_MS = -(1 << 60)


@dataclass(frozen=True, slots=True)
class Society:
    """The parameters of an audience, except for its catalogue and its time range."""

    seed: int = 1
    listeners: int = 1_000_000
    plays_per_second: float | None = None
    """Of all listeners together, averaged over a week; None: 40 plays a day per listener."""
    growth: float = 0.0
    """How many listeners join per year, as a share of `listeners`."""
    paid_share: float = PAID_SHARE
    stay_days: int = 0
    """How long a listener stays on average before another one replaces it; 0: permanently."""


class Audience:
    """A service with its songs and listeners, which produces plays in order of time.

    Args:
        society: the parameters.
        catalogue: the songs.
        begin: start of the plays, in milliseconds since the epoch.
        end: no play begins at or after it; None: no end.
        is_steady: the total rate of plays is the same at any time of the day.
    """

    def __init__(
        self,
        society: Society,
        catalogue: Catalogue,
        *,
        begin: int,
        end: int | None = None,
        is_steady: bool = False,
    ) -> None:
        self.catalogue = catalogue
        taste = Taste(catalogue)
        seats = _count_seats(society, begin + _YEAR_MS if end is None else end)
        rate = society.plays_per_second
        plays_a_day = (
            USUAL_PLAYS_A_DAY * 1_000 if rate is None else int(rate * DAY_MS / society.listeners)
        )
        rate_ms = plays_a_day * seats / DAY_MS / 1_000
        listeners = Listeners(
            society.seed, seats, taste.genre_weights, paid_share=society.paid_share
        )
        habits = make_habits(
            activities(society.seed, seats),
            plays_a_day,
            _song_sample(catalogue),
            listeners=society.listeners,
        )
        turnover = Turnover(_joins(society, seats), society.stay_days * DAY_MS)
        self.sessions = Sessions(
            society.seed, listeners, habits, turnover, begin=begin, is_steady=is_steady
        )
        self._population = Population(listeners, self.sessions, taste, catalogue.duration_ms)
        self._population.skip_to(begin)
        self.moment, self._end = begin, _NEVER_MS if end is None else end
        self._step = min(max(int(BLOCK / max(rate_ms, 1e-9)), 1), _LONGEST_STEP_MS)

    def next_plays(self) -> Plays | None:
        """Return the plays begun in the next step of time, possibly none; None at the end."""
        if self.moment >= self._end:
            return None
        midnight = floor_to(self.moment, DAY_MS) + DAY_MS
        self.moment = min(self.moment + self._step, midnight, self._end)
        return self._population.advance(self.moment)


def _count_seats(society: Society, moment: int) -> int:
    years = (moment - GROWTH_SINCE_MS) / _YEAR_MS
    seats = max(society.listeners, int(society.listeners * (1 + society.growth * max(years, 0.0))))
    return min(seats, MAX_SEATS)


def _joins(society: Society, seats: int) -> Integers:
    """Return when each seat is first taken, as the growth since 2024 determines."""
    if not society.growth:
        return np.full(seats, _LONG_AGO_MS, np.int64)
    number = np.arange(seats, dtype=np.int64)
    grown = (number - society.listeners) * _YEAR_MS // society.listeners
    return GROWTH_SINCE_MS + (grown / society.growth).astype(np.int64)


def _song_sample(catalogue: Catalogue) -> Integers:
    """Return a sample of the time from one song's start to the next, weighted by popularity."""
    words = draw(key_of(0, "sample"), np.arange(_SAMPLE))
    more = mix(words)
    song = Choice(catalogue.weight, _SAMPLE_BITS).find(words)
    heard = heard_ms(take_bits(more, 40, 24), catalogue.duration_ms[song])
    return heard + PAUSE.find(take_bits(more, 16, 16), 16)
