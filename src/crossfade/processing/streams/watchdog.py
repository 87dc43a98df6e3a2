"""The watchdog of a driver: it ends the process when a query makes no progress.

It reads only the checkpoints' files and Kafka's end offsets. It calls neither Spark nor Java,
because either may be what hangs.
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
"""Time allowed for the first micro-batch after a start: Java is cold, and state is loaded."""
_SLOWEST_RATE = 5_000
"""Records per second of the slowest machine; a large micro-batch gets more time accordingly."""

_log = get_logger("streams")


class Stall(NamedTuple):
    """A query that has records to read but has committed nothing for `silent_s` seconds."""

    query: str
    batch: int
    silent_s: float


@dataclass(slots=True)
class _Watched:
    """A query: its trigger interval, and for how long it has committed nothing."""

    trigger_s: float
    committed: int
    silent_s: float = 0.0
    is_warm: bool = False


class Watchdog:
    """Watches the checkpoints of some queries.

    Args:
        folder: the data folder.
        triggers: the trigger interval of each query in seconds; a query may wait that long.
        after_s: the time allowed for a small micro-batch, in addition to the trigger interval.
    """

    def __init__(self, folder: DataFolder, triggers: Mapping[str, float], after_s: float) -> None:
        self._checkpoints = folder.checkpoints
        self._after_s = after_s
        self._watched = {
            name: _Watched(trigger_s, newest_committed(self._checkpoints / name))
            for name, trigger_s in triggers.items()
        }

    def check(self, passed_s: float, ends: Mapping[int, int] | None) -> Stall | None:
        """Check each query once; return the first that hangs, if any.

        Args:
            passed_s: the seconds that count as passed since the last check.
            ends: Kafka's end offsets; None while Kafka is away: then no query counts as hanging.
        """
        for name, query in self._watched.items():
            checkpoint = self._checkpoints / name
            committed = newest_committed(checkpoint)
            if committed != query.committed:
                # A smaller number than before: the query was started from scratch and is cold.
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
        limit_s = self._after_s + query.trigger_s + records / _SLOWEST_RATE
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
    on_stall: Callable[[Stall], object] | None = None,
    every_s: float = _EVERY_S,
) -> threading.Event:
    """Check the queries every `every_s` seconds, in a thread, until the returned event is set.

    Args:
        watchdog: the watchdog to call.
        address: where Kafka is.
        on_stall: called with a query that hangs; by default, `end_process`.
        every_s: seconds between two checks.
    """
    ended = threading.Event()

    def watch() -> None:
        checked_at = time.monotonic()
        while not ended.wait(every_s):
            ends = _read_ends(address)
            now = time.monotonic()
            # Time in which this process itself was stopped, or waited for Kafka, does not count.
            stall = watchdog.check(min(now - checked_at, 2 * every_s), ends)
            checked_at = now
            if stall is not None and not ended.is_set():
                (on_stall or end_process)(stall)

    threading.Thread(target=watch, name="watchdog", daemon=True).start()
    return ended


def end_process(stall: Stall) -> None:
    """Kill this process and all its children; the supervisor starts it again."""
    _log.error(
        "no progress",
        query=stall.query,
        batch=stall.batch,
        for_s=round(stall.silent_s),
        cure="This process ends; the next start continues where the query stopped.",
    )
    for child in psutil.Process().children(recursive=True):
        child.kill()
    os._exit(1)


def _read_ends(address: KafkaAddress) -> dict[int, int] | None:
    try:
        return read_end_offsets(address, SONG_PLAYS)
    except BrokerError:
        return None
