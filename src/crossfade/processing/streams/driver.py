"""One Spark driver with the streaming queries in it: archive and speed, each in its session."""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress

from filelock import FileLock, Timeout
from pyspark.sql import SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from crossfade.clock import SECOND_MS, parse_duration
from crossfade.config import Settings
from crossfade.errors import BrokerError, CrossfadeError, DamagedError, StackError
from crossfade.folder import ARCHIVE, SPEED, DataFolder
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.topics import (
    SONG_PLAYS,
    await_broker,
    create_topics,
    read_end_offsets,
)
from crossfade.lake.checkpoint import BatchPlan, newest_committed, read_committed
from crossfade.processing.failures import (
    explain_errors,
    explain_failure,
    join_messages,
    mentions_lost_records,
)
from crossfade.processing.progress import is_behind, write_progress
from crossfade.processing.speed.running import RunningSpeed
from crossfade.processing.streams.archive import start_archive
from crossfade.processing.streams.classic import start_classic
from crossfade.processing.streams.driver_spark import (
    JAVA_CALL_ERRORS,
    open_spark,
    warm_up_workers,
)
from crossfade.processing.streams.lost_records import refuse_lost_records
from crossfade.processing.streams.watchdog import Watchdog, start_watchdog
from crossfade.stack.request_files import SPEED_RENEWAL_REQUEST
from crossfade.stack.stop_request import StopRequest
from crossfade.telemetry import get_logger

_POLL_S = 0.2
_DRAIN_WITHIN_S = 45.0
_BROKER_WITHIN_S = 60.0
_HEAD_START_S = 15.0
_log = get_logger("streams")


def run_queries(
    folder: DataFolder,
    settings: Settings,
    address: KafkaAddress,
    request: StopRequest,
    *,
    names: Sequence[str] = (SPEED, ARCHIVE),
) -> None:
    """Run the named queries (`speed`, `archive`, `classic`) until a stop is asked for.

    Kafka may start while Spark does; its topics are made where they are missing. In the end the
    queries are drained: they read up to the end that the topic has at that moment, within a limit
    of time. A request in a hurry is not drained. If one query dies, all stop; if one hangs, the
    process ends.

    Raises:
        StackError: another driver holds a checkpoint, or a query died of an unknown cause.
        LakeError: checkpoint and output do not belong together.
        BrokerError: Kafka no longer holds what was not read yet, or is away.
        MisuseError: `song-plays` exists and takes the producers' clocks.
        MachineError: the disk is full.
    """
    with ExitStack() as held:
        for name in names:
            held.enter_context(_hold_checkpoint(folder, name))
        spark = held.enter_context(open_spark(folder, settings, names))
        with explain_errors():
            if SPEED in names:
                warm_up_workers(spark.newSession())
            await_broker(address, _BROKER_WITHIN_S, request.asked)
            create_topics(address, settings)
            driver = Driver(spark, folder, settings, address)
            held.callback(driver.stop)
            held.callback(_watch_over(folder, settings, address, names).set)
            for name in names:
                driver.start(name)
                if name == SPEED and len(names) > 1:
                    driver.await_first(SPEED, request.asked)
            driver.watch(request.asked)
            driver.drain(request.immediate)


