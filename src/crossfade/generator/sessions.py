"""The chains of sessions: when each listener listens, on which device, and until when.

Each seat of the audience has one chain, in which sessions and log-normal gaps alternate. The chain
is drawn again for each epoch of the seat, so that a day can be simulated without the years before.
An epoch begins in the chain's equilibrium (renewal theory): within a session or a gap, with the
probability of each at any time. That session or gap is drawn with a probability in proportion to
its length, and the epoch begins at a uniform point of it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crossfade.clock import DAY_MS, HOUR_MS
from crossfade.generator.cycle import Clocks, Cycle
from crossfade.generator.draws import Integers, below, draw, key_of, mix, take_bits
from crossfade.generator.habits import (
    GAP_BIAS_PERMILLE,
    LONGEST_MS,
    REST_MS,
    SESSION,
    SESSION_BIAS_PERMILLE,
    UNIT_GAP,
    Habits,
)
from crossfade.generator.listeners import Listeners
from crossfade.generator.places import read_places

_BITS = 32
_PART_BITS = 20
_PERMILLE = 1_000
_UNIT = 1_000_000
_AT_LEAST_COVERED = 8 * DAY_MS
_FAR = 1 << 41
"""A gap longer than any simulation; its products fit into 64 bits."""

_SESSION_WORDS = 1 << 40
"""Where an epoch's words of sessions begin; the words before it determine gaps and lengths."""


@dataclass(frozen=True, slots=True, eq=False)
class Turnover:
    """When listeners join and leave, which is always between two epochs of a seat."""

    joins: Integers
    """When each seat is taken for the first time, in milliseconds since the epoch."""
    stay_ms: int
    """How long a listener stays, on average; 0: permanently."""


