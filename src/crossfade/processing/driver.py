"""One Spark driver with the streaming queries in it: archive and speed, each in its session."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import msgspec
from filelock import FileLock, Timeout
from pyspark.errors import StreamingQueryException
from pyspark.sql import SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from crossfade.binding import bind_speed
from crossfade.clock import now_ms
from crossfade.config import Settings
from crossfade.errors import BrokerError, CrossfadeError, LakeError, MachineError, StackError
from crossfade.folder import DataFolder, write_atomically
from crossfade.kafka import SONG_PLAYS, KafkaAddress, read_end_offsets, topic_id
from crossfade.processing.archive import start_archive, start_classic
from crossfade.processing.speed.job import first_marker, start_speed
from crossfade.processing.speed.markers import MarkerLog, ProgressListener, read_offsets
from crossfade.spark import build_session
from crossfade.telemetry import get_logger

_POLL_S = 0.2
_DRAIN_WITHIN_S = 45.0
_LOG = get_logger("streams")


def run_queries(
    folder: DataFolder,
    settings: Settings,
    address: KafkaAddress,
    until: threading.Event,
    *,
    names: Sequence[str] = ("archive", "speed"),
) -> None:
    """Run the named queries (`archive`, `classic`, `speed`) until asked to stop; then drain them.

    Draining reads up to the end that the topic has when asked, within a limit of time.

    Raises:
        StackError: another driver holds a checkpoint, or a query died of an unknown cause.
        LakeError: checkpoint and output do not belong together.
        BrokerError: Kafka no longer holds what was not read yet, or is away.
        MachineError: the disk is full.
    """
    with ExitStack() as held:
        for name in names:
            held.enter_context(_hold_checkpoint(folder, name))
        spark = build_session(
            "crossfade-streams",
            cache=settings.cache,
            master=settings.spark_master,
            memory=settings.spark_memory,
            scratch=folder.run / "spark-streams",
        )
        held.callback(spark.stop)
        running = _Queries(spark, folder, settings, address, names)
        held.callback(running.close)
        running.watch(until)
        running.drain()


class _Queries:
    """The queries of this driver and what they told of their progress."""

    def __init__(
        self,
        spark: SparkSession,
        folder: DataFolder,
        settings: Settings,
        address: KafkaAddress,
        names: Sequence[str],
    ) -> None:
        self._folder = folder
        self._address = address
        self._ends: dict[str, dict[int, int]] = {}
        self._markers: MarkerLog | None = None
        binding = None
        if "speed" in names:
            binding = bind_speed(folder, topic_id(address, SONG_PLAYS))
            self._markers = MarkerLog(address, first_marker(folder, binding))
        listener = ProgressListener(self._note, binding, self._markers)
        self._queries: list[StreamingQuery] = []
        if binding is not None:
            session = spark.newSession()
            session.streams.addListener(listener)
            self._queries.append(start_speed(session, folder, settings, address, binding))
        for name, start in (("archive", start_archive), ("classic", start_classic)):
            if name in names:
                session = spark.newSession()
                session.streams.addListener(listener)
                self._queries.append(start(session, folder, settings, address))
        self._tell()

    def watch(self, until: threading.Event) -> None:
        """Watch every query until asked to stop; if one dies, all stop."""
        while not until.wait(_POLL_S):
            self._refuse_dead()
            self._repeat_marker()

    def drain(self) -> None:
        """Let every query read up to the end that the topic has now; give up at a limit."""
        targets = read_end_offsets(self._address, SONG_PLAYS)
        deadline = time.monotonic() + _DRAIN_WITHIN_S
        while any(self._is_behind(query, targets) for query in self._queries):
            self._refuse_dead()
            if time.monotonic() > deadline:
                _LOG.warning("not drained in time; the next start goes on", targets=targets)
                return
            time.sleep(_POLL_S)
        _LOG.info("drained", end_offsets=targets)

    def close(self) -> None:
        """Stop every query and let the last marker reach the topic."""
        for query in self._queries:
            query.stop()
        if self._markers is not None:
            self._markers.close()

    def _refuse_dead(self) -> None:
        for query in self._queries:
            if not query.isActive:
                raise _explain(query)

    def _repeat_marker(self) -> None:
        if self._markers is None:
            return
        [speed] = [query for query in self._queries if query.name == "speed"]
        if not speed.status["isDataAvailable"]:
            self._markers.repeat()

    def _is_behind(self, query: StreamingQuery, targets: dict[int, int]) -> bool:
        progress = query.lastProgress
        ends = self._ends.get(query.name or "", {})
        if progress is not None:
            ends = read_offsets(progress.sources[0].endOffset)
        return any(ends.get(partition, 0) < end for partition, end in targets.items())

    def _note(self, name: str, ends: dict[int, int]) -> None:
        self._ends[name] = ends
        self._tell()

    def _tell(self) -> None:
        told = {name: {"end_offsets": ends, "at": now_ms()} for name, ends in self._ends.items()}
        write_atomically(self._folder.run / "streams.json", msgspec.json.encode(told))


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


def _explain(query: StreamingQuery) -> CrossfadeError:
    """Say in one line why a query died, with the cure where one is known."""
    error: StreamingQueryException | None = query.exception()
    text = "it was stopped" if error is None else str(error)
    name = query.name
    if "KAFKA_DATA_LOSS" in text or "OffsetOutOfRange" in text:
        what = f"Kafka no longer holds records that {name} has not read."
        return BrokerError(what, "Restore the topic, or start a new data folder.")
    if "No space left on device" in text:
        what = f"The disk is full: {name} cannot write."
        return MachineError(what, "Make room; the next start goes on where this one stopped.")
    if "CANNOT_LOAD_STATE_STORE" in text or "Incomplete log file" in text:
        what = f"The checkpoint of {name} is damaged."
        return LakeError(what, f"Restore {query.name}'s checkpoint from a backup.")
    if "TimeoutException" in text or "UnknownTopicOrPartition" in text:
        what = f"Kafka does not answer {name}."
        return BrokerError(what, "See the broker's log; the next start goes on.")
    first_line = next((line for line in text.splitlines() if line.strip()), "no reason")
    return StackError(f"{name} died: {first_line}", "See the log above for the whole trace.")
