"""How batch reads from Kafka up to which log time it may compute windows."""

from collections.abc import Iterator

import pytest
from confluent_kafka import TopicPartition

from crossfade.contract.boundary import NO_BOUNDARY
from crossfade.errors import BrokerError
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.clients import open_producer, open_reader
from crossfade.kafka.topics import PLAYS_BY_WINDOW, SONG_PLAYS, read_end_offsets
from crossfade.kafka.window_log import decode_record, encode_probe_key
from crossfade.processing.batch.horizon import (
    ask_kafka,
    assume_without_kafka,
    read_next_log_times,
    send_probe,
)
from crossfade.stack.broker import Broker
from support.temporary_topics import temporary_topics

pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module")
def own(spare_broker: Broker) -> Iterator[KafkaAddress]:
    """Return the test's own topics, so that only its records lie beyond an offset."""
    with temporary_topics(spare_broker) as address:
        yield address


def send(address: KafkaAddress, partition: int, *values: bytes) -> list[int]:
    """Send records to a partition, and return their log times."""
    log_times: list[int] = []
    producer = open_producer(address)
    for value in values:
        producer.produce(
            SONG_PLAYS,
            value,
            partition=partition,
            on_delivery=lambda _, record: log_times.append(record.timestamp()[1]),
        )
    assert producer.flush(30) == 0
    return log_times


def test_what_waits_beyond_a_run_is_the_first_record_of_each_partition(own: KafkaAddress) -> None:
    ends = read_end_offsets(own, SONG_PLAYS)
    assert read_next_log_times(own, ends) == {}
    first, _ = send(own, 0, b"1", b"2")
    [other] = send(own, 2, b"3")
    assert read_next_log_times(own, ends) == {0: first, 2: other}
    assert read_next_log_times(own, ends | {2: ends[2] + 1}) == {0: first}


def test_a_partition_that_no_run_knows_yet_is_read_from_its_start(own: KafkaAddress) -> None:
    [first, *_] = send(own, 3, b"1", b"2")
    ends = read_end_offsets(own, SONG_PLAYS)
    ends.pop(3)
    assert read_next_log_times(own, ends) == {3: first}


def test_a_probe_returns_the_brokers_time_and_readers_ignore_it(own: KafkaAddress) -> None:
    [before] = send(own, 1, b"before")
    log_time = send_probe(own, "a-run")
    [after] = send(own, 1, b"after")
    assert before <= log_time <= after
    reader = open_reader(own)
    ends = read_end_offsets(own, PLAYS_BY_WINDOW)
    [(partition, end)] = [(p, end) for p, end in ends.items() if end]
    reader.assign([TopicPartition(PLAYS_BY_WINDOW, partition, end - 1)])
    probe = reader.poll(30)
    reader.close()
    assert probe.key() == encode_probe_key("a-run")
    assert decode_record(probe.key(), probe.value()) is None


def test_a_record_sent_after_the_query_was_logged_after_the_probe(
    own: KafkaAddress,
) -> None:
    ends = read_end_offsets(own, SONG_PLAYS)
    horizon = ask_kafka(own, "run", ends)
    [later] = send(own, 0, b"later")
    assert horizon.next_log_times == {}
    assert horizon.log_time <= later


def test_without_kafka_a_partition_with_no_rows_in_bronze_holds_the_boundary_back() -> None:
    horizon = assume_without_kafka({0: 5, 1: 0}, {0: 1_000})
    assert horizon.log_time == 1_000
    assert horizon.next_log_times == {0: 1_000, 1: NO_BOUNDARY}


def test_an_unreachable_kafka_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crossfade.processing.batch.horizon._TIMEOUT_S", 0.5)
    with pytest.raises(BrokerError, match=r"Kafka at 127\.0\.0\.1:1 does not answer: .*refused"):
        send_probe(KafkaAddress("127.0.0.1:1"), "run")
