"""Keeps a simulation of the present in step with the wall clock."""

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from crossfade.clock import MINUTE_MS, SECOND_MS
from crossfade.generator.draws import key_of, mix, take_bits
from crossfade.generator.plays import Plays

SPARE = 1.08
"""A present audience's rate is this factor above the sending rate, so that plays never run out."""

_CATCH_UP_WITHIN_MS = 10 * MINUTE_MS
_MAX_SHARE = 0.5
_BITS = 24


class Timekeeper:
    """Drops plays while simulated time is behind the wall clock, as the sending rate is fixed.

    A dropped play was never heard: the listener's pause is longer. The further behind, the larger
    the share dropped. With a few per cent of spare plays, simulated time stays within a minute.

    Args:
        seed: seed of the draws.
        begin: the simulated time now.
        speed: the speed of simulated time relative to the wall clock.
        clock: the wall clock, in seconds.
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
        """Return the plays that are kept; they begin at or after the simulated `moment`."""
        if self._began is None:
            self._began = self._clock()
        passed_ms = (self._clock() - self._began) * self._speed * SECOND_MS
        behind_ms = passed_ms - (moment - self._begin)
        share = min(max(behind_ms / _CATCH_UP_WITHIN_MS, 0.0), _MAX_SHARE)
        return plays.take(self._is_kept(plays, share))

    def _is_kept(self, plays: Plays, share: float) -> NDArray[np.bool_]:
        drawn = take_bits(mix(plays.play ^ self._key), 0, _BITS)
        return drawn >= round(share * (1 << _BITS))
