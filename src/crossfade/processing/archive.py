"""The archive: every Kafka record in bronze exactly once, byte for byte; nothing is parsed."""

from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.streaming.query import StreamingQuery

from crossfade.binding import ArchiveBinding, bind_archive
from crossfade.clock import parse_duration
from crossfade.config import Settings
from crossfade.folder import DataFolder
from crossfade.kafka import SONG_PLAYS, KafkaAddress, read_start_offsets, topic_id
from crossfade.lake import BRONZE_SONG_PLAYS, open_table, split_columns, table_path
from crossfade.processing.new_table import create_table
from crossfade.processing.source import read_stream

CLASSIC = "song_plays"
"""Folder of the classic Parquet lake, for readers of Spark's own file sink."""

_COLUMNS = [name.strip('"') for name, _ in split_columns(BRONZE_SONG_PLAYS.columns)]


def start_archive(
    spark: SparkSession, folder: DataFolder, settings: Settings, address: KafkaAddress
) -> StreamingQuery:
    """Start the query from Kafka to `bronze/song_plays`; the caller holds the archive's lock.

    Delta commits a micro-batch's files together with its number, so that one that is run again
    after a crash is skipped.

    Raises:
        LakeError: checkpoint, table and topic do not belong together.
    """
    _bind(folder, address)
    records = lay_out_records(read_stream(spark, address))
    return (
        records.writeStream.format("delta")
        .queryName("archive")
        .partitionBy(*BRONZE_SONG_PLAYS.partitioned_by)
        .option("checkpointLocation", str(folder.checkpoints / "archive"))
        .trigger(processingTime=_trigger(settings.archive_every))
        .start(str(table_path(folder.lake, BRONZE_SONG_PLAYS)))
    )


def start_classic(
    spark: SparkSession, folder: DataFolder, settings: Settings, address: KafkaAddress
) -> StreamingQuery:
    """Start a further query to plain Parquet: exactly once for readers of `_spark_metadata`."""
    records = lay_out_records(read_stream(spark, address))
    return (
        records.writeStream.format("parquet")
        .queryName("classic")
        .partitionBy(*BRONZE_SONG_PLAYS.partitioned_by)
        .option("checkpointLocation", str(folder.checkpoints / "classic"))
        .trigger(processingTime=_trigger(settings.archive_every))
        .start(str(folder.lake / CLASSIC))
    )


def lay_out_records(records: DataFrame) -> DataFrame:
    """Give Kafka's records the columns of bronze; `date` and `hour` are of log time, UTC."""
    laid_out = records.select(
        "partition",
        "offset",
        F.col("timestamp").alias("log_time"),
        "topic",
        F.col("timestampType").alias("timestamp_type"),
        "key",
        "headers",
        "value",
        F.to_date("timestamp").alias("date"),
        F.date_format("timestamp", "HH").alias("hour"),
    )
    return laid_out.select(*_COLUMNS)


def _bind(folder: DataFolder, address: KafkaAddress) -> None:
    table = open_table(folder.lake, BRONZE_SONG_PLAYS)
    has_data = table is not None and bool(table.file_uris())
    if table is None and not _was_bound(folder):
        table = create_table(folder.lake, BRONZE_SONG_PLAYS, "crossfade archive")
    found = ArchiveBinding(
        topic_id=topic_id(address, SONG_PLAYS),
        table_id="none" if table is None else str(table.metadata().id),
        first_offsets=read_start_offsets(address, SONG_PLAYS),
    )
    bind_archive(folder, found, has_data=has_data)


def _was_bound(folder: DataFolder) -> bool:
    return Path(folder.checkpoints / "archive.binding.json").exists()


def _trigger(every: str) -> str:
    """Give Spark's words for an interval."""
    return f"{parse_duration(every)} milliseconds"
