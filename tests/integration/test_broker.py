import os
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME

from crossfade.config import load_settings
from crossfade.errors import BrokerError, MachineError
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.clients import open_producer, read_record
from crossfade.kafka.reach import await_broker
from crossfade.kafka.topics import (
    PLAYS_BY_WINDOW,
    SONG_PLAYS,
    create_topics,
    partition_count,
    read_end_offsets,
    topic_id,
)
from crossfade.stack.broker import Broker
from crossfade.stack.ports import find_free_ports

pytestmark = pytest.mark.kafka


def send(address: KafkaAddress, value: bytes, partition: int = 0) -> None:
    producer = open_producer(address)
    producer.produce(SONG_PLAYS, value, partition=partition)
    assert producer.flush(20) == 0


def test_both_topics_are_created_with_the_required_configuration(topics: Broker) -> None:
    assert partition_count(topics.address, SONG_PLAYS) == 4
    assert partition_count(topics.address, PLAYS_BY_WINDOW) == 4
    create_topics(topics.address, load_settings())


def test_a_record_gets_the_brokers_clock_as_its_log_time(topics: Broker) -> None:
    offset = read_end_offsets(topics.address, SONG_PLAYS)[0]
    send(topics.address, b"a play")
    record = read_record(topics.address, SONG_PLAYS, 0, offset)
    assert record is not None
    assert record.value() == b"a play"
    assert record.timestamp()[0] == TIMESTAMP_LOG_APPEND_TIME


def test_a_record_of_two_megabytes_is_kept(topics: Broker) -> None:
    offset = read_end_offsets(topics.address, SONG_PLAYS)[1]
    send(topics.address, b"x" * 2_000_000, partition=1)
    record = read_record(topics.address, SONG_PLAYS, 1, offset)
    assert record is not None
    assert len(record.value() or b"") == 2_000_000


def test_a_broker_starts_again_on_its_data_even_on_another_port(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Such a path must also work in the C locale.
    monkeypatch.setenv("LC_ALL", "C")
    folder = tmp_path / "björk & 音楽 🎵"
    with Broker(folder, cache=cache) as first:
        create_topics(first.address, load_settings())
        send(first.address, b"kept")
        identity, place = topic_id(first.address, SONG_PLAYS), first.address
    with Broker(folder, cache=cache) as second:
        assert second.address != place
        assert topic_id(second.address, SONG_PLAYS) == identity
        assert read_end_offsets(second.address, SONG_PLAYS)[0] == 1
        send(second.address, b"more")
        assert read_end_offsets(second.address, SONG_PLAYS)[0] == 2


def test_the_wait_for_a_broker_ends_when_it_answers(cache: Path, tmp_path: Path) -> None:
    [port] = find_free_ports(1)
    address = KafkaAddress(f"127.0.0.1:{port}")
    with ThreadPoolExecutor(1) as waiter:
        waiting = waiter.submit(await_broker, address, 60.0, threading.Event())
        with Broker(tmp_path, cache=cache, port=port):
            assert waiting.result(60.0) is None


@pytest.mark.parametrize(("within_s", "is_given_up"), [(0.0, False), (3600.0, True)])
def test_the_wait_for_a_broker_ends_at_its_limit_or_on_request(
    within_s: float, is_given_up: bool
) -> None:
    [unused] = find_free_ports(1)
    given_up = threading.Event()
    if is_given_up:
        given_up.set()
    with pytest.raises(BrokerError, match=f"127.0.0.1:{unused}"):
        await_broker(KafkaAddress(f"127.0.0.1:{unused}"), within_s, given_up)


@pytest.mark.fault
def test_an_acknowledged_record_survives_a_kill_of_the_broker(cache: Path, tmp_path: Path) -> None:
    broker = Broker(tmp_path, cache=cache)
    with broker:
        create_topics(broker.address, load_settings())
        send(broker.address, b"acknowledged")
        os.kill(broker.pid, signal.SIGKILL)
    with Broker(tmp_path, cache=cache) as again:
        record = read_record(again.address, SONG_PLAYS, 0, 0)
        assert record is not None
        assert record.value() == b"acknowledged"


def test_a_taken_port_is_refused_with_its_holder_and_the_cure(cache: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        with pytest.raises(MachineError) as refusal:
            Broker(tmp_path, cache=cache, port=port).prepare()
    line = str(refusal.value)
    assert f"Port {port} is taken by" in line
    assert f"pid {os.getpid()}" in line
    assert "--kafka-port" in line
    assert "CROSSFADE_KAFKA_PORT" in line
    assert "\n" not in line


def test_a_broker_that_cannot_start_says_why_and_leaves_nothing(
    cache: Path, tmp_path: Path
) -> None:
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    with pytest.raises(BrokerError) as refusal, Broker(tmp_path, cache=cache, heap="some"):
        pass
    assert "Invalid maximum heap size: -Xmxsome" in str(refusal.value)
    assert str(tmp_path / "broker.log") in str(refusal.value)
    after = {process.pid for process in psutil.Process().children(recursive=True)}
    assert after <= before


def test_a_stopped_broker_leaves_no_process_and_no_port(cache: Path, tmp_path: Path) -> None:
    with Broker(tmp_path, cache=cache) as broker:
        pid = broker.pid
        port = int(broker.address.bootstrap.partition(":")[2])
    assert not psutil.pid_exists(pid)
    with socket.create_server(("127.0.0.1", port)):
        pass
