"""The comparison of bronze with Kafka, byte for byte, for the records that Kafka still holds."""

import hashlib
from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, Message

from crossfade.erasure.suppression import ERASED_HEADER, is_blank
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.read_topic import read_topic
from crossfade.kafka.topics import (
    LOG_APPEND_TIME,
    SONG_PLAYS,
    read_end_offsets,
    read_settings,
    read_start_offsets,
)
from crossfade.lake.findings import Finding, judge, leave_out
from crossfade.proof.pinned import PinnedLake
from crossfade.proof.positions import format_position

SAME_BYTES = "bronze = Kafka, byte for byte"
KEPT = "Kafka deletes only the oldest records"

_CHUNK = 20_000


class Extent(NamedTuple):
    """The offsets [begin, end) of a partition of `song-plays`."""

    partition: int
    begin: int
    end: int


class StoredRecord(NamedTuple):
    """A record at one offset, as Kafka or bronze stores it."""

    offset: int
    log_time: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


def check_kafka_copy(pinned: PinnedLake, address: KafkaAddress) -> list[Finding]:
    """Read again the records that Kafka still holds in each covered range; compare with bronze.

    Only committed records are read. Where a run noted a gap, Kafka must skip the same offsets, and
    must not have compacted the topic: then it proves nothing about gaps.
    """
    policy = read_settings(address, SONG_PLAYS)["cleanup.policy"]
    starts = read_start_offsets(address, SONG_PLAYS)
    ends = read_end_offsets(address, SONG_PLAYS)
    findings = [judge(KEPT, f"{SONG_PLAYS}: cleanup.policy", expected="delete", found=policy)]
    for partition, first, end in pinned.fetch("covered"):
        subject = f"{SONG_PLAYS} [{partition}]"
        begin = max(first, starts.get(partition, 0))
        if (known := ends.get(partition, 0)) < end:
            note = "Kafka ends before the archived records: the topic was recreated or lost some."
            findings.append(judge(SAME_BYTES, subject, expected=end, found=known, note=note))
        elif begin >= end > first:
            findings.append(leave_out(SAME_BYTES, subject, "Kafka retains nothing of it."))
        elif begin >= end:
            findings.append(judge(SAME_BYTES, subject, expected=0, found=0, note="no record yet"))
        else:
            older = f"; Kafka does not retain those before {begin}" if begin > first else ""
            note = f"offsets {begin} to {end - 1}{older}"
            findings.append(_compare(pinned, address, Extent(partition, begin, end), note=note))
    return findings


def _compare(pinned: PinnedLake, address: KafkaAddress, extent: Extent, *, note: str) -> Finding:
    kept, archived = hashlib.blake2b(digest_size=8), hashlib.blake2b(digest_size=8)
    wrong: list[str] = []
    blank = 0
    for sent, right in _pair_up(_read_kafka(address, extent), _read_bronze(pinned, extent)):
        left = sent
        if sent and right and is_blank(right.key, right.headers, right.value):
            left, blank = _blank_record(sent), blank + 1
        for record, digest in ((left, kept), (right, archived)):
            if record is not None:
                digest.update(_to_bytes(record))
        if left != right:
            wrong.append(_describe_difference(extent.partition, left, right))
    return judge(
        SAME_BYTES,
        f"{SONG_PLAYS} [{extent.partition}]",
        expected=kept.hexdigest(),
        found=archived.hexdigest(),
        wrong=wrong,
        note=f"{note}; only position and log time of {blank:,} erased ones" if blank else note,
    )


def _blank_record(record: StoredRecord) -> StoredRecord:
    """Return a record as an erasure leaves it."""
    return record._replace(key=None, value=None, headers=((ERASED_HEADER, None),))


def _pair_up(
    kafka: Iterator[StoredRecord], bronze: Iterator[StoredRecord]
) -> Iterator[tuple[StoredRecord | None, StoredRecord | None]]:
    """Yield the records of both sides in pairs by offset; None where a side has no record."""
    left, right = next(kafka, None), next(bronze, None)
    while left is not None or right is not None:
        if right is None or (left is not None and left.offset < right.offset):
            yield left, None
            left = next(kafka, None)
        elif left is None or right.offset < left.offset:
            yield None, right
            right = next(bronze, None)
        else:
            yield left, right
            left, right = next(kafka, None), next(bronze, None)


def _describe_difference(
    partition: int, left: StoredRecord | None, right: StoredRecord | None
) -> str:
    if left is None or right is None:
        record, where = (right, "bronze, not in Kafka") if left is None else (left, "Kafka only")
        return f"{format_position(partition, record.offset if record else -1)}: in {where}"
    both = zip(StoredRecord._fields, left, right, strict=True)
    differing = ", ".join(name for name, one, other in both if one != other)
    return f"{format_position(partition, left.offset)}: other {differing}"


def _to_bytes(record: StoredRecord) -> bytes:
    numbers = b"%d %d %d " % (record.offset, record.log_time, record.timestamp_type)
    named = ((name.encode(), value) for name, value in record.headers)
    return numbers + b"".join(map(_prefix_length, (record.key, record.value, *chain(*named))))


def _prefix_length(part: bytes | None) -> bytes:
    return b"-" if part is None else b"%d:%b" % (len(part), part)


def _read_bronze(pinned: PinnedLake, extent: Extent) -> Iterator[StoredRecord]:
    with pinned.open_cursor("records", **extent._asdict()) as cursor:
        while rows := cursor.fetchmany(_CHUNK):
            for offset, log_time, kind, key, value, headers in rows:
                named = tuple((header["key"], header["value"]) for header in headers or ())
                yield StoredRecord(offset, log_time, kind, key, value, named)


def _read_kafka(address: KafkaAddress, extent: Extent) -> Iterator[StoredRecord]:
    begins, ends = {extent.partition: extent.begin}, {extent.partition: extent.end}
    return map(_to_record, read_topic(address, SONG_PLAYS, begins=begins, ends=ends))


def _to_record(message: Message) -> StoredRecord:
    kind, log_time = message.timestamp()
    return StoredRecord(
        message.offset(),
        log_time,
        LOG_APPEND_TIME if kind == TIMESTAMP_LOG_APPEND_TIME else 0,
        message.key(),
        message.value(),
        tuple((name, value) for name, value in message.headers() or ()),
    )
