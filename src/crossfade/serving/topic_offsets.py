"""Where a topic begins, ends and stood at a time, asked of one open consumer within seconds.

The floor's own functions wait longer for Kafka than a thread may that must end with its process.
"""

from collections.abc import Mapping

from confluent_kafka import Consumer, KafkaException, TopicPartition

from crossfade.errors import BrokerError

TIMEOUT_S = 5.0
"""Kafka that takes longer counts as away; the reader begins anew."""


def count_partitions(reader: Consumer, topic: str) -> int:
    """Count the partitions of a topic.

    Raises:
        BrokerError: there is no such topic yet.
        KafkaException: Kafka is away.
    """
    described = reader.list_topics(topic, timeout=TIMEOUT_S).topics[topic]
    if described.error is not None:
        what = f"Kafka has no topic {topic} yet."
        raise BrokerError(what, 'Start "crossfade up" once: it makes the topics.')
    return len(described.partitions)


def read_edges(reader: Consumer, topic: str, partitions: int) -> dict[int, tuple[int, int]]:
    """Return, for each partition, the smallest offset held and the one that comes next."""
    edges = {}
    for partition in range(partitions):
        place = TopicPartition(topic, partition)
        low, high = reader.get_watermark_offsets(place, timeout=TIMEOUT_S, cached=False)
        edges[partition] = low, high
    return edges


def find_offsets(
    reader: Consumer, topic: str, time_ms: int, ends: Mapping[int, int]
) -> dict[int, int]:
    """Return, for each partition, the first offset with log time >= `time_ms`, or its end."""
    asked = [TopicPartition(topic, p, max(time_ms, 0)) for p in ends]
    found = reader.offsets_for_times(asked, timeout=TIMEOUT_S)
    return {p.partition: p.offset if p.offset >= 0 else ends[p.partition] for p in found}


def read_log_times(reader: Consumer, topic: str, offsets: Mapping[int, int]) -> dict[int, int]:
    """Return the log time of one record of each partition; leaves the consumer unassigned."""
    times: dict[int, int] = {}
    for partition, offset in offsets.items():
        reader.assign([TopicPartition(topic, partition, offset)])
        message = reader.poll(TIMEOUT_S)
        if message is not None and (error := message.error()) is not None:
            raise KafkaException(error)
        if message is not None:
            times[partition] = message.timestamp()[1]
    reader.unassign()
    return times
