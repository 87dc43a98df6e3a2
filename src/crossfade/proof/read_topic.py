"""Reads of a topic's records between two sets of offsets."""

from collections.abc import Iterator, Mapping

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from crossfade.clock import SECOND_MS, now_ms
from crossfade.errors import BrokerError
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.clients import open_reader

_CHUNK = 20_000
_GIVE_UP_MS = 30 * SECOND_MS
_WAIT_S = 0.1


def read_topic(
    address: KafkaAddress, topic: str, *, begins: Mapping[int, int], ends: Mapping[int, int]
) -> Iterator[Message]:
    """Yield every record of each topic partition from its begin up to, but without, its end.

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
            messages = _consume(reader, topic)
            if messages:
                deadline = now_ms() + _GIVE_UP_MS
            elif now_ms() > deadline:
                what = f"Kafka does not return all of {topic}: it stops before {waited}."
                raise BrokerError(what, "Check the broker's log.")
            waited = _drop_finished(reader, topic, waited)
            yield from (one for one in messages if one.offset() < ends[one.partition()])
    finally:
        reader.close()


def _consume(reader: Consumer, topic: str) -> list[Message]:
    try:
        return [one for one in reader.consume(_CHUNK, _WAIT_S) if one.error() is None]
    except KafkaException as error:
        what = f"Kafka does not return {topic}: {error.args[0].str()}."
        raise BrokerError(what, 'Start it, or see "crossfade status".') from None


def _drop_finished(reader: Consumer, topic: str, waited: dict[int, int]) -> dict[int, int]:
    """Return the partitions not read to their end, by position: a marker has no record."""
    places = reader.position([TopicPartition(topic, p) for p in waited])
    return {
        one.partition: waited[one.partition] for one in places if one.offset < waited[one.partition]
    }
