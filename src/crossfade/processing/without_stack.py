"""Batch work without a running stack, with Kafka, archive and Spark started for it."""

from collections.abc import Callable
from typing import TypeVar

from pyspark.sql import SparkSession

from crossfade.config import Settings
from crossfade.folder import DataFolder
from crossfade.kafka.address import KafkaAddress
from crossfade.processing.batch.job import build_batch_session
from crossfade.processing.failures import explain_errors
from crossfade.processing.streams.driver import archive_all
from crossfade.stack.kafka_for_command import reach_kafka

_Result = TypeVar("_Result")


def run_without_stack(
    folder: DataFolder,
    settings: Settings,
    work: Callable[[SparkSession, KafkaAddress], _Result],
    *,
    report: Callable[[str], object] = lambda _: None,
) -> _Result:
    """Archive what Kafka holds now, call `work` with batch's Spark session, and stop both.

    Args:
        folder: the data folder.
        settings: the settings.
        work: called with the session and Kafka's address.
        report: called with a line for the user before each long step.

    Raises:
        CrossfadeError: Kafka, the archive or Spark cannot start here.
    """
    with reach_kafka(folder, settings) as address:
        report("Archiving what Kafka holds …")
        archive_all(folder, settings, address, report=report)
        report("Starting Spark …")
        with explain_errors("batch"):
            spark = build_batch_session(folder, settings)
            spark.sparkContext.setLogLevel("WARN")
            try:
                return work(spark, address)
            finally:
                spark.stop()
