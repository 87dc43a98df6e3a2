"""One Spark driver with the streaming queries in it: archive and speed, each in its session."""

import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress

import msgspec
from filelock import FileLock, Timeout
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from crossfade.binding import bind_speed
from crossfade.checkpoint import BatchPlan, newest_committed, read_committed
from crossfade.clock import now_ms
from crossfade.config import Settings
from crossfade.embedded.stop_request import StopRequest
from crossfade.errors import BrokerError, StackError
from crossfade.folder import DataFolder, write_atomically
from crossfade.kafka import (
    SONG_PLAYS,
    KafkaAddress,
    await_broker,
    create_topics,
    read_end_offsets,
    topic_id,
)
from crossfade.processing.archive import start_archive
from crossfade.processing.classic import start_classic
from crossfade.processing.decode import WORKERS
from crossfade.processing.failures import explain_failure
from crossfade.processing.speed.job import SPEED, WindowSink, first_marker, start_speed
from crossfade.processing.speed.markers import MarkerLog
from crossfade.spark import build_session
from crossfade.telemetry import get_logger

ARCHIVE = "archive"

_SPARK = "Spark"
_POLL_S = 0.2
_DRAIN_WITHIN_S = 45.0
_BROKER_WITHIN_S = 60.0
_HEAD_START_S = 15.0
_SETTINGS = {
    **WORKERS,
    # A query that waits for a dead broker must not keep the driver from ending.
    "spark.sql.streaming.stopTimeout": "10s",
    # Streaming does without it, and says so at each start.
    "spark.sql.adaptive.enabled": "false",
}
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
    of time. A request in a hurry is not drained. If one query dies, all stop.

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
        spark = held.enter_context(_open_spark(folder, settings, names))
        with _explain_lost_java():
            if SPEED in names:
                _wake_workers(spark.newSession())
            await_broker(address, _BROKER_WITHIN_S, request.asked)
            create_topics(address, settings)
            markers = held.enter_context(_open_markers(folder, address)) if SPEED in names else None
            driver = _Driver(folder, address, markers)
            held.callback(driver.stop)
            for name in names:
                driver.start(name, spark.newSession(), settings)
                if name == SPEED and len(names) > 1:
                    driver.await_first(SPEED, request.asked)
            driver.watch(request.asked)
            driver.drain(request.hurry)


class _Driver:
    """The running queries, and what their checkpoints tell of their progress."""

    def __init__(
        self, folder: DataFolder, address: KafkaAddress, markers: MarkerLog | None
    ) -> None:
        self._folder = folder
        self._address = address
        self._markers = markers
        self._queries: dict[str, StreamingQuery] = {}
        self._done: dict[str, BatchPlan] = {}

    def start(self, name: str, session: SparkSession, settings: Settings) -> None:
        """Start a query in its session."""
        if name == SPEED and self._markers is not None:
            sink = WindowSink(session, self._folder, self._address, self._markers)
            query = start_speed(session, self._folder, settings, self._address, sink)
        else:
            start = start_archive if name == ARCHIVE else start_classic
            query = start(session, self._folder, settings, self._address)
        self._queries[name] = query

    def await_first(self, name: str, asked: threading.Event) -> None:
        """Let a query that finds plays end its first micro-batch alone, within a limit of time.

        People wait for it; in a Java that has just started, another query would take its cores just
        when everything is slowest.
        """
        checkpoint = self._folder.checkpoints / name
        done = read_committed(checkpoint)
        if not _is_behind(done, read_end_offsets(self._address, SONG_PLAYS)):
            return
        deadline = time.monotonic() + _HEAD_START_S
        while newest_committed(checkpoint) == done.batch and time.monotonic() < deadline:
            if asked.wait(_POLL_S):
                return
            self._refuse_dead()

    def watch(self, asked: threading.Event) -> None:
        """Watch every query until a stop is asked for."""
        self._note_progress(even_if_none=True)
        while not asked.wait(_POLL_S):
            self._refuse_dead()
            self._note_progress()
            self._repeat_marker()

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
            self._refuse_dead()
            hurry.wait(_POLL_S)
            self._note_progress()
        _log.info("drained", end_offsets=targets)

    def stop(self) -> None:
        """Stop every query, also when Java is gone."""
        for query in self._queries.values():
            with suppress(Py4JError, PySparkException, OSError):
                query.stop()

    def _refuse_dead(self) -> None:
        for name, query in self._queries.items():
            if not query.isActive:
                raise explain_failure(name, str(query.exception() or "it was stopped"))

    def _note_progress(self, *, even_if_none: bool = False) -> None:
        is_new = even_if_none
        for name in self._queries:
            checkpoint = self._folder.checkpoints / name
            if name not in self._done or newest_committed(checkpoint) != self._done[name].batch:
                self._done[name] = read_committed(checkpoint)
                is_new = True
        if is_new:
            _tell_progress(self._folder, self._done)

    def _repeat_marker(self) -> None:
        if self._markers is not None and not self._queries[SPEED].status["isDataAvailable"]:
            self._markers.repeat()

    def _list_behind(self, targets: Mapping[int, int]) -> list[str]:
        return [name for name, done in self._done.items() if _is_behind(done, targets)]


