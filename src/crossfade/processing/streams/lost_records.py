"""The check, before a query runs, that Kafka still holds the records it has to read."""

from collections.abc import Mapping

from crossfade.errors import BrokerError
from crossfade.folder import SPEED
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.topics import SONG_PLAYS, read_end_offsets, read_start_offsets

_CURES = {
    SPEED: (
        "Batch has what the archive has read: crossfade speed --renew starts speed again where "
        "its open windows begin."
    ),
}
_ARCHIVE_CURE = (
    "Bring them back from a backup of Kafka's folder, or start a new data folder: "
    "skipping them would silently lose plays."
)


def refuse_lost_records(query: str, reached: Mapping[int, int], address: KafkaAddress) -> None:
    """Raise if the next records to read are not in Kafka.

    Raises:
        BrokerError: records are gone, the topic ends before the offsets reached, or it has lost
            partitions; the message names topic partition, offsets and the number of records.
    """
    starts, ends = (
        read_start_offsets(address, SONG_PLAYS),
        read_end_offsets(address, SONG_PLAYS, include_open=True),
    )
    if what := describe_lost_records(query, reached, starts, ends):
        raise BrokerError(what, _CURES.get(query, _ARCHIVE_CURE))


def describe_lost_records(
    query: str, reached: Mapping[int, int], starts: Mapping[int, int], ends: Mapping[int, int]
) -> str:
    """Return a sentence that names the missing records; empty if none are missing.

    Args:
        query: the query's name.
        reached: for each partition, the offset that the query reads next.
        starts: for each partition, the smallest offset that Kafka holds.
        ends: for each partition, the offset that the next record will get.
    """
    gone = sorted(reached.keys() - ends.keys())
    if gone:
        return (
            f"{SONG_PLAYS} has {len(ends)} partitions, but {query} has read partition {gone[-1]}: "
            "the topic was created again."
        )
    lost = {p: (at, starts[p]) for p, at in reached.items() if at < starts[p]}
    if lost:
        count = sum(start - at for at, start in lost.values())
        ranges = ", ".join(
            f"[{p}] offsets {at} to {start - 1}" for p, (at, start) in sorted(lost.items())
        )
        return (
            f"Kafka no longer holds {count:,} records that {query} has not read: "
            f"{SONG_PLAYS} {ranges}."
        )
    short = {p: (at, ends[p]) for p, at in reached.items() if at > ends[p]}
    if short:
        ranges = ", ".join(
            f"[{p}] ends at {end}, read to {at}" for p, (at, end) in sorted(short.items())
        )
        return (
            f"{SONG_PLAYS} is shorter than what {query} has read ({ranges}): it was cut, or "
            "restored from an older copy."
        )
    return ""
