"""Reads of a topic's records between two sets of offsets."""

from collections.abc import Iterator, Mapping

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from crossfade.clock import SECOND_MS, now_ms
from crossfade.errors import BrokerError
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.clients import open_reader
from crossfade.kafka.reach import explain_failure, explain_unreachable

_CHUNK = 20_000
_GIVE_UP_MS = 30 * SECOND_MS
_WAIT_S = 0.1


def read_topic(
    address: KafkaAddress, topic: str, *, begins: Mapping[int, int], ends: Mapping[int, int]
) -> Iterator[Message]:
    """Yield every committed record of each topic partition from its begin to below its end.

    Raises:
        BrokerError: Kafka returns nothing for half a minute although there are more records.
    """
    waited = {p: ends[p] for p, begin in begins.items() if begin < ends.get(p, 0)}
    if not waited:
        return
    reader = open_reader(address, **{"enable.partition.eof": True})
    try:
        reader.assign([TopicPartition(topic, p, begins[p]) for p in waited])
        deadline = now_ms() + _GIVE_UP_MS
        while waited:
            messages = _consume(reader, address)
            if messages:
                deadline = now_ms() + _GIVE_UP_MS
            elif now_ms() > deadline:
                what = f"Kafka does not return all of {topic}: it stops before {waited}."
                raise explain_unreachable(address) or BrokerError(what, "Check the broker's log.")
            waited = _drop_finished(reader, topic, waited, messages)
            yield from (
                one
                for one in messages
                if one.error() is None and one.offset() < ends[one.partition()]
            )
    finally:
        reader.close()


def _consume(reader: Consumer, address: KafkaAddress) -> list[Message]:
    """Return what has come: records, and an end of partition as a message with an error."""
    try:
        messages = reader.consume(_CHUNK, _WAIT_S)
    except KafkaException as error:
        raise explain_failure(address, error.args[0]) from None
    return [one for one in messages if one.error() is None or _is_end(one)]


def _is_end(message: Message) -> bool:
    error = message.error()
    return error is not None and error.code() == KafkaError._PARTITION_EOF


def _drop_finished(
    reader: Consumer, topic: str, waited: dict[int, int], messages: list[Message]
) -> dict[int, int]:
    """Return the partitions not read to their end, by position: the last offset may have no record.

    A position passes the end of a transaction, but not an aborted record that another, open
    transaction follows; there, only the end of the partition shows that nothing more can be read.
    """
    places = reader.position([TopicPartition(topic, p) for p in waited])
    reached = {one.partition: one.offset for one in places}
    reached |= {one.partition(): one.offset() for one in messages if _is_end(one)}
    return {p: end for p, end in waited.items() if reached[p] < end}