class Sessions:
    """The state of every chain, as columns indexed by seat.

    `due` is when a seat's next song starts or, where `is_between`, when its next epoch begins.

    Args:
        seed: seed of all draws.
        listeners: the listener of each seat; replaced here when they leave.
        habits: how often and how long they listen.
        turnover: when listeners join and leave.
        begin: the chains start here, within sessions that end at most an hour earlier.
        is_steady: all people together listen equally at any time of the day.
    """

    def __init__(
        self,
        seed: int,
        listeners: Listeners,
        habits: Habits,
        turnover: Turnover,
        *,
        begin: int,
        is_steady: bool,
    ) -> None:
        self._listeners, self._habits, self._turnover = listeners, habits, turnover
        self._is_steady = is_steady
        self._clocks = Clocks(read_places())
        self._cycle = self._make_cycle(begin, begin)
        seats = len(listeners.user)
        words = draw(key_of(seed, "epochs"), np.arange(seats))
        phase = (take_bits(words, 32, 32) * habits.epoch_ms) >> 32
        more = mix(words)
        self._stay = turnover.stay_ms // 4 + (
            (take_bits(more, 0, 16) * turnover.stay_ms * 3 // 2) >> 16
        )
        self._stay_phase = (take_bits(more, 32, 16) * self._stay) >> 16
        self._generation = np.zeros(seats, np.int64)
        self._epoch = np.zeros(seats, np.uint64)
        self._epoch_end = np.zeros(seats, np.int64)
        self._number = np.zeros(seats, np.int32)
        self.word = np.zeros(seats, np.uint64)
        """A unique word per session."""
        self.end = np.zeros(seats, np.int64)
        self.songs = np.zeros(seats, np.int32)
        """The number of songs started in this session."""
        self.device = np.zeros(seats, np.int8)
        self.due = begin - (begin - phase) % habits.epoch_ms
        self.is_between = np.ones(seats, np.bool_)
        self._skip_to(begin)

    def cover(self, begin: int, end: int) -> None:
        """Extend the cycle, if necessary, so that chains can advance from `begin` to `end`."""
        epoch = self._habits.epoch_ms
        if self._cycle.end < end + epoch + DAY_MS:
            self._cycle = self._make_cycle(begin, end)

    def utc_offsets(self, place: NDArray[np.int16], time: Integers) -> NDArray[np.int16]:
        """Return the minutes by which each place is ahead of UTC, at a time that is covered."""
        return self._cycle.utc_offsets(self._clocks.of_place[place], time)

    def open_next(self, seats: Integers) -> None:
        """Open the next session of each seat, after a gap."""
        self._number[seats] += 1
        words = draw(self._epoch[seats], self._number[seats])
        start = self._pass_gap(seats, self.end[seats] + REST_MS, take_bits(words, 32, _BITS))
        self._open(seats, start, SESSION.find(take_bits(words, 0, _BITS), _BITS))

    def enter_epoch(self, seats: Integers) -> None:
        """Draw the chains of a new epoch, for seats whose `due` is its begin."""
        begin, epoch_ms = self.due[seats], self._habits.epoch_ms
        late = np.maximum(self._turnover.joins[seats] - begin, 0)
        self.due[seats] = begin + -(-late // epoch_ms) * epoch_ms
        seats, begin = seats[late == 0], begin[late == 0]
        self._change_listeners(seats, begin)
        self._epoch_end[seats] = begin + epoch_ms
        self._epoch[seats] = draw(self._listeners.user[seats], begin // epoch_ms)
        self._number[seats] = 0
        words = draw(self._epoch[seats], 0)
        more = mix(words)
        part = take_bits(more, 0, _PART_BITS)
        within, resting = self._habits.states_ppm(seats, self._intensity(seats, begin - REST_MS))
        state = below(words, _UNIT)
        is_within = state < within
        is_resting = ~is_within & (state < within + resting)
        length = SESSION.find(take_bits(mix(more), 32, _BITS), _BITS)
        whole = np.minimum(length * SESSION_BIAS_PERMILLE // _PERMILLE, LONGEST_MS)
        left = (whole * part) >> _PART_BITS
        start = self._pass_gap(
            seats,
            begin + np.where(is_resting, (REST_MS * part) >> _PART_BITS, 0),
            take_bits(more, 32, _BITS),
            np.where(is_resting, _PERMILLE << _PART_BITS, GAP_BIAS_PERMILLE * part),
        )
        self._open(seats, np.where(is_within, begin, start), np.where(is_within, left, length))

    def _open(self, seats: Integers, start: Integers, length: Integers) -> None:
        """Open sessions; those that would begin in an epoch's last hour wait for the next epoch."""
        last_start = self._epoch_end[seats] - HOUR_MS
        is_late = start >= last_start
        self.is_between[seats] = is_late
        self.due[seats] = np.where(is_late, self._epoch_end[seats], start)
        self.end[seats] = np.minimum(start + np.maximum(length, 1), last_start)
        word = draw(self._epoch[seats], self._number[seats].astype(np.int64) + _SESSION_WORDS)
        self.word[seats] = word
        self.songs[seats] = 0
        self.device[seats] = self._listeners.devices(seats, word)

    def _pass_gap(
        self, seats: Integers, moment: Integers, drawn: Integers, scale: Integers | None = None
    ) -> Integers:
        """Return when a gap ends that begins at `moment`; `scale` is in 1,000 * 2^20ths."""
        gap = UNIT_GAP.find(drawn, _BITS) * self._habits.gap[seats] // _UNIT
        if scale is not None:
            gap = np.minimum(gap, _FAR) // _PERMILLE * scale >> _PART_BITS
        cycle = self._cycle
        clock = self._clocks.of_place[self._listeners.place[seats]]
        return cycle.time_of(clock, cycle.own_time(clock, moment) + gap)

    def _intensity(self, seats: Integers, moment: Integers) -> Integers:
        clock = self._clocks.of_place[self._listeners.place[seats]]
        return self._cycle.intensity(clock, moment)

    def _change_listeners(self, seats: Integers, begin: Integers) -> None:
        if not self._turnover.stay_ms:
            return
        stay = self._stay[seats]
        generation = np.maximum((begin + self._stay_phase[seats]) // stay, 0)
        is_new = generation != self._generation[seats]
        changed = seats[is_new]
        self._generation[changed] = generation[is_new]
        self._listeners.take_seats(changed, generation[is_new])

    def _make_cycle(self, begin: int, end: int) -> Cycle:
        epoch = self._habits.epoch_ms
        end += max(2 * epoch, _AT_LEAST_COVERED) + DAY_MS
        return Cycle(self._clocks, begin - epoch - DAY_MS, end, is_steady=self._is_steady)

    def _skip_to(self, begin: int) -> None:
        """Skip epochs and sessions, up to those that may have songs after `begin`."""
        seats = np.arange(len(self.due))
        while len(seats):
            is_between = self.is_between[seats]
            is_past = np.where(
                is_between, self.due[seats] < begin, self.end[seats] < begin - HOUR_MS
            )
            seats, is_between = seats[is_past], is_between[is_past]
            self.enter_epoch(seats[is_between])
            self.open_next(seats[~is_between])
