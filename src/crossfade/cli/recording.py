"""One short journey of a few plays through every stage, for Java to record the classes it loads."""

import tempfile
from pathlib import Path

from crossfade.config import load_settings
from crossfade.embedded.class_data import record_classes
from crossfade.embedded.reach import reach_kafka
from crossfade.embedded.stop_request import StopRequest
from crossfade.folder import open_folder
from crossfade.generator.options import Report, SimulationOptions
from crossfade.generator.produce import simulate
from crossfade.generator.sinks import KafkaSink
from crossfade.processing.batch.job import build_batch_session, run_once
from crossfade.processing.driver import run_queries
from crossfade.spark import end_java

_PLAYS = 500


def record_journey() -> None:
    """Run Kafka, the streams and batch over a few plays, in a folder that is removed.

    Raises:
        CrossfadeError: this machine cannot run a stage, or its Java records no classes.
    """
    with tempfile.TemporaryDirectory(prefix="crossfade-record-") as scratch:
        settings = load_settings(data=Path(scratch) / "data", bootstrap="", spark_master="")
        folder = open_folder(settings)
        read_to_the_end = StopRequest()
        read_to_the_end.asked.set()
        with record_classes(settings.cache), reach_kafka(folder, settings) as address:
            plays = SimulationOptions(rate=None, events=_PLAYS, report=Report.START)
            simulate(KafkaSink(address), plays)
            run_queries(folder, settings, address, read_to_the_end)
            spark = build_batch_session(folder, settings)
            run_once(spark, folder, settings, address)
            spark.stop()
            end_java()
