"""Offsets are not records: readers of a topic to which transactions were sent."""

from collections.abc import Iterator

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource

from crossfade.errors import BrokerError, UnprovenError
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.clients import open_reader, read_record
from crossfade.kafka.read_topic import read_topic
from crossfade.kafka.topics import SONG_PLAYS, read_end_offsets
from crossfade.processing.batch.gaps import Gap, prove_gaps
from crossfade.processing.batch.horizon import read_next_log_times
from crossfade.serving.topic_offsets import read_log_times, read_offset_bounds
from crossfade.stack.broker import Broker
from support.temporary_topics import temporary_topics
from support.transactions import Transactions

pytestmark = pytest.mark.kafka


@pytest.fixture
def one_partition(spare_broker: Broker) -> Iterator[KafkaAddress]:
    """Yield the address of topics with one partition, which begins empty."""
    with temporary_topics(spare_broker, partitions=1) as address:
        yield address


def read_values(address: KafkaAddress) -> list[bytes | None]:
    ends = read_end_offsets(address, SONG_PLAYS)
    return [one.value() for one in read_topic(address, SONG_PLAYS, begins={0: 0}, ends=ends)]


def a_gap(begin: int, end: int) -> list[Gap]:
    return [{"partition": 0, "begin_offset": begin, "end_offset": end}]


def test_what_a_transaction_took_back_is_not_read(one_partition: KafkaAddress) -> None:
    plays = Transactions(one_partition)
    plays.commit(b"one", b"two")
    plays.abort(b"never")
    plays.commit(b"three")
    assert read_values(one_partition) == [b"one", b"two", b"three"]
    record = read_record(one_partition, SONG_PLAYS, 0, 2)
    assert record is not None
    assert (record.offset(), record.value()) == (5, b"three")


def test_a_topic_that_ends_with_markers_is_read_to_its_end(one_partition: KafkaAddress) -> None:
    Transactions(one_partition).abort(b"never", b"this neither")
    assert read_end_offsets(one_partition, SONG_PLAYS) == {0: 3}
    assert read_values(one_partition) == []
    assert read_record(one_partition, SONG_PLAYS, 0, 0) is None


def test_an_open_transaction_is_beyond_the_end(one_partition: KafkaAddress) -> None:
    aborted, open_one = Transactions(one_partition), Transactions(one_partition)
    aborted.begin(b"taken back")
    open_one.begin(b"not yet")
    aborted.end(is_committed=False)
    assert read_end_offsets(one_partition, SONG_PLAYS) == {0: 1}
    assert read_end_offsets(one_partition, SONG_PLAYS, include_open=True) == {0: 3}
    assert read_values(one_partition) == []
    open_one.end(is_committed=True)
    assert read_end_offsets(one_partition, SONG_PLAYS) == {0: 4}
    assert read_values(one_partition) == [b"not yet"]


def test_a_record_of_an_open_transaction_holds_the_boundary_back(
    one_partition: KafkaAddress,
) -> None:
    plays = Transactions(one_partition)
    plays.commit(b"archived")
    ends = read_end_offsets(one_partition, SONG_PLAYS)
    assert read_next_log_times(one_partition, ends) == {}
    plays.begin(b"may be committed later")
    before = read_next_log_times(one_partition, ends)
    plays.end(is_committed=True)
    record = read_record(one_partition, SONG_PLAYS, 0, ends[0])
    assert record is not None
    assert before == {0: record.timestamp()[1]}


def test_serving_finds_ends_and_first_log_times_without_waiting_for_records(
    one_partition: KafkaAddress,
) -> None:
    plays = Transactions(one_partition)
    plays.abort(b"never")
    reader = open_reader(one_partition, **{"enable.partition.eof": True})
    try:
        assert read_offset_bounds(reader, SONG_PLAYS, 1) == {0: (0, 2)}
        assert read_log_times(reader, SONG_PLAYS, {0: 0}) == {}
        plays.begin(b"open")
        assert read_offset_bounds(reader, SONG_PLAYS, 1) == {0: (0, 2)}
        plays.end(is_committed=True)
        assert read_offset_bounds(reader, SONG_PLAYS, 1) == {0: (0, 4)}
        assert read_log_times(reader, SONG_PLAYS, {0: 0}).keys() == {0}
    finally:
        reader.close()


def test_a_gap_is_proven_if_kafka_skips_exactly_it(one_partition: KafkaAddress) -> None:
    plays = Transactions(one_partition)
    plays.commit(b"0")
    plays.abort(b"2", b"3")
    plays.commit(b"5")
    plays.abort(b"7")
    prove_gaps(one_partition, a_gap(1, 5), {0: 9})
    prove_gaps(one_partition, a_gap(6, 9), {0: 9})
    prove_gaps(one_partition, a_gap(1, 4), {0: 4})


@pytest.mark.parametrize(("begin", "end"), [(0, 1), (0, 5), (1, 4), (1, 6)])
def test_a_gap_with_a_play_or_with_another_end_is_not_proven(
    one_partition: KafkaAddress, begin: int, end: int
) -> None:
    plays = Transactions(one_partition)
    plays.commit(b"0")
    plays.abort(b"2", b"3")
    plays.commit(b"5")
    with pytest.raises(UnprovenError, match=rf"offsets {begin} to {end - 1}, and Kafka does not"):
        prove_gaps(one_partition, a_gap(begin, end), {0: 7})


def test_a_gap_that_kafka_no_longer_holds_is_not_proven(one_partition: KafkaAddress) -> None:
    plays = Transactions(one_partition)
    plays.abort(b"0", b"1")
    plays.commit(b"3")
    prove_gaps(one_partition, a_gap(0, 3), {0: 5})
    admin = AdminClient(one_partition.client_config())
    for deleted in admin.delete_records([TopicPartition(SONG_PLAYS, 0, 2)]).values():
        deleted.result(20)
    with pytest.raises(UnprovenError, match="does not show that no play was there"):
        prove_gaps(one_partition, a_gap(0, 3), {0: 5})


def test_a_gap_in_a_topic_that_is_compacted_is_not_proven(one_partition: KafkaAddress) -> None:
    Transactions(one_partition).abort(b"0")
    prove_gaps(one_partition, a_gap(0, 2), {0: 2})
    entry = ConfigEntry("cleanup.policy", "compact", incremental_operation=AlterConfigOpType.SET)
    topic = ConfigResource("topic", SONG_PLAYS, incremental_configs=[entry])
    admin = AdminClient(one_partition.client_config())
    for altered in admin.incremental_alter_configs([topic]).values():
        altered.result(20)
    with pytest.raises(UnprovenError, match=r"cleanup\.policy=compact"):
        prove_gaps(one_partition, a_gap(0, 2), {0: 2})


def test_a_gap_is_not_proven_without_kafka() -> None:
    for address in (None, KafkaAddress("127.0.0.1:1")):
        with pytest.raises(BrokerError):
            prove_gaps(address, a_gap(0, 2), {0: 2})
