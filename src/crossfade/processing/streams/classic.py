"""The classic lake: a query that writes the archive's records as plain Parquet files.

Spark's file sink writes each record exactly once for readers that use `_spark_metadata`; other
readers also see the files of failed attempts.
"""

from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from crossfade.clock import parse_duration
from crossfade.config import Settings
from crossfade.folder import CLASSIC, DataFolder
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.topics import SONG_PLAYS, read_start_offsets, topic_id
from crossfade.lake.binding import ArchiveBinding, bind_archive
from crossfade.lake.checkpoint import NO_BATCH, read_committed
from crossfade.lake.tables import BRONZE_SONG_PLAYS, CLASSIC_TABLE
from crossfade.processing.streams.archive import CORES, lay_out_records
from crossfade.processing.streams.lost_records import refuse_lost_records
from crossfade.processing.streams.output_match import require_output_match
from crossfade.processing.streams.source import read_stream, starting_at


def start_classic(
    spark: SparkSession, folder: DataFolder, settings: Settings, address: KafkaAddress
) -> StreamingQuery:
    """Start the query from Kafka to plain Parquet; the caller holds its lock.

    Raises:
        LakeError: checkpoint, folder and topic do not belong together.
        BrokerError: Kafka no longer holds the next records to read.
    """
    output = folder.lake / CLASSIC_TABLE
    written = _newest_written(output)
    found = ArchiveBinding(
        topic_id=topic_id(address, SONG_PLAYS),
        table_id=CLASSIC_TABLE,
        first_offsets=read_start_offsets(address, SONG_PLAYS),
    )
    bound = bind_archive(folder, found, has_data=written != NO_BATCH, query=CLASSIC)
    checkpoint = folder.checkpoint(CLASSIC)
    require_output_match(checkpoint, written, CLASSIC)
    reached = read_committed(checkpoint).end_offsets or bound.first_offsets
    refuse_lost_records(CLASSIC, reached, address)
    records = read_stream(spark, address, cores=CORES, **starting_at(bound.first_offsets))
    return (
        lay_out_records(records)
        .writeStream.format("parquet")
        .queryName(CLASSIC)
        .partitionBy(*BRONZE_SONG_PLAYS.partitioned_by)
        .option("checkpointLocation", str(checkpoint))
        .trigger(processingTime=f"{parse_duration(settings.archive_every)} milliseconds")
        .start(str(output))
    )


def _newest_written(output: Path) -> int:
    names = (path.name.removesuffix(".compact") for path in output.glob("_spark_metadata/*"))
    return max((int(name) for name in names if name.isdecimal()), default=NO_BATCH)
