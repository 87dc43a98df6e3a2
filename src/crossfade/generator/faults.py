"""What clients do wrong: which plays have which fault, and how far it goes.

Each play has one fault at most, and which one follows from the play alone. A fault that a record
shows (a wrong clock, broken bytes) is done when it is written; here it is only named.
"""

from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from crossfade.clock import MINUTE_MS
from crossfade.contract.decode import Rejection, decode_play
from crossfade.contract.examples import read_examples
from crossfade.generator.draws import Integers, LogUniform, below, key_of, mix, take_bits
from crossfade.generator.plays import Plays
from crossfade.generator.scenario import Faults

OFFLINE_MS = 2 * MINUTE_MS
"""A device that was offline sends what it kept each time so much has passed, all at once."""

OVERSIZED_BYTES = (65_537, 70_000, 100_000, 300_000, 1_000_000)

_FAR_FUTURE_MS = 4_102_444_800_000
"""2100-01-01: an example that is rejected even then does not depend on when it is sent."""

_BITS = 24


class Fault(IntEnum):
    """What is wrong with a record."""

    NONE = 0
    COPIED = 1
    """Nothing; but it is sent again later."""
    COPY = 2
    LATE = 3
    OUT_OF_ORDER = 4
    CLOCK_BEHIND = 5
    CLOCK_AHEAD = 6
    CLOCK_SECONDS = 7
    MALFORMED = 8
    OVERSIZED = 9
    SILENCED = 10


class BrokenRecord(NamedTuple):
    """A record that breaks the contract whenever it is sent."""

    name: str
    value: bytes
    reason: str


class Marks(NamedTuple):
    """What is wrong with each play, and how much: ms, an index of a broken record, or bytes."""

    fault: NDArray[np.int8]
    extent: Integers


def broken_records(*, newline: bool) -> tuple[BrokenRecord, ...]:
    """Return the contract's rejected examples that are rejected for their reason at any time.

    Args:
        newline: put each on one line; leave out those that would not be what they are then.
    """
    return tuple(
        BrokenRecord(example.name, value, str(example.reason))
        for example in read_examples()
        if example.reason is not None
        and example.value is not None
        and (value := _on_one_line(example.value) if newline else example.value)
        and isinstance(verdict := decode_play(value, _FAR_FUTURE_MS), Rejection)
        and verdict.reason is example.reason
    )


def _on_one_line(value: bytes) -> bytes:
    return value.rstrip(b"\r\n").replace(b"\r", b" ").replace(b"\n", b" ")


class FaultFinder:
    """Decides about each play.

    Args:
        faults: their shares, and how far they go.
        seed: decides.
        broken: what is sent in place of a play that is malformed.
        past_before: a clock ahead must not show a time after this; None: it shows the future.
    """

    def __init__(
        self,
        faults: Faults,
        *,
        seed: int,
        broken: tuple[BrokenRecord, ...],
        past_before: int | None = None,
    ) -> None:
        self._past_before = past_before
        self._key, self._late_key = key_of(seed, "faults"), key_of(seed, "offline")
        shares = {
            Fault.COPIED: (faults.copies, LogUniform(*faults.copy_after)),
            Fault.OUT_OF_ORDER: (faults.out_of_order, LogUniform(*faults.out_of_order_by)),
            Fault.CLOCK_BEHIND: (faults.clock_behind, LogUniform(*faults.behind_by)),
            Fault.CLOCK_AHEAD: (faults.clock_ahead, LogUniform(*faults.ahead_by)),
            Fault.CLOCK_SECONDS: (faults.clock_seconds, None),
            Fault.MALFORMED: (faults.malformed, None),
            Fault.OVERSIZED: (faults.oversized, None),
        }
        self._kinds = np.array([*shares, Fault.NONE], np.int8)
        self._ends = np.cumsum([round(share * (1 << _BITS)) for share, _ in shares.values()])
        self._laws = {fault: law for fault, (_, law) in shares.items() if law is not None}
        self._late_share = round(faults.late * (1 << _BITS))
        self._late_by = LogUniform(*faults.late_by)
        self.broken = broken
        self.is_idle = not faults.share

    def mark(self, plays: Plays) -> Marks:
        """Name the fault of each play."""
        words = mix(plays.play ^ self._key)
        more = mix(words)
        found = np.searchsorted(self._ends, take_bits(words, 64 - _BITS, _BITS), "right")
        fault = self._kinds[found]
        extent = np.zeros(len(plays), np.int64)
        for kind, law in self._laws.items():
            which = np.flatnonzero(fault == kind)
            extent[which] = law.find(take_bits(more[which], 32, 32), 32)
        which = np.flatnonzero(fault == Fault.MALFORMED)
        extent[which] = below(more[which], len(self.broken))
        which = np.flatnonzero(fault == Fault.OVERSIZED)
        extent[which] = np.array(OVERSIZED_BYTES)[below(more[which], len(OVERSIZED_BYTES))]
        if self._past_before is not None:
            reaches = plays.event_time + extent >= self._past_before
            fault[(fault == Fault.CLOCK_AHEAD) & reaches] = Fault.NONE
        self._mark_late(plays, fault, extent)
        return Marks(fault, extent)

    def online_again(self, plays: Plays) -> Integers:
        """Return the moment at which each one's device would next send what it kept offline."""
        phase = take_bits(mix(plays.user ^ self._late_key), 32, 32) * OFFLINE_MS >> 32
        return plays.event_time - (plays.event_time - phase) % OFFLINE_MS + OFFLINE_MS

    def _mark_late(self, plays: Plays, fault: NDArray[np.int8], extent: Integers) -> None:
        """Let devices be offline for a stretch: all their plays in it are as late."""
        if not self._late_share:
            return
        stretch = (self.online_again(plays) // OFFLINE_MS).astype(np.uint64)
        words = mix(mix(plays.user ^ self._late_key) + stretch)
        is_late = take_bits(words, 64 - _BITS, _BITS) < self._late_share
        fault[is_late] = Fault.LATE
        extent[is_late] = self._late_by.find(take_bits(words[is_late], 0, 32), 32)
