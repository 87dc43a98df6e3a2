"""A watchdog over the queries of a driver: one without progress ends the process.

It asks neither Spark nor Java, which may be what hangs: the checkpoints' files say what is done,
and Kafka where its records end.
"""

import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import psutil

from crossfade.errors import BrokerError, LakeError
from crossfade.folder import DataFolder
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.topics import SONG_PLAYS, read_end_offsets
from crossfade.lake.checkpoint import newest_committed, newest_planned, read_committed, read_plan
from crossfade.telemetry import get_logger

_EVERY_S = 5.0
_FIRST_S = 120.0
"""What the first micro-batch after a start may take: Java is cold, and state is loaded."""
_SLOWEST_PACE = 5_000
"""Records a second of the slowest machine: a large micro-batch, in catching up, gets more time."""

_log = get_logger("streams")


class Stall(NamedTuple):
    """A query that has records to read and commits nothing."""

    query: str
    batch: int
    silent_s: float


@dataclass(slots=True)
class _Watched:
    """A query: its trigger in seconds, and since when it has committed nothing."""

    trigger_s: float
    committed: int
    silent_s: float = 0.0
    is_warm: bool = False


class Watchdog:
    """Watches the checkpoints of some queries.

    Args:
        folder: the data folder.
        triggers: the queries, and the trigger of each in seconds: that long it rests on purpose.
        after_s: how long a small micro-batch may take beside.
    """

    def __init__(self, folder: DataFolder, triggers: Mapping[str, float], after_s: float) -> None:
        self._checkpoints = folder.checkpoints
        self._after_s = after_s
        self._watched = {
            name: _Watched(trigger_s, newest_committed(self._checkpoints / name))
            for name, trigger_s in triggers.items()
        }

    def look(self, passed_s: float, ends: Mapping[int, int] | None) -> Stall | None:
        """Look at each query, so long after the last time; give one that hangs.

        Args:
            passed_s: how much time counts as passed.
            ends: where Kafka's records end; None while it is away, which is no query's fault.
        """
        for name, query in self._watched.items():
            checkpoint = self._checkpoints / name
            committed = newest_committed(checkpoint)
            if committed != query.committed:
                # Fewer than before: the query was begun anew, and is as cold as at a start.
                query.is_warm = committed > query.committed
                query.committed, query.silent_s = committed, 0.0
            elif ends is None or not self._is_behind(name, ends):
                query.silent_s = 0.0
            else:
                query.silent_s += passed_s
                if query.silent_s > self._limit_s(name, query):
                    return Stall(name, newest_planned(checkpoint), query.silent_s)
        return None

    def _is_behind(self, name: str, ends: Mapping[int, int]) -> bool:
        try:
            done = read_committed(self._checkpoints / name).end_offsets
        except LakeError:
            return False
        return any(done.get(partition, 0) < end for partition, end in ends.items())

    def _limit_s(self, name: str, query: _Watched) -> float:
        records = self._planned_records(name)
        limit_s = self._after_s + query.trigger_s + records / _SLOWEST_PACE
        return limit_s if query.is_warm else max(limit_s, _FIRST_S)

    def _planned_records(self, name: str) -> int:
        checkpoint = self._checkpoints / name
        try:
            begins = read_committed(checkpoint).end_offsets
            ends = read_plan(checkpoint, newest_planned(checkpoint)).end_offsets
        except LakeError:
            return 0
        return sum(max(end - begins.get(partition, 0), 0) for partition, end in ends.items())


def start_watchdog(
    watchdog: Watchdog,
    address: KafkaAddress,
    *,
    bite: Callable[[Stall], None] | None = None,
    every_s: float = _EVERY_S,
) -> threading.Event:
    """Look again and again in a thread until the event is set; `bite` what hangs."""
    ended = threading.Event()

    def watch() -> None:
        looked_at = time.monotonic()
        while not ended.wait(every_s):
            ends = _read_ends(address)
            now = time.monotonic()
            # Time in which this process was stopped itself, or waited for Kafka, says nothing.
            stall = watchdog.look(min(now - looked_at, 2 * every_s), ends)
            looked_at = now
            if stall is not None and not ended.is_set():
                (bite or end_process)(stall)

    threading.Thread(target=watch, name="watchdog", daemon=True).start()
    return ended


def end_process(stall: Stall) -> None:
    """End this process and all that it started: a supervisor starts it again."""
    _log.error(
        "no progress",
        query=stall.query,
        batch=stall.batch,
        for_s=round(stall.silent_s),
        cure="This process ends; the next start goes on where the query stopped.",
    )
    for child in psutil.Process().children(recursive=True):
        child.kill()
    os._exit(1)


def _read_ends(address: KafkaAddress) -> dict[int, int] | None:
    try:
        return read_end_offsets(address, SONG_PLAYS)
    except BrokerError:
        return None
