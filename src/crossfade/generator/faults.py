"""Client faults: which plays have which fault, and to what extent.

Each play has at most one fault, which depends only on the play. A fault in the record itself (a
wrong clock, broken bytes) is applied when the record is written; this module only assigns it.
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
"""Each time this has passed, a device that was offline sends everything it kept."""

OVERSIZED_BYTES = (65_537, 70_000, 100_000, 300_000, 1_000_000)

_FAR_FUTURE_MS = 4_102_444_800_000
"""2100-01-01: an example that is rejected even then is rejected whenever it is sent."""

_BITS = 24


class Fault(IntEnum):
    """What is wrong with a record."""

    NONE = 0
    COPIED = 1
    """Nothing is wrong, but it is sent again later."""
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
    """The fault of each play and its extent: ms, the index of a broken record, or bytes."""

    fault: NDArray[np.int8]
    extent: Integers


def broken_records(*, one_line: bool) -> tuple[BrokenRecord, ...]:
    """Return the contract's rejected examples that are rejected for their reason at any time.

    Args:
        one_line: put each on one line; leave out those whose verdict would change.
    """
    return tuple(
        BrokenRecord(example.name, value, str(example.reason))
        for example in read_examples()
        if example.reason is not None
        and example.value is not None
        and (value := _on_one_line(example.value) if one_line else example.value)
        and isinstance(verdict := decode_play(value, _FAR_FUTURE_MS), Rejection)
        and verdict.reason is example.reason
    )


def _on_one_line(value: bytes) -> bytes:
    return value.rstrip(b"\r\n").replace(b"\r", b" ").replace(b"\n", b" ")


class FaultFinder:
    """Assigns faults to plays.

    Args:
        faults: their shares and extents.
        seed: seed of the draws.
        broken: the records sent in place of malformed plays.
        past_before: a clock ahead must show a time before this; None: it may show the future.
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
        """Return the fault of each play and its extent."""
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
        """Return when each play's device would next send what it kept while offline."""
        phase = take_bits(mix(plays.user ^ self._late_key), 32, 32) * OFFLINE_MS >> 32
        return plays.event_time - (plays.event_time - phase) % OFFLINE_MS + OFFLINE_MS

    def _mark_late(self, plays: Plays, fault: NDArray[np.int8], extent: Integers) -> None:
        """Mark devices offline for stretches of time: all plays of a stretch are equally late."""
        if not self._late_share:
            return
        stretch = (self.online_again(plays) // OFFLINE_MS).astype(np.uint64)
        words = mix(mix(plays.user ^ self._late_key) + stretch)
        is_late = take_bits(words, 64 - _BITS, _BITS) < self._late_share
        fault[is_late] = Fault.LATE
        extent[is_late] = self._late_by.find(take_bits(words[is_late], 0, 32), 32)
