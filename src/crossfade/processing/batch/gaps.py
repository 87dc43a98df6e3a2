"""Offsets missing from bronze: accepted as gaps only if Kafka shows that no record has them."""

from collections.abc import Mapping

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from crossfade.errors import UnprovenError
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.clients import read_record
from crossfade.kafka.topics import SONG_PLAYS, read_start_offsets

Gap = dict[str, int]


def find_gaps(decoded: DataFrame, start_offsets: Mapping[int, int]) -> list[Gap]:
    """Return the ranges of offsets without a record, from each start offset to the last record."""
    in_order = Window.partitionBy("partition").orderBy("offset")
    starts = [(p, offset - 1) for p, offset in start_offsets.items()]
    before = decoded.sparkSession.createDataFrame(starts, "`partition` INT, `offset` BIGINT")
    positions = decoded.select("partition", "offset").unionByName(before)
    followed = positions.withColumn("next", F.lead("offset").over(in_order))
    rows = followed.where("next > offset + 1").orderBy("partition", "offset").collect()
    return [
        {"partition": row.partition, "begin_offset": row.offset + 1, "end_offset": row.next}
        for row in rows
    ]


def prove_gaps(address: KafkaAddress | None, gaps: list[Gap]) -> None:
    """Check in Kafka that no record has the offsets, as is so for transaction markers.

    Raises:
        UnprovenError: Kafka has such a record, or has already deleted that part of its log.
    """
    if not gaps:
        return
    if address is None:
        what = f"Bronze lacks {_name(gaps[0])}, and Kafka cannot be asked."
        raise UnprovenError(what, "Start Kafka, then run again.")
    starts = read_start_offsets(address, SONG_PLAYS)
    for gap in gaps:
        partition, begin = gap["partition"], gap["begin_offset"]
        record = read_record(address, SONG_PLAYS, partition, begin)
        is_absent = record is None or record.offset() >= gap["end_offset"]
        if begin < starts.get(partition, 0) or not is_absent:
            what = f"Bronze lacks {_name(gap)}, and Kafka does not show that none existed."
            raise UnprovenError(what, "The archive lost records: see its log before going on.")


def _name(gap: Gap) -> str:
    return (
        f"{SONG_PLAYS} [{gap['partition']}] offsets {gap['begin_offset']} "
        f"to {gap['end_offset'] - 1}"
    )
