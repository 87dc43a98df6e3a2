"""When plays are sent, and when they are said to have begun."""

import time
from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from crossfade.clock import SECOND_MS, now_ms
from crossfade.generator.model import BLOCK, Plays
from crossfade.generator.options import Report

SLICE_S = 0.025
"""Plays are sent in slices of this length: small beside what a person notices."""


class Pace(Protocol):
    """Says how many plays to send, and when each of them began."""

    def wait_s(self, sent: int, /) -> float:
        """Give the time until the next slice is due; 0 when it is."""

    def due(self, sent: int, /) -> int:
        """Count the plays to send now: at least one."""

    def lag_ms(self, sent: int, /) -> int:
        """Tell how far behind the clock the sending is."""

    def event_times(self, plays: Plays) -> NDArray[np.int64]:
        """Give when each play began, in milliseconds since the epoch."""


class SteadyPace:
    """So many plays a second by the wall clock. What it is behind, it catches up."""

    def __init__(
        self, rate: float, report: Report, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate = rate
        self._report = report
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
        """Tell how long ago the last play sent was due, beyond a slice."""
        behind = self._clock() - self._began - (sent + self._slice) / self._rate
        return max(0, round(behind * SECOND_MS))

    def event_times(self, plays: Plays) -> NDArray[np.int64]:
        """Let the plays begin, or end, now: spread over the slice that has just passed."""
        return _live_times(plays, self._report)


class FullPace:
    """As many plays a second as the machine gives."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def wait_s(self, _sent: int, /) -> float:
        """Never wait."""
        return 0.0

    def due(self, _sent: int, /) -> int:
        """Ask for as many as are drawn at once."""
        return BLOCK

    def lag_ms(self, _sent: int, /) -> int:
        """Say that there is nothing to be behind of."""
        return 0

    def event_times(self, plays: Plays) -> NDArray[np.int64]:
        """Let the plays begin, or end, now."""
        return _live_times(plays, self._report)


class BackfillPace(FullPace):
    """Past plays, as fast as possible: so many a second of event time, in its order."""

    def __init__(self, rate: float, start_ms: int) -> None:
        super().__init__(Report.START)
        self._rate = rate
        self._start_ms = start_ms

    def event_times(self, plays: Plays) -> NDArray[np.int64]:
        """Let play n begin n / rate seconds after the start, however it is sent."""
        number = np.arange(plays.first, plays.first + len(plays))
        return self._start_ms + (number * SECOND_MS / self._rate).astype(np.int64)


def _live_times(plays: Plays, report: Report) -> NDArray[np.int64]:
    part_left = 1.0 - np.arange(1, len(plays) + 1) / len(plays)
    moment = now_ms() - (part_left * SLICE_S * SECOND_MS).astype(np.int64)
    return moment if report is Report.START else moment - plays.ms_played
