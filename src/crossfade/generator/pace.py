"""The pace of sending, and the event times that records get."""

import time
from collections.abc import Callable
from typing import Protocol

import numpy as np

from crossfade.clock import SECOND_MS, now_ms
from crossfade.generator.draws import Integers
from crossfade.generator.faults import Fault
from crossfade.generator.outbox import Sendings

SLICE_S = 0.025
"""Plays are sent in slices of this length, too short for a person to notice."""

PART = 16_384
"""The most records encoded in one call: they fit into a processor's cache."""


class Pace(Protocol):
    """Decides how many records to send when, and the event time of each."""

    def wait_s(self, sent: int, /) -> float:
        """Return the time until the next slice is due; 0 if it is."""

    def due(self, sent: int, /) -> int:
        """Return the number of records to send now: at least one."""

    def lag_ms(self, sent: int, /) -> int:
        """Return how far the sending is behind the clock."""

    def event_times(self, sendings: Sendings) -> Integers:
        """Return the event time for each record."""


class SteadyPace:
    """A fixed number of records per second by the wall clock; delays are caught up."""

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._began = clock()
        self._slice = max(1.0, rate * SLICE_S)

    def wait_s(self, sent: int, /) -> float:
        """Return the time until a whole slice is due, so that calls are few."""
        return max(0.0, self._began + (sent + self._slice) / self._rate - self._clock())

    def due(self, sent: int, /) -> int:
        """Return the number of records that are due by the clock and not sent."""
        return max(1, int((self._clock() - self._began) * self._rate) - sent)

    def lag_ms(self, sent: int, /) -> int:
        """Return how long ago the last record sent was due, beyond a slice."""
        behind = self._clock() - self._began - (sent + self._slice) / self._rate
        return max(0, round(behind * SECOND_MS))

    def event_times(self, sendings: Sendings) -> Integers:
        """Return times of the present, as if each record were sent on time."""
        return _present_times(sendings)


class FullPace:
    """As many records per second as possible."""

    def wait_s(self, _sent: int, /) -> float:
        """Return 0: a slice is always due."""
        return 0.0

    def due(self, _sent: int, /) -> int:
        """Return the most records encoded in one call."""
        return PART

    def lag_ms(self, _sent: int, /) -> int:
        """Return 0: there is no rate to fall behind."""
        return 0

    def event_times(self, sendings: Sendings) -> Integers:
        """Return times of the present."""
        return _present_times(sendings)


class BackfillPace(FullPace):
    """Past plays, as fast as possible, with simulated event times."""

    def event_times(self, sendings: Sendings) -> Integers:
        """Return the simulated times, in seconds for a clock with that fault."""
        time = sendings.plays.event_time
        return np.where(sendings.fault == Fault.CLOCK_SECONDS, time // SECOND_MS, time)


def _present_times(sendings: Sendings) -> Integers:
    """Move the simulated times to the present, spread over the slice that has just passed.

    The time between the start of a play and its sending is kept.
    """
    part_left = 1.0 - np.arange(1, len(sendings) + 1) / len(sendings)
    moment = now_ms() - (part_left * SLICE_S * SECOND_MS).astype(np.int64)
    time = moment - (sendings.send_time - sendings.plays.event_time)
    return np.where(sendings.fault == Fault.CLOCK_SECONDS, time // SECOND_MS, time)