def _is_behind(done: BatchPlan, ends: Mapping[int, int]) -> bool:
    return any(done.end_offsets.get(partition, 0) < end for partition, end in ends.items())


def _tell_progress(folder: DataFolder, done: Mapping[str, BatchPlan]) -> None:
    """Write how far the queries are, for other processes; another driver's queries stay."""
    path = folder.run / "streams.json"
    try:
        told = msgspec.json.decode(path.read_bytes(), type=dict[str, object])
    except (FileNotFoundError, msgspec.DecodeError):
        told = {}
    for name, plan in done.items():
        told[name] = {"end_offsets": plan.end_offsets, "batch": plan.batch, "at": now_ms()}
    write_atomically(path, msgspec.json.encode(told))


@contextmanager
def _hold_checkpoint(folder: DataFolder, name: str) -> Iterator[None]:
    folder.run.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.run / f"{name}.lock", blocking=False)
    try:
        lock.acquire()
    except Timeout:
        what = f"Another driver runs {name} on {folder.root}."
        raise StackError(what, 'Stop it first; "crossfade status" shows it.') from None
    try:
        yield
    finally:
        lock.release()


def _open_markers(folder: DataFolder, address: KafkaAddress) -> MarkerLog:
    """Begin a new epoch of speed; the caller holds its lock."""
    binding = bind_speed(folder, topic_id(address, SONG_PLAYS))
    return MarkerLog(address, first_marker(folder.checkpoints / SPEED, binding))


@contextmanager
def _open_spark(
    folder: DataFolder, settings: Settings, names: Sequence[str]
) -> Iterator[SparkSession]:
    logging.getLogger("py4j").setLevel(logging.CRITICAL)
    spark = build_session(
        f"crossfade {' and '.join(names)}",
        cache=settings.cache,
        master=settings.spark_master,
        memory=settings.spark_memory,
        scratch=folder.run / f"spark-{'-'.join(names)}",
        settings=_SETTINGS,
    )
    try:
        yield spark
    finally:
        with suppress(Py4JError, PySparkException, OSError):
            spark.stop()


def _wake_workers(session: SparkSession) -> None:
    """Let Spark start its Python side now, and not when the first records wait for it."""

    def wake() -> None:
        with suppress(Py4JError, PySparkException, OSError):
            session.range(1).mapInArrow(lambda batches: batches, "id BIGINT").collect()

    threading.Thread(target=wake, name="wake workers", daemon=True).start()


@contextmanager
def _explain_lost_java() -> Iterator[None]:
    """Say in one line that Spark's Java process is gone, or what it refuses to start."""
    try:
        yield
    except PySparkException as error:
        raise explain_failure(_SPARK, str(error)) from error
    except (Py4JError, ConnectionError, EOFError) as error:
        what = "Spark's Java process ended on its own."
        raise StackError(what, "The log above may say why; the next start goes on.") from error
