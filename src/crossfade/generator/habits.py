"""How often and how long people listen: each listener's gaps, from the total of plays wanted."""

from dataclasses import dataclass

import numpy as np

from crossfade.clock import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from crossfade.errors import MisuseError
from crossfade.generator.draws import Integers, LogNormal, LogUniform
from crossfade.generator.week import WEEK

SESSION = LogNormal(30 * MINUTE_MS, 800_000, least=2 * MINUTE_MS, most=5 * HOUR_MS)
"""The length of a session; the song that plays at its end goes on."""

LONGEST_MS = 5 * HOUR_MS

LONGEST_OVER_MS = 15 * MINUTE_MS
"""The longest that a song goes on after its session's end."""

REST_MS = 45 * MINUTE_MS
"""The shortest time between sessions: 30 minutes of silence and `LONGEST_OVER_MS`."""

GAP_SIGMA = 1_000_000
"""Sigma of the log-normal time between two sessions, beyond the rest, in millionths."""

USUAL_PLAYS_A_DAY = 40
"""The default number of plays a day per listener."""

MAX_PLAYS_A_DAY = 240
"""The most plays a day per listener, on average, that are believable."""

USUAL_SONG_MS = 140 * SECOND_MS
"""The time from one song's start to the next, with skips; `make_habits` measures it instead."""

_MAX_OF_ONE = 300
_SESSIONS_AN_EPOCH = 12
_LONGEST_EPOCH = 182 * DAY_MS
_UNIT = 1_000_000
_MILLI = 1_000
_FACTOR_BITS = 20
_GRID_BITS = 12
_RATE_BITS = 52
_SHORTEST_GAP = MINUTE_MS
_LONGEST_GAP = 1 << 37
"""Over four years: longer than any chain is simulated, and its products fit into 64 bits."""

UNIT_GAP = LogNormal(_UNIT, GAP_SIGMA)

GAP_BIAS_PERMILLE = 2_718
SESSION_BIAS_PERMILLE = 1_896
"""exp(sigma^2): the factor by which the gap or session at a given time is longer than others."""


@dataclass(frozen=True, slots=True, eq=False)
class Habits:
    """The parameters of each seat's chain of sessions; times in milliseconds.

    A seat's chain is drawn again after each epoch, so that a day can be simulated without the
    years before it. Epochs begin at a different time for each seat.
    """

    epoch_ms: int
    gap: Integers
    """Median of the gap beyond the rest, in the place's own time."""

    def states_ppm(self, seats: Integers, intensity: Integers) -> tuple[Integers, Integers]:
        """Return the probabilities of being in a session, and in the rest after it, in millionths.

        Args:
            seats: the seats.
            intensity: the speed of their own time, in thousandths.
        """
        gap = self.gap[seats] * UNIT_GAP.mean // _UNIT
        whole = gap * _MILLI + (SESSION.mean + REST_MS) * intensity
        share = intensity * _UNIT
        return SESSION.mean * share // whole, REST_MS * share // whole


def make_habits(
    activity: Integers, plays_a_day_milli: int, song_ms: Integers, *, listeners: int
) -> Habits:
    """Compute the gaps with which all listeners together reach the number of plays wanted.

    Args:
        activity: how much each listens, relative to others, in thousandths.
        plays_a_day_milli: plays wanted per listener and day, on average, in thousandths.
        song_ms: a sample of the time from one song's start to the next.
        listeners: the average is over this many first listeners; the plays of others add to it.

    Raises:
        MisuseError: that is more than listeners can play.
    """
    if plays_a_day_milli > MAX_PLAYS_A_DAY * _MILLI:
        what = f"{plays_a_day_milli // _MILLI:,} plays a day per listener are too many."
        cure = f"Give more --listeners or a lower --rate: at most {MAX_PLAYS_A_DAY} plays a day."
        raise MisuseError(what, cure)
    plays = _plays_a_session_milli(song_ms)
    epoch = plays * DAY_MS // max(plays_a_day_milli, 1) * _SESSIONS_AN_EPOCH
    epoch = min(max(epoch, DAY_MS), _LONGEST_EPOCH) // HOUR_MS * HOUR_MS
    used = plays_a_day_milli * epoch // (epoch - HOUR_MS)
    cycle = plays * DAY_MS // np.maximum(_share_out(activity, used, listeners), 1)
    return Habits(epoch_ms=epoch, gap=_find_gaps(cycle) * _UNIT // UNIT_GAP.mean)


def _plays_a_session_milli(song_ms: Integers) -> int:
    """Return the songs begun in a session of length l: l / m + E[song^2] / (2 m^2), m = E[song]."""
    mean, square = (
        int(song_ms.sum()) // len(song_ms),
        int((song_ms * song_ms).sum()) // len(song_ms),
    )
    return SESSION.mean * _MILLI // mean + square * _MILLI // (2 * mean * mean)


def _share_out(activity: Integers, mean_milli: int, listeners: int) -> Integers:
    """Return each listener's plays a day in thousandths, in proportion to activity up to a cap."""
    low, high = 0, 1 << 40
    while high - low > 1:
        factor = (low + high) // 2
        shares = np.minimum(activity[:listeners] * factor >> _FACTOR_BITS, _MAX_OF_ONE * _MILLI)
        low, high = (factor, high) if shares.sum() < mean_milli * len(shares) else (low, factor)
    return np.minimum(activity * high >> _FACTOR_BITS, _MAX_OF_ONE * _MILLI)


def _find_gaps(cycle: Integers) -> Integers:
    """Return the mean gap, in own time, with which a session begins once in each of these times.

    Where own time runs w times as fast, a gap g and a session with its rest b take g / w + b; the
    mean of its inverse over the week is the rate at which sessions begin.
    """
    gap = LogUniform(_SHORTEST_GAP, _LONGEST_GAP).find(np.arange(1 << _GRID_BITS), _GRID_BITS)
    week = np.array(WEEK, np.int64)
    whole = gap[:, None] * _MILLI + (SESSION.mean + REST_MS) * week
    begun = ((week << _RATE_BITS) // whole).sum(axis=1)
    found = (len(week) << _RATE_BITS) // begun
    after = np.clip(np.searchsorted(found, cycle), 1, len(gap) - 1)
    low, high = found[after - 1], found[after]
    step = (np.clip(cycle, low, high) - low) * (gap[after] - gap[after - 1])
    return gap[after - 1] + step // (high - low)
