"""Speed's last values of each window, read from the topic `plays-by-window`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from confluent_kafka import Message

from crossfade.contract.boundary import NO_BOUNDARY
from crossfade.contract.time_rules import FUTURE_MS
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.clients import read_record
from crossfade.kafka.read_topic import read_topic
from crossfade.kafka.topics import (
    PLAYS_BY_WINDOW,
    read_end_offsets,
    read_offsets_for_time,
    read_start_offsets,
)
from crossfade.kafka.window_log import Grain, Marker, WindowRow, decode_record, read_window_start
from crossfade.proof.verdicts import SpeedProgress

_NO_END = 1 << 62


class Measures(NamedTuple):
    """A row's absolute values; of two rows, the one with the greater (epoch, batch) is newer."""

    epoch: int
    batch: int
    plays: int
    counted_plays: int
    ms_played: int


@dataclass(frozen=True, slots=True)
class SpeedLog:
    """Speed's last values within the generation in use.

    `end_offsets` are the offsets of `song-plays` up to which speed has read; empty if no partition
    of its topic has a marker yet. `first_offsets` are where the generation began; empty if no
    longer known. Windows that end before `dropped_before` may lack plays that Spark's watermark
    dropped. Windows from `retained_from` on are complete in the topic.
    """

    rows: Mapping[tuple[int, Grain], Measures]
    end_offsets: Mapping[int, int]
    first_offsets: Mapping[int, int]
    dropped_before: int
    retained_from: int

    @property
    def progress(self) -> SpeedProgress | None:
        """Return how far speed has read; None while that is unknown."""
        if not self.end_offsets:
            return None
        return SpeedProgress(self.end_offsets, self.dropped_before)


@dataclass(slots=True)
class _Generation:
    """A generation of speed: its rows, and its newest marker in each topic partition."""

    born_ms: int
    rows: dict[tuple[int, Grain], Measures] = field(default_factory=dict)
    newest: dict[int, Marker] = field(default_factory=dict)
    first_offsets: dict[int, int] = field(default_factory=dict)
    dropped_before: int = NO_BOUNDARY

    def add_row(self, row: WindowRow) -> None:
        key, value = row
        new = Measures(key.epoch, value.batch, value.plays, value.counted_plays, value.ms_played)
        place = key.window_start_ms, key.grain
        known = self.rows.get(place)
        if known is None or new[:2] >= known[:2]:
            self.rows[place] = new

    def add_marker(self, partition: int, marker: Marker) -> None:
        known = self.newest.get(partition)
        if known is None or (marker.epoch, marker.batch) >= (known.epoch, known.batch):
            self.newest[partition] = marker
        if marker.batch < 0:
            self.first_offsets = dict(marker.end_offsets)
        if marker.dropped and marker.watermark is not None:
            self.dropped_before = max(self.dropped_before, marker.watermark)

    def end_offsets(self, partitions: int) -> dict[int, int]:
        """Return how far speed has read; in each topic partition, rows precede their marker."""
        if len(self.newest) < partitions:
            return {}
        ends = [marker.end_offsets for marker in self.newest.values()]
        return {p: min(one.get(p, 0) for one in ends) for p in set().union(*ends)}


def read_speed_log(
    address: KafkaAddress, *, windows_from: int = NO_BOUNDARY, windows_to: int = _NO_END
) -> SpeedLog:
    """Read the topic up to its current end, from where rows of `windows_from` may begin.

    Only rows of windows that begin in [`windows_from`, `windows_to`) are kept: a busy hour has
    millions of rows.
    """
    starts = read_start_offsets(address, PLAYS_BY_WINDOW)
    begins = starts
    if windows_from > NO_BOUNDARY:
        earliest = windows_from - 2 * FUTURE_MS
        begins = read_offsets_for_time(address, PLAYS_BY_WINDOW, earliest)
    ends = read_end_offsets(address, PLAYS_BY_WINDOW)
    generations: dict[str, _Generation] = {}
    for message in read_topic(address, PLAYS_BY_WINDOW, begins=begins, ends=ends):
        window = read_window_start(message.key())
        if window is None or windows_from <= window < windows_to:
            _add_message(generations, message)
    chosen = choose_generation(list(generations.values()), len(ends))
    return SpeedLog(
        rows=chosen.rows,
        end_offsets=chosen.end_offsets(len(ends)),
        first_offsets=chosen.first_offsets,
        dropped_before=chosen.dropped_before,
        retained_from=_retained_from(address, starts),
    )


def choose_generation(generations: list[_Generation], partitions: int) -> _Generation:
    """Return the youngest generation that has read as far as the one chosen before it."""
    chosen = _Generation(born_ms=0)
    for younger in sorted(generations, key=lambda one: one.born_ms):
        reached, wanted = younger.end_offsets(partitions), chosen.end_offsets(partitions)
        if all(reached.get(p, 0) >= end for p, end in wanted.items()):
            chosen = younger
    return chosen


def _add_message(generations: dict[str, _Generation], message: Message) -> None:
    record = decode_record(message.key(), message.value())
    if record is None:
        return
    name = record.generation if isinstance(record, Marker) else record.key.generation
    logged_ms = message.timestamp()[1]
    generation = generations.setdefault(name, _Generation(logged_ms))
    generation.born_ms = min(generation.born_ms, logged_ms)
    if isinstance(record, Marker):
        generation.add_marker(message.partition(), record)
    else:
        generation.add_row(record)


def _retained_from(address: KafkaAddress, starts: Mapping[int, int]) -> int:
    """Return the start of the first window of which retention has deleted no row."""
    oldest = [
        message.timestamp()[1] + FUTURE_MS
        for partition, start in starts.items()
        if start > 0
        and (message := read_record(address, PLAYS_BY_WINDOW, partition, start)) is not None
    ]
    return max(oldest, default=NO_BOUNDARY)
