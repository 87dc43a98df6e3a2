"""The batch job: set-up, then one run at a time, on a schedule or on request."""

import threading
import uuid
from collections.abc import Callable
from dataclasses import replace

from pyspark.sql import SparkSession

import crossfade
from crossfade.clock import now_ms, parse_duration
from crossfade.config import Settings
from crossfade.contract.boundary import NO_BOUNDARY
from crossfade.contract.counting import RULES_VERSION
from crossfade.erasure.settle import settle_erasures
from crossfade.errors import LakeError
from crossfade.folder import DataFolder
from crossfade.kafka.address import KafkaAddress
from crossfade.lake.binding import ArchiveBinding, begin_batch, bind_batch, read_archive_binding
from crossfade.lake.lock import hold_batch
from crossfade.lake.runs import Run, RunCounts, read_newest_run
from crossfade.lake.tables import BRONZE_SONG_PLAYS, list_files
from crossfade.processing.batch.publish import publish_run
from crossfade.processing.batch.run import RunContext, compute_run
from crossfade.processing.batch.tables import create_tables, head_versions, sign_commits
from crossfade.processing.decode import WORKERS
from crossfade.processing.progress import record_run_times
from crossfade.processing.spark import build_session
from crossfade.stack.request_files import BATCH_RUN_REQUEST
from crossfade.telemetry import get_logger

AfterRun = Callable[[DataFolder, KafkaAddress | None], object]
"""Called after each published run, outside of its lock: records the hand-overs."""

_WATCH_S = 0.2
_LOCK_WITHIN_S = 1800.0
_LOCAL = "local[2,4]"
"""Half of the streams' threads, each with a Python worker; tasks are retried."""
_log = get_logger("batch")


def set_up(spark: SparkSession, folder: DataFolder) -> Run:
    """Create every table and publish run 0: V_0 is where the archive began, C_0 is -infinity.

    Raises:
        LakeError: the archive has not started, so where bronze begins is unknown; or only gold/run
            is gone.
    """
    binding = read_archive_binding(folder)
    if binding is None:
        what = f"Nothing has been archived in {folder.root} yet."
        raise LakeError(what, 'Start "crossfade up", or import plays first.')
    run_uuid = uuid.uuid4().hex
    sign_commits(spark, run_uuid)
    begin_batch(folder)
    create_tables(folder.lake, run_uuid)
    now = now_ms()
    run = Run(
        run=0,
        run_uuid=run_uuid,
        pins=head_versions(folder.lake),
        start_offsets=binding.first_offsets,
        end_offsets=binding.first_offsets,
        last_log_times={},
        next_log_times={},
        log_time=NO_BOUNDARY,
        boundary=NO_BOUNDARY,
        gaps=[],
        counts=RunCounts(),
        rules=RULES_VERSION,
        code_version=crossfade.__version__,
        started_at_ms=now,
        published_at_ms=now,
    )
    publish_run(folder.lake, run)
    return run


def run_once(
    spark: SparkSession,
    folder: DataFolder,
    settings: Settings,
    address: KafkaAddress | None,
    *,
    within_s: float = 0.0,
    given_up: threading.Event | None = None,
) -> Run | None:
    """Compute and publish one run; None when there is nothing new to publish.

    Args:
        spark: batch's session.
        folder: the data folder.
        settings: the settings.
        address: where Kafka is, if it is known.
        within_s: how long to wait for another process that holds batch's lock.
        given_up: set to stop waiting.

    Raises:
        LakeError: another process runs batch on this folder, or a table is not what it should be.
        UnprovenError: a law of conservation does not hold; nothing was published.
    """
    with hold_batch(folder, within_s=within_s, given_up=given_up):
        return run_locked(spark, folder, settings, address)


def run_locked(
    spark: SparkSession, folder: DataFolder, settings: Settings, address: KafkaAddress | None
) -> Run | None:
    """Compute and publish one run, or return None; the caller holds batch's lock."""
    binding = read_archive_binding(folder)
    if binding is None:
        return None
    previous = read_newest_run(folder.lake) or set_up(spark, folder)
    bind_batch(folder, previous.pins)
    run_uuid = uuid.uuid4().hex
    sign_commits(spark, run_uuid)
    base = previous
    if previous.rules != RULES_VERSION:
        base = _before_first_record(previous, binding)
    context = RunContext(spark, folder, settings, address, previous, base, run_uuid)
    with record_run_times(folder, previous.run + 1):
        run = compute_run(context)
    settle_erasures(folder, run or previous)
    if run is not None:
        _log.info(
            "published",
            run=run.run,
            accepted=run.counts.accepted,
            rejected=run.counts.rejected,
            duplicates=run.counts.duplicates,
            erased=run.counts.erased,
            boundary=run.boundary,
            revised_charts=run.counts.revised_charts,
            took_ms=run.published_at_ms - run.started_at_ms,
        )
    return run


def _before_first_record(run: Run, binding: ArchiveBinding) -> Run:
    """Return a run like this one that covers no record, from which all of bronze is new."""
    pins = {name: pin for name, pin in run.pins.items() if name != BRONZE_SONG_PLAYS.name}
    return replace(
        run,
        pins=pins,
        end_offsets=binding.first_offsets,
        last_log_times={},
        boundary=NO_BOUNDARY,
    )


def build_batch_session(
    folder: DataFolder, settings: Settings, *, scratch: str = "spark-batch"
) -> SparkSession:
    """Start Spark for batch, in a JVM with its own heap and scratch folder.

    Raises:
        MachineError: Java or a jar is missing.
    """
    return build_session(
        "crossfade-batch",
        cache=settings.cache,
        master=settings.spark_master or _LOCAL,
        memory=settings.batch_memory,
        scratch=folder.run / scratch,
        settings=WORKERS,
    )


def run_schedule(
    folder: DataFolder,
    settings: Settings,
    address: KafkaAddress | None,
    until: threading.Event,
    after_run: AfterRun | None = None,
) -> None:
    """Run batch every `batch_every`, and immediately on request, until `until` is set.

    Spark starts with the first archived records or request: before that there is no work, and the
    streams need the processor. An error ends this process; the supervisor starts a new one, which
    undoes the unfinished run. If a command holds batch's lock, as an erasure does, this waits.
    """
    every_ms = parse_duration(settings.batch_every)
    while not (list_files(folder.lake, BRONZE_SONG_PLAYS) or BATCH_RUN_REQUEST.is_pending(folder)):
        if until.wait(_WATCH_S):
            return
    spark = build_batch_session(folder, settings)
    due = now_ms()
    try:
        while not until.is_set():
            if now_ms() < due and not BATCH_RUN_REQUEST.take(folder):
                until.wait(_WATCH_S)
                continue
            due = now_ms() + every_ms
            try:
                run = run_once(
                    spark, folder, settings, address, within_s=_LOCK_WITHIN_S, given_up=until
                )
            except LakeError:
                if until.is_set():
                    return
                raise
            if run is None:
                until.wait(_WATCH_S)
            elif after_run is not None:
                after_run(folder, address)
    finally:
        spark.stop()
