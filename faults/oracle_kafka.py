"""Read Kafka's log from its beginning with a separate client."""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from confluent_kafka import Consumer, Message, TopicPartition

SONG_PLAYS = "song-plays"
PLAYS_BY_WINDOW = "plays-by-window"

_CHUNK = 20_000
_IDLE_LIMIT_S = 60.0
_ANSWER_S = 30.0


class LogRecord(NamedTuple):
    """A Kafka record; `log_time` is in ms, and by the broker's clock if `timestamp_type` is 1."""

    partition: int
    offset: int
    log_time: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Log:
    """A topic's log: the start and end offsets of each partition, and its records in order."""

    starts: Mapping[int, int]
    ends: Mapping[int, int]
    records: Iterable[LogRecord]

    def chunks(self) -> Iterator[list[LogRecord]]:
        """Yield the records in lists of at most 20,000."""
        records = iter(self.records)
        while chunk := list(islice(records, _CHUNK)):
            yield chunk


def read_log(bootstrap: str, topic: str, since: Mapping[int, int] | None = None) -> Log:
    """Read a topic's current start and end offsets; its records are read on iteration.

    Args:
        bootstrap: Kafka's address.
        topic: the topic.
        since: the first offset to read of each partition; None: all that Kafka holds.
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
        last_read = time.monotonic()
        while waited:
            messages = [one for one in reader.consume(_CHUNK, 0.2) if one.error() is None]
            yield from (_to_record(one) for one in messages if one.offset() < ends[one.partition()])
            if messages:
                last_read = time.monotonic()
            elif time.monotonic() - last_read > _IDLE_LIMIT_S:
                what = f"Kafka returns no more records of {topic}, partitions {sorted(waited)}."
                raise TimeoutError(what)
            # Compare positions: at a transaction's end the reader moves on without a record.
            positions = reader.position([TopicPartition(topic, p) for p in waited])
            waited = {one.partition for one in positions if one.offset < ends[one.partition]}
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
