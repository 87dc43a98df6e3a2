"""The running streaming queries of one driver, and their progress."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from pyspark.sql import SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from crossfade.config import Settings
from crossfade.errors import BrokerError, CrossfadeError, DamagedError, StackError
from crossfade.folder import ARCHIVE, SPEED, DataFolder
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.reach import await_broker
from crossfade.kafka.topics import SONG_PLAYS, read_end_offsets, read_start_offsets
from crossfade.lake.checkpoint import BatchPlan, newest_committed, read_committed
from crossfade.processing.failures import explain_failure, join_messages, mentions_lost_records
from crossfade.processing.progress import is_behind, write_progress
from crossfade.processing.speed.running import RunningSpeed
from crossfade.processing.streams.archive import start_archive
from crossfade.processing.streams.classic import start_classic
from crossfade.processing.streams.driver_spark import JAVA_CALL_ERRORS
from crossfade.processing.streams.lost_records import refuse_lost_records
from crossfade.processing.streams.watchdog import Stall
from crossfade.stack.request_files import SPEED_RENEWAL_REQUEST
from crossfade.telemetry import get_logger

BROKER_WITHIN_S = 60.0
"""How long a driver waits for Kafka: it may start at the same time, or again."""

_POLL_S = 0.2
_DRAIN_WITHIN_S = 45.0
_HEAD_START_S = 15.0
_ASK_EVERY_S = 10.0
_log = get_logger("streams")


class Queries:
    """The running queries and their progress, as read from their checkpoints."""

    def __init__(
        self, spark: SparkSession, folder: DataFolder, settings: Settings, address: KafkaAddress
    ) -> None:
        """Store what the queries need; no query is started yet."""
        self._spark = spark
        self._folder = folder
        self._settings = settings
        self._address = address
        self._speed = RunningSpeed(spark, folder, settings, address)
        self._has_replaced_speed = False
        self._queries: dict[str, StreamingQuery] = {}
        self._done: dict[str, BatchPlan] = {}

    def start(self, name: str) -> None:
        """Start a query in a new session."""
        if name == SPEED:
            try:
                self._queries[name] = self._speed.start()
            except DamagedError as error:
                self._replace_damaged_speed(error)
        else:
            start = start_archive if name == ARCHIVE else start_classic
            session = self._spark.newSession()
            self._queries[name] = start(session, self._folder, self._settings, self._address)

    def await_first_batch(self, name: str, asked: threading.Event) -> None:
        """Wait until a query has committed its first micro-batch, if it has records to read.

        Wait at most `_HEAD_START_S` seconds, and only until `asked` is set. Users wait for this
        query's results, and just after Java's start a second query would slow it down most.
        """
        checkpoint = self._folder.checkpoints / name
        done = read_committed(checkpoint)
        if not is_behind(done, read_end_offsets(self._address, SONG_PLAYS)):
            return
        deadline = time.monotonic() + _HEAD_START_S
        while newest_committed(checkpoint) == done.batch and time.monotonic() < deadline:
            if asked.wait(_POLL_S):
                return
            self._check_queries()

    def watch(self, asked: threading.Event) -> None:
        """Check every query again and again until `asked` is set."""
        self._write_progress(even_if_none=True)
        while not asked.wait(_POLL_S):
            self.check_once()

    def check_once(self) -> None:
        """Check every query once, write its progress, and renew speed if that is requested.

        Raises:
            CrossfadeError: a query failed.
        """
        self._check_queries()
        self._write_progress()
        if SPEED in self._queries:
            if SPEED_RENEWAL_REQUEST.is_pending(self._folder):
                self._queries[SPEED] = self._speed.renew()
            self._speed.repeat_marker()

    def drain(self, immediate: threading.Event) -> None:
        """Wait until every query has read up to the topic's current end offsets.

        Wait at most `_DRAIN_WITHIN_S` seconds, and only until `immediate` is set.
        """
        try:
            targets = read_end_offsets(self._address, SONG_PLAYS)
        except BrokerError as error:
            _log.warning("not_drained", why=str(error))
            return
        deadline = time.monotonic() + _DRAIN_WITHIN_S
        while behind := [name for name, done in self._done.items() if is_behind(done, targets)]:
            if immediate.is_set() or time.monotonic() > deadline:
                _log.warning("not_drained", queries=behind, why="the next start continues")
                return
            self._check_queries()
            immediate.wait(_POLL_S)
            self._write_progress()
        _log.info("drained", end_offsets=targets)

    def read_all(self, name: str, stalls: Sequence[Stall], report: Callable[[str], object]) -> None:
        """Wait until a query has read up to the topic's current end offsets.

        Raises:
            StackError: the watchdog has added a stall.
            BrokerError: Kafka is away.
        """
        targets = read_end_offsets(self._address, SONG_PLAYS)
        asked_at = time.monotonic()
        self._write_progress(even_if_none=True)
        while is_behind(self._done[name], targets):
            if stalls:
                what = (
                    f"{name} has committed nothing for {stalls[0].silent_s:.0f} s: "
                    f"{self._count_left(name, targets):,} records of {SONG_PLAYS} are not read."
                )
                raise StackError(what, "See the log above. Run it again: it continues from there.")
            if time.monotonic() - asked_at > _ASK_EVERY_S:
                await_broker(
                    self._address,
                    BROKER_WITHIN_S,
                    threading.Event(),
                    report=lambda error: report(f"{error.what} Waiting for it …"),
                )
                report(f"Archiving: up to {self._count_left(name, targets):,} records left …")
                asked_at = time.monotonic()
            time.sleep(_POLL_S)
            self._check_queries()
            self._write_progress()

    def stop(self) -> None:
        """Stop every query, even if Java is gone."""
        with suppress(*JAVA_CALL_ERRORS):
            # Spark logs the trace of each micro-batch that is interrupted.
            self._spark.sparkContext.setLogLevel("OFF")
        for query in self._queries.values():
            with suppress(*JAVA_CALL_ERRORS):
                query.stop()
        with suppress(*JAVA_CALL_ERRORS, CrossfadeError):
            self._speed.stop()

    def _count_left(self, name: str, targets: Mapping[int, int]) -> int:
        done = self._done[name].end_offsets or read_start_offsets(self._address, SONG_PLAYS)
        return sum(max(end - done.get(p, 0), 0) for p, end in targets.items())

    def _check_queries(self) -> None:
        for name, query in self._queries.items():
            if not query.isActive:
                text = join_messages(query.exception()) or "it was stopped"
                error = explain_failure(name, text)
                if name == SPEED and isinstance(error, DamagedError):
                    self._replace_damaged_speed(error)
                    return
                if mentions_lost_records(text):
                    reached = read_committed(self._folder.checkpoints / name).end_offsets
                    refuse_lost_records(name, reached, self._address)
                raise error

    def _replace_damaged_speed(self, error: DamagedError) -> None:
        """Begin a new generation of speed, but only once: a second damage has a lasting cause."""
        if self._has_replaced_speed:
            raise error
        self._has_replaced_speed = True
        self._queries[SPEED] = self._speed.replace_damaged(error.what)

    def _write_progress(self, *, even_if_none: bool = False) -> None:
        is_new = even_if_none
        for name in self._queries:
            checkpoint = self._folder.checkpoints / name
            if name not in self._done or newest_committed(checkpoint) != self._done[name].batch:
                self._done[name] = read_committed(checkpoint)
                is_new = True
        if is_new:
            write_progress(self._folder, self._done)
