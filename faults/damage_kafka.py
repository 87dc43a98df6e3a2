"""Tools that damage Kafka's topics: delete, truncate or extend them, and send any records."""

import time
from collections.abc import Callable, Sequence

from confluent_kafka import KafkaException, Producer, TopicCollection, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    ResourceType,
)

_KAFKA_S = 30.0
_MEGABYTE = 1_000_000
_POLL_S = 0.05


def list_topics(bootstrap: str) -> set[str]:
    """Return the names of all topics."""
    return set(_admin(bootstrap).list_topics(timeout=_KAFKA_S).topics)


def topic_id(bootstrap: str, topic: str) -> str:
    """Return the id that Kafka gave a topic."""
    admin = _admin(bootstrap)
    described = admin.describe_topics(TopicCollection([topic]))
    return str(described[topic].result(_KAFKA_S).topic_id)


def delete_topics(bootstrap: str, *topics: str) -> None:
    """Delete topics, and wait until they are gone."""
    admin = _admin(bootstrap)
    for outcome in admin.delete_topics(list(topics)).values():
        outcome.result(_KAFKA_S)
    _wait_until(lambda: not admin.list_topics(timeout=_KAFKA_S).topics.keys() & set(topics))


def add_partitions(bootstrap: str, topic: str, total: int) -> None:
    """Add partitions to a topic, and wait until clients see them."""
    admin = _admin(bootstrap)
    outcome = admin.create_partitions([NewPartitions(topic, total)])
    outcome[topic].result(_KAFKA_S)
    _wait_until(lambda: len(admin.list_topics(timeout=_KAFKA_S).topics[topic].partitions) == total)


def delete_records(bootstrap: str, topic: str, partition: int, before: int) -> int:
    """Delete a partition's records before an offset, and return its new first offset."""
    admin = _admin(bootstrap)
    place = TopicPartition(topic, partition, before)
    outcome = admin.delete_records([place])
    return int(outcome[place].result(_KAFKA_S).low_watermark)


def set_topic(bootstrap: str, topic: str, name: str, value: str) -> None:
    """Set one configuration value of a topic."""
    admin = _admin(bootstrap)
    entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    outcome = admin.incremental_alter_configs([resource])
    outcome[resource].result(_KAFKA_S)


def send(
    bootstrap: str, topic: str, values: Sequence[bytes | None], partition: int | None = None
) -> list[tuple[int, int]]:
    """Send raw records in order; return the topic partition and offset of each.

    Raises:
        KafkaException: Kafka does not accept a record.
    """
    positions: dict[int, tuple[int, int]] = {}
    errors = []

    def note(number: int) -> Callable[..., None]:
        def on_delivery(error: object, message: object) -> None:
            if error is not None:
                errors.append(error)
            else:
                positions[number] = (message.partition(), message.offset())  # type: ignore[attr-defined]

        return on_delivery

    config = {"bootstrap.servers": bootstrap, "acks": "all", "message.max.bytes": 8 * _MEGABYTE}
    producer = Producer({**config, "message.timeout.ms": 15_000, "log_level": 0})
    where = {} if partition is None else {"partition": partition}
    for number, value in enumerate(values):
        producer.produce(topic, value, on_delivery=note(number), **where)
        producer.poll(0)
    producer.flush(_KAFKA_S)
    if errors:
        raise KafkaException(errors[0])
    return [positions[number] for number in range(len(values))]


def _admin(bootstrap: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})


def _wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _KAFKA_S
    while not is_so():
        assert time.monotonic() < deadline, "Kafka did not do it in time"
        time.sleep(_POLL_S)
