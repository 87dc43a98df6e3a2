"""Keeps a simulation of the present in step with the clock on the wall."""

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from crossfade.clock import MINUTE_MS, SECOND_MS
from crossfade.generator.draws import key_of, mix, take_bits
from crossfade.generator.plays import Plays

SPARE = 1.08
"""An audience of the present plays by so much more than is sent, so that it never falls short."""

_MADE_UP_WITHIN_MS = 10 * MINUTE_MS
_MOST = 0.5
_BITS = 24


class Timekeeper:
    """Leaves out plays where the simulation's time falls behind: so many are sent a second.

    What is left out never happened: a listener pauses for longer. The further behind, the more of
    it; an audience with a few per cent to spare stays within a minute of the wall.

    Args:
        seed: decides which plays.
        begin: the simulation's time now.
        speed: how much faster than the wall's its time is to run.
        clock: the wall's, in seconds.
    """

    def __init__(
        self,
        seed: int,
        begin: int,
        speed: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._key = key_of(seed, "left out")
        self._begin, self._speed = begin, speed
        self._clock = clock
        self._began: float | None = None

    def keep(self, plays: Plays, moment: int) -> Plays:
        """Return what happens of the plays, which are those from this moment on."""
        if self._began is None:
            self._began = self._clock()
        passed_ms = (self._clock() - self._began) * self._speed * SECOND_MS
        behind_ms = passed_ms - (moment - self._begin)
        share = min(max(behind_ms / _MADE_UP_WITHIN_MS, 0.0), _MOST)
        return plays.take(self._happens(plays, share))

    def _happens(self, plays: Plays, share: float) -> NDArray[np.bool_]:
        drawn = take_bits(mix(plays.play ^ self._key), 0, _BITS)
        return drawn >= round(share * (1 << _BITS))
