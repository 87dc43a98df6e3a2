"""What speed said last about each window: the topic `plays-by-window`, read to its end."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from confluent_kafka import Message

from crossfade.contract.boundary import NO_BOUNDARY
from crossfade.contract.time_rules import FUTURE_MS
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.clients import read_record
from crossfade.kafka.topics import (
    PLAYS_BY_WINDOW,
    read_end_offsets,
    read_offsets_for_time,
    read_start_offsets,
)
from crossfade.kafka.window_log import Grain, Marker, WindowRow, decode_record, read_window_start
from crossfade.proof.read_topic import read_topic
from crossfade.proof.verdicts import SpeedProgress

_NO_END = 1 << 62


class Measures(NamedTuple):
    """A row's absolute values; the greater (epoch, batch) is the later one."""

    epoch: int
    batch: int
    plays: int
    counted_plays: int
    ms_played: int


@dataclass(frozen=True, slots=True)
class SpeedLog:
    """Speed's last values within the generation that counts.

    `end_offsets` is how far in `song-plays` speed is, in every partition of its topic; empty
    while it has said nothing. `first_offsets` is where the generation began, if that is still
    known. Windows that end before `dropped_before` may be short: Spark's watermark dropped plays.
    Windows from `retained_from` on are held whole.
    """

    rows: Mapping[tuple[int, Grain], Measures]
    end_offsets: Mapping[int, int]
    first_offsets: Mapping[int, int]
    dropped_before: int
    retained_from: int

    @property
    def progress(self) -> SpeedProgress | None:
        """Return how far speed is; None while it has said nothing."""
        if not self.end_offsets:
            return None
        return SpeedProgress(self.end_offsets, self.dropped_before)


@dataclass(slots=True)
class _Generation:
    """One life of the checkpoint: its rows, and its newest marker in each topic partition."""

    born_ms: int
    rows: dict[tuple[int, Grain], Measures] = field(default_factory=dict)
    newest: dict[int, Marker] = field(default_factory=dict)
    first_offsets: dict[int, int] = field(default_factory=dict)
    dropped_before: int = NO_BOUNDARY

    def add_row(self, row: WindowRow) -> None:
        key, value = row
        said = Measures(key.epoch, value.batch, value.plays, value.counted_plays, value.ms_played)
        place = key.window_start_ms, key.grain
        known = self.rows.get(place)
        if known is None or said[:2] >= known[:2]:
            self.rows[place] = said

    def add_marker(self, partition: int, marker: Marker) -> None:
        known = self.newest.get(partition)
        if known is None or (marker.epoch, marker.batch) >= (known.epoch, known.batch):
            self.newest[partition] = marker
        if marker.batch < 0:
            self.first_offsets = dict(marker.end_offsets)
        if marker.dropped and marker.watermark is not None:
            self.dropped_before = max(self.dropped_before, marker.watermark)

    def end_offsets(self, partitions: int) -> dict[int, int]:
        """Return how far speed is: in each partition of its topic, rows come before their marker."""
        if len(self.newest) < partitions:
            return {}
        said = [marker.end_offsets for marker in self.newest.values()]
        return {p: min(one.get(p, 0) for one in said) for p in set().union(*said)}


def read_speed_log(
    address: KafkaAddress, *, windows_from: int = NO_BOUNDARY, windows_to: int = _NO_END
) -> SpeedLog:
    """Read the topic to the end that it has now, from where rows of `windows_from` may begin.

    Rows of windows that begin before `windows_from`, or not before `windows_to`, are left out: a
    busy hour has millions of them.
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
            _take_in(generations, message)
    chosen = choose_generation(list(generations.values()), len(ends))
    return SpeedLog(
        rows=chosen.rows,
        end_offsets=chosen.end_offsets(len(ends)),
        first_offsets=chosen.first_offsets,
        dropped_before=chosen.dropped_before,
        retained_from=_retained_from(address, starts),
    )


def choose_generation(generations: list[_Generation], partitions: int) -> _Generation:
    """Take the oldest generation, and a younger one once it is as far as the one before it."""
    chosen = _Generation(born_ms=0)
    for younger in sorted(generations, key=lambda one: one.born_ms):
        reached, wanted = younger.end_offsets(partitions), chosen.end_offsets(partitions)
        if all(reached.get(p, 0) >= end for p, end in wanted.items()):
            chosen = younger
    return chosen


def _take_in(generations: dict[str, _Generation], message: Message) -> None:
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
    """Return the first window whose rows all were logged after what retention deleted."""
    oldest = [
        message.timestamp()[1] + FUTURE_MS
        for partition, start in starts.items()
        if start > 0
        and (message := read_record(address, PLAYS_BY_WINDOW, partition, start)) is not None
    ]
    return max(oldest, default=NO_BOUNDARY)
