"""Read speed's newest value of each window from its topic.

A key is (generation, epoch, window, grain), and a value is absolute. Within one generation the
highest (epoch, batch) wins. A younger generation is used once its end offsets have passed those of
the older one.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faults.oracle_kafka import Log, LogRecord
from faults.oracle_lake import FUTURE_MS

_KEPT_AT_MOST = 2_000_000

Grain = tuple[str, str, str, str, str | None, str | None]
Measures = tuple[int, int, int]
"""Plays, counted plays, ms."""

_ROW = np.dtype(
    [
        *((name, np.int64) for name in ("key", "epoch", "batch", "window")),
        *((name, np.int64) for name in ("plays", "counted", "ms")),
    ]
)


@dataclass(slots=True)
class Generation:
    """The values that one checkpoint of speed has sent.

    Attributes:
        rows: the newest value of each (window, grain); the key is the hash of that pair.
        recent: the newest values with their grains in clear, for windows from the boundary on.
        markers: the newest marker of each partition of the topic: epoch, batch, end offsets.
        first_offsets: the offsets at which it began to read, as far as they are known.
        dropped_before: windows that end before this time may lack plays, dropped by the watermark.
    """

    born: int
    rows: NDArray[np.void] = field(default_factory=lambda: np.zeros(0, _ROW))
    recent: dict[tuple[int, Grain], tuple[int, int, Measures]] = field(default_factory=dict)
    markers: dict[int, tuple[int, int, dict[int, int]]] = field(default_factory=dict)
    first_offsets: dict[int, int] = field(default_factory=dict)
    dropped_before: int = -(2**53)
    _waiting: list[tuple[int, ...]] = field(default_factory=list)

    def take_row(self, row: tuple[int, ...]) -> None:
        """Add a value; see `_ROW`."""
        self._waiting.append(row)
        if len(self._waiting) > _KEPT_AT_MOST:
            self.settle()

    def settle(self) -> None:
        """Reduce the rows to the newest value of each key."""
        rows = np.concatenate([self.rows, np.array(self._waiting, _ROW)])
        self._waiting.clear()
        rows = rows[np.lexsort((rows["batch"], rows["epoch"], rows["key"]))]
        is_last = np.ones(len(rows), np.bool_)
        is_last[:-1] = rows["key"][1:] != rows["key"][:-1]
        self.rows = rows[is_last]

    def end_offsets(self, partitions: Iterable[int]) -> dict[int, int] | None:
        """Return the end offsets read so far; None until each partition has a marker."""
        if not self.markers.keys() >= set(partitions):
            return None
        marked = [ends for _, _, ends in self.markers.values()]
        return {p: min(ends.get(p, 0) for ends in marked) for p in set().union(*marked)}


@dataclass(frozen=True, slots=True)
class Speed:
    """The generation in use, its end offsets in `song-plays`, and the start of what is retained."""

    generation: Generation
    end_offsets: Mapping[int, int]
    retained_from: int


def read_speed(log: Log, *, recent_from: int) -> Speed:
    """Read the whole topic, and choose the generation in use.

    Args:
        log: the log of `plays-by-window`.
        recent_from: the first window whose rows are kept with their grains in clear.
    """
    generations: dict[str, Generation] = {}
    retained_from = -(2**53)
    begun: set[int] = set()
    for chunk in log.chunks():
        for record in chunk:
            if record.partition not in begun:
                begun.add(record.partition)
                if log.starts[record.partition] > 0:
                    retained_from = max(retained_from, record.log_time + FUTURE_MS)
            _take(generations, record, recent_from)
    for one in generations.values():
        one.settle()
    chosen = _choose(generations, log.ends)
    return Speed(chosen, chosen.end_offsets(log.ends) or {}, retained_from)


def _take(generations: dict[str, Generation], record: LogRecord, recent_from: int) -> None:
    if not record.key or not record.value:
        return
    key, value = json.loads(record.key), json.loads(record.value)
    if "g" not in key:
        return
    generation = generations.setdefault(key["g"], Generation(record.log_time))
    generation.born = min(generation.born, record.log_time)
    if "marker" in key:
        _take_marker(generation, record.partition, value)
        return
    window, epoch, batch = key["w"], key["e"], value["b"]
    grain: Grain = tuple(key["k"])
    measures = value["p"], value["n"], value["m"]
    generation.take_row((hash((window, *grain)), epoch, batch, window, *measures))
    if window >= recent_from:
        known = generation.recent.get((window, grain))
        if known is None or (epoch, batch) >= known[:2]:
            generation.recent[window, grain] = epoch, batch, measures


def _take_marker(generation: Generation, partition: int, marker: dict[str, Any]) -> None:
    ends = {int(p): end for p, end in marker["end_offsets"].items()}
    epoch, batch = marker["e"], marker["b"]
    known = generation.markers.get(partition)
    if known is None or (epoch, batch) >= known[:2]:
        generation.markers[partition] = epoch, batch, ends
    if batch < 0:
        generation.first_offsets = ends
    if marker["dropped"] and marker["watermark"] is not None:
        generation.dropped_before = max(generation.dropped_before, marker["watermark"])


def _choose(generations: Mapping[str, Generation], partitions: Iterable[int]) -> Generation:
    chosen = Generation(born=0)
    for younger in sorted(generations.values(), key=lambda one: one.born):
        reached, wanted = younger.end_offsets(partitions), chosen.end_offsets(partitions)
        if wanted is None or (
            reached is not None and all(reached.get(p, 0) >= end for p, end in wanted.items())
        ):
            chosen = younger
    return chosen
