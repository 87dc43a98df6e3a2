"""The stream of Kafka's records that the queries read; missing records stop it."""

from collections.abc import Mapping

import msgspec
from pyspark.sql import DataFrame, SparkSession

from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.topics import MAX_RECORD_BYTES, SONG_PLAYS


def starting_at(offsets: Mapping[int, int]) -> dict[str, str]:
    """Return the options that make a query without a checkpoint begin at these offsets."""
    return {"startingOffsets": msgspec.json.encode({SONG_PLAYS: offsets}).decode()}


def read_stream(
    spark: SparkSession, address: KafkaAddress, *, cores: float, **options: str
) -> DataFrame:
    """Read `song-plays`; a record that Kafka no longer holds stops the query.

    Args:
        spark: the session of the query.
        address: where Kafka is.
        cores: the share of Spark's cores that read, rounded down, at least one core. Queries share
            the cores, and each task has a fixed cost; each task of the archive also writes a file.
        options: further options for this query, under Spark's names; they win over the defaults.
    """
    chosen = {
        **address.spark_options(),
        "subscribe": SONG_PLAYS,
        "startingOffsets": "earliest",
        "failOnDataLoss": "true",
        "includeHeaders": "true",
        # What a transaction took back is not a play.
        "kafka.isolation.level": "read_committed",
        # Without it, Kafka waits in each idle partition, one after the other.
        "kafka.fetch.max.wait.ms": "10",
        "kafka.max.partition.fetch.bytes": str(MAX_RECORD_BYTES * 4),
        "kafka.max.poll.records": "20000",
        **options,
    }
    tasks = max(1, int(spark.sparkContext.defaultParallelism * cores))
    return spark.readStream.format("kafka").options(**chosen).load().coalesce(tasks)
