"""Spark's session and Python workers for the driver of the streaming queries."""

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from crossfade.config import Settings
from crossfade.folder import DataFolder
from crossfade.processing.decode import WORKERS
from crossfade.processing.spark import build_session

_SETTINGS = {
    **WORKERS,
    # A query that waits for a dead broker must not keep the driver from exiting.
    "spark.sql.streaming.stopTimeout": "10s",
    # A worker that hangs is replaced before the watchdog ends the whole driver.
    "spark.python.worker.idleTimeoutSeconds": "10",
    # Streaming does not support it, and warns about it at each start.
    "spark.sql.adaptive.enabled": "false",
}

JAVA_CALL_ERRORS = (Py4JError, PySparkException, OSError)
"""Errors of a call into Java when Java is gone or the call fails."""


@contextmanager
def open_spark(
    folder: DataFolder, settings: Settings, names: Sequence[str]
) -> Iterator[SparkSession]:
    """Start Spark for the named queries, and stop it at the end, even if Java is gone."""
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
        with suppress(*JAVA_CALL_ERRORS):
            spark.stop()


def warm_up_workers(session: SparkSession) -> None:
    """Start Spark's Python workers in the background, before the first records need them."""

    def run_empty_task() -> None:
        with suppress(*JAVA_CALL_ERRORS):
            session.range(1).mapInArrow(lambda batches: batches, "id BIGINT").collect()

    threading.Thread(target=run_empty_task, name="warm up workers", daemon=True).start()
