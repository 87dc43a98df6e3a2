"""A short run of Kafka and Spark in which Java records the classes that they load."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from crossfade.config import load_settings
from crossfade.folder import open_folder
from crossfade.generator.kafka_sink import KafkaSink
from crossfade.generator.options import Report, SimulationOptions
from crossfade.generator.produce import simulate
from crossfade.processing.batch.job import build_batch_session, run_once
from crossfade.processing.spark import end_java
from crossfade.processing.streams.driver import run_queries
from crossfade.stack.class_data import record_classes
from crossfade.stack.kafka_for_command import reach_kafka
from crossfade.stack.stop_request import StopRequest

_PLAYS = 500
_END_WITHIN_S = 10.0


def record_stack_classes() -> None:
    """Run Kafka, the streams and batch over a few plays, in a temporary folder.

    Raises:
        CrossfadeError: this machine cannot run a stage, or its Java records no classes.
    """
    with tempfile.TemporaryDirectory(prefix="crossfade-record-") as scratch:
        # It may run on a busy machine, so a slow query must not end it.
        settings = load_settings(
            data=Path(scratch) / "data", bootstrap="", spark_master="", watchdog_after="1h"
        )
        folder = open_folder(settings)
        drain_only = StopRequest()
        drain_only.asked.set()
        with (
            record_classes(settings.cache),
            reach_kafka(folder, settings) as address,
            _kill_children_on_failure(),
        ):
            plays = SimulationOptions(
                rate=None, events=_PLAYS, report=Report.START, songs=1_000, listeners=5_000
            )
            simulate(KafkaSink(address), plays)
            run_queries(folder, settings, address, drain_only)
            spark = build_batch_session(folder, settings)
            run_once(spark, folder, settings, address)
            spark.stop()
            end_java()


@contextmanager
def _kill_children_on_failure() -> Iterator[None]:
    """Kill all children if the block fails: a Java asked to end would first write its classes."""
    try:
        yield
    except BaseException:
        started = psutil.Process().children(recursive=True)
        for process in started:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(started, _END_WITHIN_S)
        raise
