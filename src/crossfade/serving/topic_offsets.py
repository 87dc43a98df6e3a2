"""The first, last and timed offsets of a topic, read through an open consumer.

The timeout is shorter than that of `crossfade.kafka`: a reader's thread must end with its process.
"""

from collections.abc import Mapping

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from crossfade.errors import BrokerError

TIMEOUT_S = 5.0
"""After this, Kafka counts as unreachable and the reader starts again."""


def count_partitions(reader: Consumer, topic: str) -> int:
    """Count the partitions of a topic.

    Raises:
        BrokerError: the topic does not exist yet.
        KafkaException: Kafka cannot be reached.
    """
    described = reader.list_topics(topic, timeout=TIMEOUT_S).topics[topic]
    if described.error is not None:
        what = f"Kafka has no topic {topic} yet."
        raise BrokerError(what, 'Start "crossfade up" once: it creates the topics.')
    return len(described.partitions)


def read_offset_bounds(reader: Consumer, topic: str, partitions: int) -> dict[int, tuple[int, int]]:
    """Return each partition's first offset, and the end of what committed readers can read."""
    bounds = {}
    for partition in range(partitions):
        place = TopicPartition(topic, partition)
        low, high = reader.get_watermark_offsets(place, timeout=TIMEOUT_S, cached=False)
        bounds[partition] = low, high
    return bounds


def find_offsets(
    reader: Consumer, topic: str, time_ms: int, ends: Mapping[int, int]
) -> dict[int, int]:
    """Return each partition's first offset with log time >= `time_ms`, or else its end."""
    asked = [TopicPartition(topic, p, max(time_ms, 0)) for p in ends]
    found = reader.offsets_for_times(asked, timeout=TIMEOUT_S)
    return {p.partition: p.offset if p.offset >= 0 else ends[p.partition] for p in found}


def read_log_times(reader: Consumer, topic: str, offsets: Mapping[int, int]) -> dict[int, int]:
    """Return the log time of the first record at or after an offset in each partition, if any.

    The consumer reports ends of partitions, and ends unassigned.

    Raises:
        KafkaException: Kafka cannot be reached, or does not answer in time.
    """
    times: dict[int, int] = {}
    for partition, offset in offsets.items():
        reader.assign([TopicPartition(topic, partition, offset)])
        message = reader.poll(TIMEOUT_S)
        error = KafkaError(KafkaError._TIMED_OUT) if message is None else message.error()
        if message is not None and error is None:
            times[partition] = message.timestamp()[1]
        elif error.code() != KafkaError._PARTITION_EOF:
            raise KafkaException(error)
    reader.unassign()
    return times
