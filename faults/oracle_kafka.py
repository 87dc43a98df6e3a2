"""Kafka's log, read from its beginning by a client of its own: all of Kafka that the oracle has."""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from confluent_kafka import Consumer, Message, TopicPartition

SONG_PLAYS = "song-plays"
PLAYS_BY_WINDOW = "plays-by-window"

_CHUNK = 20_000
_SILENT_S = 60.0
_ANSWER_S = 30.0


class LogRecord(NamedTuple):
    """All that Kafka says of a record; `timestamp_type` 1 is the broker's clock, in ms."""

    partition: int
    offset: int
    log_time: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Log:
    """A topic's log: where each partition begins and ends, and what is between, in order."""

    starts: Mapping[int, int]
    ends: Mapping[int, int]
    records: Iterable[LogRecord]

    def chunks(self) -> Iterator[list[LogRecord]]:
        """Return the records in pieces."""
        records = iter(self.records)
        while chunk := list(islice(records, _CHUNK)):
            yield chunk


def read_log(bootstrap: str, topic: str, since: Mapping[int, int] | None = None) -> Log:
    """Look where a topic begins and ends now; its records are read as they are asked for.

    Args:
        bootstrap: Kafka's address.
        topic: the topic.
        since: the first offset wanted of each partition; None: all that Kafka holds.
    """
    reader = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "oracle",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_uncommitted",
            "enable.partition.eof": True,
            "fetch.message.max.bytes": 8 * 1024 * 1024,
            "log_level": 0,
        }
    )
    known = reader.list_topics(topic, timeout=_ANSWER_S).topics[topic].partitions
    extents = {
        p: reader.get_watermark_offsets(TopicPartition(topic, p), timeout=_ANSWER_S, cached=False)
        for p in known
    }
    starts = {p: low for p, (low, _) in extents.items()}
    ends = {p: high for p, (_, high) in extents.items()}
    begins = {p: max(low, (since or {}).get(p, 0)) for p, low in starts.items()}
    return Log(starts, ends, _read(reader, topic, begins, ends))


def _read(
    reader: Consumer, topic: str, begins: Mapping[int, int], ends: Mapping[int, int]
) -> Iterator[LogRecord]:
    waited = {p for p, begin in begins.items() if begin < ends[p]}
    try:
        reader.assign([TopicPartition(topic, p, begins[p]) for p in waited])
        heard = time.monotonic()
        while waited:
            messages = [one for one in reader.consume(_CHUNK, 0.2) if one.error() is None]
            yield from (_to_record(one) for one in messages if one.offset() < ends[one.partition()])
            if messages:
                heard = time.monotonic()
            elif time.monotonic() - heard > _SILENT_S:
                what = f"Kafka gives no more of {topic}, partitions {sorted(waited)}."
                raise TimeoutError(what)
            # By position: at a transaction's end the reader moves on without a record.
            places = reader.position([TopicPartition(topic, p) for p in waited])
            waited = {one.partition for one in places if one.offset < ends[one.partition]}
    finally:
        reader.close()


def _to_record(message: Message) -> LogRecord:
    kind, log_time = message.timestamp()
    return LogRecord(
        message.partition(),
        message.offset(),
        log_time,
        kind - 1,  # librdkafka counts 1 and 2 where Kafka itself, and Spark, count 0 and 1
        message.key(),
        message.value(),
        tuple(message.headers() or ()),
    )
