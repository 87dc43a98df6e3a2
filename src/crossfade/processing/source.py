"""Kafka as a stream: from the beginning, never skipping what is gone."""

from pyspark.sql import DataFrame, SparkSession

from crossfade.kafka import MAX_RECORD_BYTES, SONG_PLAYS, KafkaAddress


def read_stream(spark: SparkSession, address: KafkaAddress, **options: str) -> DataFrame:
    """Read `song-plays` with headers; a record that Kafka no longer holds stops the query."""
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
    return spark.readStream.format("kafka").options(**chosen).load()
