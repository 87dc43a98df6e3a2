"""Kafka as a stream: from the beginning, never skipping what is gone."""

from collections.abc import Mapping

import msgspec
from pyspark.sql import DataFrame, SparkSession

from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.topics import MAX_RECORD_BYTES, SONG_PLAYS


def starting_at(offsets: Mapping[int, int]) -> dict[str, str]:
    """Return the options by which a query without checkpoint begins at these offsets."""
    return {"startingOffsets": msgspec.json.encode({SONG_PLAYS: offsets}).decode()}


def read_stream(
    spark: SparkSession, address: KafkaAddress, *, cores: float, **options: str
) -> DataFrame:
    """Read `song-plays`; a record that Kafka no longer holds stops the query.

    Args:
        spark: the session of the query.
        address: where Kafka is.
        cores: the share of Spark's cores that read, one at least: queries share them, and each
            task has a cost of its own, of the archive a file too.
        options: what this query sets otherwise, in Spark's names.
    """
    chosen = {
        **address.spark_options(),
        "subscribe": SONG_PLAYS,
        "startingOffsets": "earliest",
        "failOnDataLoss": "true",
        "includeHeaders": "true",
        # Arrivals that stop would otherwise be waited for, partition after partition.
        "kafka.fetch.max.wait.ms": "10",
        "kafka.max.partition.fetch.bytes": str(MAX_RECORD_BYTES * 4),
        "kafka.max.poll.records": "20000",
        **options,
    }
    tasks = max(1, int(spark.sparkContext.defaultParallelism * cores))
    return spark.readStream.format("kafka").options(**chosen).load().coalesce(tasks)
