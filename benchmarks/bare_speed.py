"""The baseline of `throughput` and `freshness`: a simple speed query on Spark, without Crossfade.

It runs in a separate process. It decodes with msgspec in Arrow batches, counts by window, country
and song, with names and a sketch of listeners, and writes rows to Kafka. Its Spark session is the
stack's, except that Spark's default aggregates the sketches. It applies no rule of the contract,
rejects nothing, removes no repeats, sends no markers and archives nothing.
"""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa
from pyspark.sql import functions as F

from benchmarks.processes import cpu_seconds
from crossfade.config import load_settings
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.topics import PLAYS_BY_WINDOW, SONG_PLAYS, read_end_offsets
from crossfade.processing.spark import build_session

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.streaming.readwriter import DataStreamWriter

_FIELDS = {
    "user_id": ("STRING", pa.string()),
    "song_id": ("STRING", pa.string()),
    "title": ("STRING", pa.string()),
    "artist": ("STRING", pa.string()),
    "country": ("STRING", pa.string()),
    "ms_played": ("BIGINT", pa.int64()),
    "event_time": ("BIGINT", pa.int64()),
}
_SESSION = {
    "spark.sql.execution.useObjectHashAggregateExec": "true",
    # With the default of 128 groups Spark would sort to aggregate the sketches.
    "spark.sql.objectHashAggregate.sortBased.fallbackThreshold": "1000000",
    "spark.sql.adaptive.enabled": "false",
}
_RECORDS_PER_BATCH = "1000000"


def drain(address: KafkaAddress, scratch: Path, broker: int, times: int) -> None:
    """Read the whole topic several times in one JVM; print one JSON object a time."""
    spark = _open_spark(scratch)
    plays = sum(read_end_offsets(address, SONG_PLAYS).values())
    for number in range(times):
        began, cpu = time.monotonic(), cpu_seconds(os.getpid(), broker)
        writer = _write_windows(spark, address, scratch / f"drain-{number}")
        writer.trigger(availableNow=True).start().awaitTermination()
        seconds = time.monotonic() - began
        used = cpu_seconds(os.getpid(), broker) - cpu
        answer = {
            "plays_per_second": round(plays / seconds),
            "cpu_seconds_per_million": round(used / plays * 1e6, 2),
        }
        sys.stdout.write(msgspec.json.encode(answer).decode() + "\n")
        sys.stdout.flush()
    spark.stop()


def follow(address: KafkaAddress, scratch: Path) -> None:
    """Count arriving records in continuous micro-batches, until standard input ends."""
    spark = _open_spark(scratch)
    writer = _write_windows(spark, address, scratch / "follow")
    query = writer.trigger(processingTime="0 seconds").start()
    sys.stdin.read()
    query.stop()
    spark.stop()


def _open_spark(scratch: Path) -> "SparkSession":
    cache = load_settings().cache
    return build_session("bare", cache=cache, scratch=scratch / "spark", settings=_SESSION)


def _read(spark: "SparkSession", address: KafkaAddress) -> "DataFrame":
    return (
        spark.readStream.format("kafka")
        .options(**address.spark_options())
        .options(subscribe=SONG_PLAYS, startingOffsets="earliest")
        .option("maxOffsetsPerTrigger", _RECORDS_PER_BATCH)
        .load()
    )


def _write_windows(
    spark: "SparkSession", address: KafkaAddress, checkpoint: Path
) -> "DataStreamWriter":
    return (
        _count_windows(_read(spark, address))
        .writeStream.outputMode("update")
        .format("kafka")
        .options(**address.spark_options())
        .option("topic", PLAYS_BY_WINDOW)
        .option("checkpointLocation", str(checkpoint))
    )


def _count_windows(records: "DataFrame") -> "DataFrame":
    types = ", ".join(f"{name} {kind}" for name, (kind, _) in _FIELDS.items())
    plays = records.select("value").mapInArrow(_decode, types)
    windows = (
        plays.withColumn("at", F.timestamp_millis("event_time"))
        .withWatermark("at", "45 minutes")
        .groupBy(F.window("at", "10 minutes"), "country", "song_id")
        .agg(
            F.count("*").alias("plays"),
            F.sum("ms_played").alias("ms_played"),
            F.max(F.struct("title", "artist")).alias("names"),
            F.hll_sketch_agg("user_id", 10).alias("listeners"),
        )
    )
    key = F.to_json(F.struct("window", "country", "song_id"))
    value = F.to_json(
        F.struct("plays", "ms_played", "names", F.base64("listeners").alias("listeners"))
    )
    return windows.select(key.alias("key"), value.alias("value"))


def _decode(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    optional = {"country": str | None, "ms_played": int | None, "event_time": int}
    fields = [(name, optional.get(name, str)) for name in _FIELDS]
    decode = msgspec.json.Decoder(msgspec.defstruct("Play", fields, gc=False)).decode
    for batch in batches:
        plays = [decode(value) for value in batch.column("value").to_pylist()]
        yield pa.RecordBatch.from_pydict(
            {
                name: pa.array([getattr(play, name) for play in plays], kind)
                for name, (_, kind) in _FIELDS.items()
            }
        )


def main(mode: str, bootstrap: str, scratch: str, *rest: str) -> None:
    """Run `drain BOOTSTRAP SCRATCH BROKER_PID TIMES` or `follow BOOTSTRAP SCRATCH`."""
    address = KafkaAddress(bootstrap)
    if mode == "drain":
        drain(address, Path(scratch), *map(int, rest))
    else:
        follow(address, Path(scratch))


if __name__ == "__main__":
    main(*sys.argv[1:])
