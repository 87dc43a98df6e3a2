"""Offsets missing from bronze: accepted as gaps only if Kafka shows that no play has them."""

from collections.abc import Mapping

from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from crossfade.errors import BrokerError, UnprovenError
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.clients import read_record
from crossfade.kafka.topics import SONG_PLAYS, keeps_all_records, read_settings, read_start_offsets

Gap = dict[str, int]


def find_gaps(
    spark: SparkSession,
    decoded: DataFrame | None,
    start_offsets: Mapping[int, int],
    end_offsets: Mapping[int, int],
) -> list[Gap]:
    """Return the ranges of offsets without a record, between the start and end offsets."""
    in_order = Window.partitionBy("partition").orderBy("offset")
    edges = [(p, offset - 1) for p, offset in start_offsets.items()] + list(end_offsets.items())
    positions = spark.createDataFrame(edges, "`partition` INT, `offset` BIGINT")
    if decoded is not None:
        positions = positions.unionByName(decoded.select("partition", "offset"))
    followed = positions.withColumn("next", F.lead("offset").over(in_order))
    rows = followed.where("next > offset + 1").orderBy("partition", "offset").collect()
    return [
        {"partition": row.partition, "begin_offset": row.offset + 1, "end_offset": row.next}
        for row in rows
    ]


def offsets_of(gap: Gap) -> set[tuple[int, int]]:
    """Return the positions of a gap: topic partition and offset."""
    return {(gap["partition"], at) for at in range(gap["begin_offset"], gap["end_offset"])}


def prove_gaps(
    address: KafkaAddress | None, gaps: list[Gap], end_offsets: Mapping[int, int]
) -> None:
    """Check in Kafka that no committed record has the offsets: they are of transactions.

    Kafka must skip exactly a gap; one that reaches to an end offset may go on beyond it. It shows
    this only while it holds that part of its log and has not compacted it.

    Raises:
        UnprovenError: Kafka has such a record, or may have deleted one.
        BrokerError: Kafka is away.
    """
    if not gaps:
        return
    if address is None:
        what = f"Bronze lacks {_name(gaps[0])}, and Kafka cannot be asked."
        raise BrokerError(what, "Start Kafka, then run again.")
    settings = read_settings(address, SONG_PLAYS)
    if not keeps_all_records(settings):
        what = (
            f"Bronze lacks {_name(gaps[0])}, and Kafka may have deleted plays there: "
            f"{SONG_PLAYS} has cleanup.policy={settings['cleanup.policy']}."
        )
        raise UnprovenError(what, "Set it to delete, and send again the plays that are lost.")
    for gap in gaps:
        is_open = gap["end_offset"] == end_offsets[gap["partition"]]
        if not _is_skipped(address, gap, is_open=is_open):
            what = f"Bronze lacks {_name(gap)}, and Kafka does not show that no play was there."
            raise UnprovenError(what, "The archive lost records: see its log before going on.")


def _is_skipped(address: KafkaAddress, gap: Gap, *, is_open: bool) -> bool:
    partition, begin, end = gap["partition"], gap["begin_offset"], gap["end_offset"]
    if begin < read_start_offsets(address, SONG_PLAYS).get(partition, 0):
        return False
    record = read_record(address, SONG_PLAYS, partition, begin)
    if record is None:
        return is_open
    return record.offset() == end or (is_open and record.offset() > end)


def _name(gap: Gap) -> str:
    return (
        f"{SONG_PLAYS} [{gap['partition']}] offsets {gap['begin_offset']} "
        f"to {gap['end_offset'] - 1}"
    )
