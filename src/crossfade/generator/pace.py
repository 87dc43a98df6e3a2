"""When records are sent, and when their plays are said to have begun."""

import time
from collections.abc import Callable
from typing import Protocol

import numpy as np

from crossfade.clock import SECOND_MS, now_ms
from crossfade.generator.draws import Integers
from crossfade.generator.faults import Fault
from crossfade.generator.outbox import Sendings

SLICE_S = 0.025
"""Plays are sent in slices of this length: small beside what a person notices."""

PART = 16_384
"""At most so many records are written at once: they fit into a processor's cache."""


class Pace(Protocol):
    """Says how many records to send, and when each one's play began."""

    def wait_s(self, sent: int, /) -> float:
        """Return the time until the next slice is due; 0 when it is."""

    def due(self, sent: int, /) -> int:
        """Count the records to send now: at least one."""

    def lag_ms(self, sent: int, /) -> int:
        """Tell how far behind the clock the sending is."""

    def event_times(self, sendings: Sendings) -> Integers:
        """Return when each play began, as its record is to say it."""


class SteadyPace:
    """So many records a second by the wall clock. What it is behind, it catches up."""

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._began = clock()
        self._slice = max(1.0, rate * SLICE_S)

    def wait_s(self, sent: int, /) -> float:
        """Wait until a whole slice is due, so that sending costs little."""
        return max(0.0, self._began + (sent + self._slice) / self._rate - self._clock())

    def due(self, sent: int, /) -> int:
        """Count what the clock asks for beyond what is sent, once `wait_s` is over."""
        return max(1, int((self._clock() - self._began) * self._rate) - sent)

    def lag_ms(self, sent: int, /) -> int:
        """Tell how long ago the last record sent was due, beyond a slice."""
        behind = self._clock() - self._began - (sent + self._slice) / self._rate
        return max(0, round(behind * SECOND_MS))

    def event_times(self, sendings: Sendings) -> Integers:
        """Let the plays be of the present: what is sent now, is sent on time."""
        return _present_times(sendings)


class FullPace:
    """As many records a second as the machine gives."""

    def wait_s(self, _sent: int, /) -> float:
        """Never wait."""
        return 0.0

    def due(self, _sent: int, /) -> int:
        """Ask for as many as are sent at once."""
        return PART

    def lag_ms(self, _sent: int, /) -> int:
        """Say that there is nothing to be behind of."""
        return 0

    def event_times(self, sendings: Sendings) -> Integers:
        """Let the plays be of the present."""
        return _present_times(sendings)


class BackfillPace(FullPace):
    """Past plays, as fast as possible, with the times of the simulation."""

    def event_times(self, sendings: Sendings) -> Integers:
        """Return the times of the simulation; a clock in seconds says a thousandth."""
        time = sendings.plays.event_time
        return np.where(sendings.fault == Fault.CLOCK_SECONDS, time // SECOND_MS, time)


def _present_times(sendings: Sendings) -> Integers:
    """Move the simulation's times to the present, spread over the slice that has just passed.

    A play that the simulation sends so long after its begin began so long ago.
    """
    part_left = 1.0 - np.arange(1, len(sendings) + 1) / len(sendings)
    moment = now_ms() - (part_left * SLICE_S * SECOND_MS).astype(np.int64)
    time = moment - (sendings.send_time - sendings.plays.event_time)
    return np.where(sendings.fault == Fault.CLOCK_SECONDS, time // SECOND_MS, time)
