"""Bronze against Kafka: as far as Kafka retains them, the same records byte for byte."""

import hashlib
from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, Message

from crossfade.erasure.suppression import ERASED_HEADER, is_blank
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.topics import (
    LOG_APPEND_TIME,
    SONG_PLAYS,
    read_end_offsets,
    read_start_offsets,
)
from crossfade.lake.findings import Finding, judge, leave_out
from crossfade.proof.pinned import PinnedLake
from crossfade.proof.positions import format_position
from crossfade.proof.read_topic import read_topic

SAME_BYTES = "bronze = Kafka, byte for byte"

_CHUNK = 20_000


class Extent(NamedTuple):
    """The offsets [begin, end) of a partition of `song-plays`."""

    partition: int
    begin: int
    end: int


class Record(NamedTuple):
    """All that Kafka says about a record at one position."""

    offset: int
    log_time: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


def check_kafka_copy(pinned: PinnedLake, address: KafkaAddress) -> list[Finding]:
    """Read again what Kafka still holds of each partition's range and compare it with bronze."""
    starts = read_start_offsets(address, SONG_PLAYS)
    ends = read_end_offsets(address, SONG_PLAYS)
    findings = []
    for partition, first, end in pinned.ask("covered"):
        subject = f"{SONG_PLAYS} [{partition}]"
        begin = max(first, starts.get(partition, 0))
        if (known := ends.get(partition, 0)) < end:
            note = "Kafka ends before what was archived: the topic was made anew, or lost records."
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
            left, blank = _blank(sent), blank + 1
        for record, digest in ((left, kept), (right, archived)):
            if record is not None:
                digest.update(_flatten(record))
        if left != right:
            wrong.append(_name_difference(extent.partition, left, right))
    return judge(
        SAME_BYTES,
        f"{SONG_PLAYS} [{extent.partition}]",
        expected=kept.hexdigest(),
        found=archived.hexdigest(),
        wrong=wrong,
        note=f"{note}; of {blank:,} erased ones position and log time" if blank else note,
    )


def _blank(record: Record) -> Record:
    """Return what an erasure leaves of a record."""
    return record._replace(key=None, value=None, headers=((ERASED_HEADER, None),))


def _pair_up(
    kafka: Iterator[Record], bronze: Iterator[Record]
) -> Iterator[tuple[Record | None, Record | None]]:
    """Walk both sides in step; a record without its like on the other side comes alone."""
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


def _name_difference(partition: int, left: Record | None, right: Record | None) -> str:
    if left is None or right is None:
        record, where = (right, "bronze, not in Kafka") if left is None else (left, "Kafka alone")
        return f"{format_position(partition, record.offset if record else -1)}: in {where}"
    both = zip(Record._fields, left, right, strict=True)
    differing = ", ".join(name for name, one, other in both if one != other)
    return f"{format_position(partition, left.offset)}: other {differing}"


def _flatten(record: Record) -> bytes:
    numbers = b"%d %d %d " % (record.offset, record.log_time, record.timestamp_type)
    named = ((name.encode(), value) for name, value in record.headers)
    return numbers + b"".join(map(_measured, (record.key, record.value, *chain(*named))))


def _measured(part: bytes | None) -> bytes:
    return b"-" if part is None else b"%d:%b" % (len(part), part)


def _read_bronze(pinned: PinnedLake, extent: Extent) -> Iterator[Record]:
    cursor = pinned.open("records", **extent._asdict())
    while rows := cursor.fetchmany(_CHUNK):
        for offset, log_time, kind, key, value, headers in rows:
            named = tuple((header["key"], header["value"]) for header in headers or ())
            yield Record(offset, log_time, kind, key, value, named)


def _read_kafka(address: KafkaAddress, extent: Extent) -> Iterator[Record]:
    begins, ends = {extent.partition: extent.begin}, {extent.partition: extent.end}
    return map(_to_record, read_topic(address, SONG_PLAYS, begins=begins, ends=ends))


def _to_record(message: Message) -> Record:
    kind, log_time = message.timestamp()
    return Record(
        message.offset(),
        log_time,
        LOG_APPEND_TIME if kind == TIMESTAMP_LOG_APPEND_TIME else 0,
        message.key(),
        message.value(),
        tuple((name, value) for name, value in message.headers() or ()),
    )
