"""Spark for a driver of streaming queries: started, warmed, and explained when it is lost."""

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
    # A query that waits for a dead broker must not keep the driver from ending.
    "spark.sql.streaming.stopTimeout": "10s",
    # People wait for it: one that hangs is replaced before the watchdog ends the whole driver.
    "spark.python.worker.idleTimeoutSeconds": "10",
    # Streaming does without it, and says so at each start.
    "spark.sql.adaptive.enabled": "false",
}

JAVA_CALL_ERRORS = (Py4JError, PySparkException, OSError)
"""What a call into Java raises when Java is gone, or refuses."""


@contextmanager
def open_spark(
    folder: DataFolder, settings: Settings, names: Sequence[str]
) -> Iterator[SparkSession]:
    """Start Spark for the named queries, and stop it in the end, also when Java is gone."""
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
    """Let Spark start its Python side now, and not when the first records wait for it."""

    def wake() -> None:
        with suppress(*JAVA_CALL_ERRORS):
            session.range(1).mapInArrow(lambda batches: batches, "id BIGINT").collect()

    threading.Thread(target=wake, name="wake workers", daemon=True).start()
