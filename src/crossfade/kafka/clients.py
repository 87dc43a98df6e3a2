"""Kafka clients with Crossfade's settings: producers, and consumers without a group."""

from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

from crossfade.errors import BrokerError
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.reach import explain_unreachable
from crossfade.kafka.topics import MAX_RECORD_BYTES, read_end_offsets

_GIVEN_WITHIN_S = 30.0


def open_producer(address: KafkaAddress, **config: str | int | bool) -> Producer:
    """Open a producer with the settings of `producer_config`."""
    return Producer(producer_config(address, **config))


def producer_config(
    address: KafkaAddress, **config: str | int | bool
) -> dict[str, str | int | bool]:
    """Return a producer's settings: idempotent, acks=all, Kafka's own partitioner."""
    return {
        **address.client_config(),
        "enable.idempotence": True,
        "acks": "all",
        "partitioner": "murmur2_random",
        "compression.type": "lz4",
        "linger.ms": 20,
        "message.max.bytes": MAX_RECORD_BYTES,
        **config,
    }


def open_reader(address: KafkaAddress, **config: str | int | bool) -> Consumer:
    """Open a consumer that joins no group, commits no offsets and reads only committed records."""
    return Consumer(
        {
            **address.client_config(),
            "group.id": "crossfade-reader",
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "isolation.level": "read_committed",
            "fetch.message.max.bytes": MAX_RECORD_BYTES,
            **config,
        }
    )


def read_record(address: KafkaAddress, topic: str, partition: int, offset: int) -> Message | None:
    """Read the first committed record at or after an offset; None if Kafka has none yet."""
    if read_end_offsets(address, topic).get(partition, 0) <= offset:
        return None
    reader = open_reader(address, **{"enable.partition.eof": True})
    try:
        reader.assign([TopicPartition(topic, partition, offset)])
        message = reader.poll(_GIVEN_WITHIN_S)
    finally:
        reader.close()
    error = message.error() if message is not None else None
    if error is not None and error.code() == KafkaError._PARTITION_EOF:
        return None
    if message is None or error is not None:
        reason = f": {error.str()}" if error is not None else ""
        what = f"Kafka did not return {topic} [{partition}] offset {offset}{reason}."
        raise explain_unreachable(address) or BrokerError(what, "Check the broker's log.")
    return message
