"""The archive query: copies every Kafka record to bronze exactly once, without parsing it."""

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.streaming.query import StreamingQuery

from crossfade.clock import parse_duration
from crossfade.config import Settings
from crossfade.folder import ARCHIVE, DataFolder
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.topics import SONG_PLAYS, read_start_offsets, topic_id
from crossfade.lake.archived import newest_archived
from crossfade.lake.binding import ArchiveBinding, bind_archive, read_archive_binding
from crossfade.lake.checkpoint import read_committed
from crossfade.lake.tables import BRONZE_SONG_PLAYS, open_table, split_columns, table_path
from crossfade.processing.new_table import create_table
from crossfade.processing.streams.lost_records import refuse_lost_records
from crossfade.processing.streams.output_match import require_output_match
from crossfade.processing.streams.source import read_stream, starting_at

CORES = 0.25
"""Share of Spark's cores that read; small, as speed has more work and users wait for speed."""

_SESSION = {
    # A task keeps a file open for each hour that it writes, so it need not sort its records.
    "spark.sql.maxConcurrentOutputFileWriters": "8",
}
_WRITER = {
    # Every value is unique, so a dictionary would only cost time.
    "parquet.enable.dictionary#value": "false",
    "parquet.enable.dictionary#offset": "false",
}
_COLUMNS = [name.strip('"') for name, _ in split_columns(BRONZE_SONG_PLAYS.columns)]


def start_archive(
    spark: SparkSession, folder: DataFolder, settings: Settings, address: KafkaAddress
) -> StreamingQuery:
    """Start the query from Kafka to `bronze/song_plays`; the caller holds the archive's lock.

    Delta commits a micro-batch's files together with its number, and skips a micro-batch that Spark
    repeats after a crash.

    Raises:
        LakeError: checkpoint, table and topic do not belong together.
        BrokerError: Kafka no longer holds the next records to read.
    """
    bound = _bind(folder, address)
    for key, value in _SESSION.items():
        spark.conf.set(key, value)
    records = read_stream(spark, address, cores=CORES, **starting_at(bound.first_offsets))
    return (
        lay_out_records(records)
        .writeStream.format("delta")
        .queryName(ARCHIVE)
        .partitionBy(*BRONZE_SONG_PLAYS.partitioned_by)
        .option("checkpointLocation", str(folder.checkpoints / ARCHIVE))
        .options(**_WRITER)
        .trigger(processingTime=f"{parse_duration(settings.archive_every)} milliseconds")
        .start(str(table_path(folder.lake, BRONZE_SONG_PLAYS)))
    )


def lay_out_records(records: DataFrame) -> DataFrame:
    """Return Kafka's records with bronze's columns; `date` and `hour` are of log time, in UTC."""
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


def _bind(folder: DataFolder, address: KafkaAddress) -> ArchiveBinding:
    table = open_table(folder.lake, BRONZE_SONG_PLAYS)
    if table is None and read_archive_binding(folder) is None:
        table = create_table(folder.lake, BRONZE_SONG_PLAYS, "crossfade archive")
    found = ArchiveBinding(
        topic_id=topic_id(address, SONG_PLAYS),
        table_id="none" if table is None else str(table.metadata().id),
        first_offsets=read_start_offsets(address, SONG_PLAYS),
    )
    has_data = table is not None and bool(table.file_uris())
    bound = bind_archive(folder, found, has_data=has_data)
    checkpoint = folder.checkpoint(ARCHIVE)
    if table is not None:
        require_output_match(checkpoint, newest_archived(checkpoint, table), ARCHIVE)
    reached = read_committed(checkpoint).end_offsets or bound.first_offsets
    refuse_lost_records(ARCHIVE, reached, address)
    return bound