class Driver:
    """The running queries, and what their checkpoints tell of their progress."""

    def __init__(
        self, spark: SparkSession, folder: DataFolder, settings: Settings, address: KafkaAddress
    ) -> None:
        """Name what the queries use; none runs yet."""
        self._spark = spark
        self._folder = folder
        self._settings = settings
        self._address = address
        self._speed = RunningSpeed(spark, folder, settings, address)
        self._has_healed = False
        self._queries: dict[str, StreamingQuery] = {}
        self._done: dict[str, BatchPlan] = {}

    def start(self, name: str) -> None:
        """Start a query in its session."""
        if name == SPEED:
            try:
                self._queries[name] = self._speed.start()
            except DamagedError as error:
                self._heal_speed(error)
        else:
            start = start_archive if name == ARCHIVE else start_classic
            session = self._spark.newSession()
            self._queries[name] = start(session, self._folder, self._settings, self._address)

    def await_first(self, name: str, asked: threading.Event) -> None:
        """Let a query that finds plays end its first micro-batch alone, within a limit of time.

        People wait for it; in a Java that has just started, another query would take its cores just
        when everything is slowest.
        """
        checkpoint = self._folder.checkpoints / name
        done = read_committed(checkpoint)
        if not is_behind(done, read_end_offsets(self._address, SONG_PLAYS)):
            return
        deadline = time.monotonic() + _HEAD_START_S
        while newest_committed(checkpoint) == done.batch and time.monotonic() < deadline:
            if asked.wait(_POLL_S):
                return
            self._look_after()

    def watch(self, asked: threading.Event) -> None:
        """Watch every query until a stop is asked for."""
        self._note_progress(even_if_none=True)
        while not asked.wait(_POLL_S):
            self.look()

    def look(self) -> None:
        """Look once after every query: a dead one raises, speed is begun anew where that helps."""
        self._look_after()
        self._note_progress()
        if SPEED in self._queries:
            if SPEED_RENEWAL_REQUEST.is_pending(self._folder):
                self._queries[SPEED] = self._speed.renew()
            self._speed.repeat_marker()

    def drain(self, hurry: threading.Event) -> None:
        """Let every query read up to the end that the topic has now."""
        try:
            targets = read_end_offsets(self._address, SONG_PLAYS)
        except BrokerError as error:
            _log.warning("not_drained", why=str(error))
            return
        deadline = time.monotonic() + _DRAIN_WITHIN_S
        while behind := self._list_behind(targets):
            if hurry.is_set() or time.monotonic() > deadline:
                _log.warning("not_drained", queries=behind, why="the next start goes on")
                return
            self._look_after()
            hurry.wait(_POLL_S)
            self._note_progress()
        _log.info("drained", end_offsets=targets)

    def stop(self) -> None:
        """Stop every query, also when Java is gone."""
        for query in self._queries.values():
            with suppress(*JAVA_CALL_ERRORS):
                query.stop()
        with suppress(*JAVA_CALL_ERRORS, CrossfadeError):
            self._speed.stop()

    def _look_after(self) -> None:
        for name, query in self._queries.items():
            if not query.isActive:
                text = join_messages(query.exception()) or "it was stopped"
                error = explain_failure(name, text)
                if name == SPEED and isinstance(error, DamagedError):
                    self._heal_speed(error)
                    return
                if mentions_lost_records(text):
                    reached = read_committed(self._folder.checkpoints / name).end_offsets
                    refuse_lost_records(name, reached, self._address)
                raise error

    def _heal_speed(self, error: DamagedError) -> None:
        """Begin a new generation of speed, once: what damages that one too is no chance."""
        if self._has_healed:
            raise error
        self._has_healed = True
        self._queries[SPEED] = self._speed.heal(error.what)

    def _note_progress(self, *, even_if_none: bool = False) -> None:
        is_new = even_if_none
        for name in self._queries:
            checkpoint = self._folder.checkpoints / name
            if name not in self._done or newest_committed(checkpoint) != self._done[name].batch:
                self._done[name] = read_committed(checkpoint)
                is_new = True
        if is_new:
            write_progress(self._folder, self._done)

    def _list_behind(self, targets: Mapping[int, int]) -> list[str]:
        return [name for name, done in self._done.items() if is_behind(done, targets)]


def _watch_over(
    folder: DataFolder, settings: Settings, address: KafkaAddress, names: Sequence[str]
) -> threading.Event:
    """Set a watchdog over the queries; it ends when the event is set."""
    triggers = {
        name: parse_duration(settings.speed_every if name == SPEED else settings.archive_every)
        for name in names
    }
    watchdog = Watchdog(
        folder,
        {name: trigger / SECOND_MS for name, trigger in triggers.items()},
        parse_duration(settings.watchdog_after) / SECOND_MS,
    )
    return start_watchdog(watchdog, address)


@contextmanager
def _hold_checkpoint(folder: DataFolder, name: str) -> Iterator[None]:
    folder.run.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.lock_file(name), blocking=False)
    try:
        lock.acquire()
    except Timeout:
        what = f"Another driver runs {name} on {folder.root}."
        raise StackError(what, 'Stop it first; "crossfade status" shows it.') from None
    try:
        yield
    finally:
        lock.release()
