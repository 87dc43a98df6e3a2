"""The baseline of `start_up`: a plain Spark query from Kafka, without Crossfade.

It is timed from the start of its process to its first windows. It is a query as tutorials show it,
with the same jars, settings and recorded classes as the stack, so both depend on the machine alike.
"""

import subprocess
import sys
import time
from pathlib import Path

from pyspark.sql import functions as F

from benchmarks.preload import preloaded_topic
from crossfade.config import load_settings
from crossfade.errors import StackError
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.topics import SONG_PLAYS
from crossfade.processing.spark import build_session

_PLAYS = 20_000
_FIELDS = "event_time BIGINT, song_id STRING, country STRING, ms_played BIGINT"


def time_bare_spark(times: int) -> list[float]:
    """Time the query in several new processes on a running Kafka; return the seconds of each.

    Raises:
        StackError: a process failed.
    """
    with preloaded_topic(_PLAYS) as topic:
        return [_time_one(topic.address, topic.scratch / str(number)) for number in range(times)]


def _time_one(address: KafkaAddress, scratch: Path) -> float:
    command = [sys.executable, "-m", "benchmarks.bare_spark", address.bootstrap, str(scratch)]
    began = time.monotonic()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    if done.returncode or not done.stdout:
        what = f"The plain query ended with {done.returncode}."
        raise StackError(what)
    return float(done.stdout) - began


def main(bootstrap: str, scratch: Path) -> None:
    """Count the plays of the topic by window, then print the monotonic clock's time."""
    settings = load_settings()
    spark = build_session("bare", cache=settings.cache, scratch=scratch)
    records = (
        spark.readStream.format("kafka")
        .options(**KafkaAddress(bootstrap).spark_options())
        .options(subscribe=SONG_PLAYS, startingOffsets="earliest")
        .load()
    )
    play = F.from_json(F.col("value").cast("string"), _FIELDS)
    windows = (
        records.select(play.alias("play"))
        .select("play.*", F.timestamp_millis("play.event_time").alias("at"))
        .withWatermark("at", "45 minutes")
        .groupBy(F.window("at", "10 minutes"), "country", "song_id")
        .agg(F.count("*").alias("plays"), F.sum("ms_played").alias("ms_played"))
    )
    query = (
        windows.writeStream.outputMode("update")
        .format("noop")
        .option("checkpointLocation", str(scratch / "checkpoint"))
        .trigger(availableNow=True)
        .start()
    )
    query.awaitTermination()
    sys.stdout.write(f"{time.monotonic()}\n")
    spark.stop()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
