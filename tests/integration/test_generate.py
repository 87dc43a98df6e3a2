"""The simulated audience and a real broker: the log has every sent record once, in its place."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
import pytest
from confluent_kafka import Message, TopicPartition

from crossfade.config import Settings
from crossfade.contract.decode import decode_play
from crossfade.contract.ledger import RECORDS, open_ledger
from crossfade.contract.play import Play
from crossfade.errors import BrokerError
from crossfade.generator.kafka_sink import KafkaSink
from crossfade.generator.options import Report, SimulationOptions
from crossfade.generator.produce import Simulation, SimulationProgress, simulate
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.clients import open_reader
from crossfade.kafka.topics import SONG_PLAYS, create_topics, read_end_offsets
from crossfade.stack.broker import Broker
from crossfade.stack.ports import find_free_ports

pytestmark = pytest.mark.kafka


def read_records(
    address: KafkaAddress, start: dict[int, int], end: dict[int, int]
) -> Iterator[Message]:
    reader = open_reader(address)
    reader.assign([TopicPartition(SONG_PLAYS, p, offset) for p, offset in start.items()])
    wanted = sum(end[p] - start[p] for p in start)
    try:
        while wanted:
            record = reader.poll(20)
            assert record is not None, f"{wanted} records did not come"
            assert record.error() is None
            wanted -= 1
            yield record
    finally:
        reader.close()


def count_records(address: KafkaAddress) -> int:
    return sum(read_end_offsets(address, SONG_PLAYS).values())


def start_command(address: KafkaAddress, *options: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "crossfade", "generate", "--json", *options]
    environment = {**os.environ, "CROSSFADE_BOOTSTRAP": address.bootstrap}
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def murmur2(key: bytes) -> int:
    """Kafka's hash of a key, as its Java client computes it."""
    mask, factor = 0xFFFFFFFF, 0x5BD1E995
    hashed = (0x9747B28C ^ len(key)) & mask
    whole = len(key) // 4 * 4
    for begin in range(0, whole, 4):
        word = int.from_bytes(key[begin : begin + 4], "little") * factor & mask
        word = (word ^ word >> 24) * factor & mask
        hashed = (hashed * factor & mask) ^ word
    if rest := key[whole:]:
        hashed = (hashed ^ int.from_bytes(rest, "little")) * factor & mask
    hashed = (hashed ^ hashed >> 13) * factor & mask
    return hashed ^ hashed >> 15


def test_murmur2_matches_the_java_client() -> None:
    assert murmur2(b"21") == -973932308 & 0xFFFFFFFF
    assert murmur2(b"foobar") == -790332482 & 0xFFFFFFFF
    assert murmur2(b"a-little-bit-long-string") == -985981536 & 0xFFFFFFFF


def play_with_ledger(
    address: KafkaAddress, folder: Path, options: SimulationOptions, **how: Any
) -> tuple[SimulationProgress, list[dict[str, Any]]]:
    """Simulate into Kafka; also return the rows of the ledger."""
    simulation = Simulation(options, is_file=False, ledger=folder)
    progress = simulation.play(KafkaSink(address, receipts=simulation.ledger), **how)
    return progress, read_ledger(folder)


def read_ledger(folder: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(open_ledger(folder).folder / RECORDS).to_pylist()
    return rows


def test_every_play_sent_is_in_the_log_once_keyed_and_in_its_partition(
    topics: Broker, tmp_path: Path
) -> None:
    start = read_end_offsets(topics.address, SONG_PLAYS)
    options = SimulationOptions(rate=None, events=100_000, songs=500, listeners=400)
    progress, rows = play_with_ledger(topics.address, tmp_path / "ledger", options)
    end = read_end_offsets(topics.address, SONG_PLAYS)
    assert (progress.sent, progress.waiting, progress.failed) == (100_000, 0, 0)
    assert sum(end.values()) - sum(start.values()) == 100_000

    used = Counter[int]()
    sent = {(row["partition"], row["offset"]): row["event_id"] for row in rows}
    assert len(sent) == 100_000
    for record in read_records(topics.address, start, end):
        play = decode_play(record.value(), record.timestamp()[1])
        assert isinstance(play, Play)
        assert record.key() == play.user_id.encode()
        assert record.partition() == (murmur2(record.key()) & 0x7FFFFFFF) % len(end)
        assert play.event_id == sent[record.partition(), record.offset()]
        used[record.partition()] += 1
    assert set(used) == set(end)


def test_plays_reported_at_their_start_arrive_within_a_second_of_it(topics: Broker) -> None:
    start = read_end_offsets(topics.address, SONG_PLAYS)
    options = SimulationOptions(rate=2_000.0, for_ms=1_000, report=Report.START)
    progress = simulate(KafkaSink(topics.address), options)
    end = read_end_offsets(topics.address, SONG_PLAYS)
    assert progress.sent == 2_000
    for record in read_records(topics.address, start, end):
        play = decode_play(record.value(), record.timestamp()[1])
        assert isinstance(play, Play)
        assert -100 < record.timestamp()[1] - play.event_time < 5_000


def test_the_command_sends_the_same_past_again(topics: Broker) -> None:
    before = count_records(topics.address)
    options = ("--from", "2024-05-01", "--rate", "50", "--for", "2m", "--seed", "9")
    sent = []
    for _ in range(2):
        command = start_command(topics.address, *options, "--listeners", "50000")
        out, _err = command.communicate(timeout=60)
        assert command.returncode == 0
        sent.append(json.loads(out)["sent"])
    assert sent[0] == sent[1] > 4_000
    assert count_records(topics.address) - before == sum(sent)


def test_after_ctrl_c_everything_sent_is_in_the_log(topics: Broker) -> None:
    before = count_records(topics.address)
    command = start_command(topics.address, "--rate", "3000")
    deadline = time.monotonic() + 60
    while count_records(topics.address) == before:
        assert time.monotonic() < deadline
    command.send_signal(signal.SIGINT)
    out, err = command.communicate(timeout=60)
    assert command.returncode == 0
    assert b"Traceback" not in err
    result = json.loads(out)
    assert result["sent"] == count_records(topics.address) - before > 0
    assert (result["waiting"], result["failed"]) == (0, 0)


def test_an_unreachable_broker_at_the_start_is_reported_in_one_line() -> None:
    [port] = find_free_ports(1)
    with pytest.raises(BrokerError, match=f"Kafka at 127.0.0.1:{port} does not answer"):
        KafkaSink(KafkaAddress(f"127.0.0.1:{port}"))


@pytest.mark.fault
def test_a_broker_that_stops_answering_ends_the_run_with_the_number_of_lost_plays(
    cache: Path, tmp_path: Path
) -> None:
    with Broker(tmp_path, cache=cache) as broker:
        create_topics(broker.address, Settings())
        options = SimulationOptions(rate=2_000.0, songs=100, listeners=100)
        simulation = Simulation(options, is_file=False, ledger=tmp_path / "ledger")
        sink = KafkaSink(broker.address, timeout_ms=2_000, receipts=simulation.ledger)
        process = psutil.Process(broker.pid)

        def freeze(progress: SimulationProgress) -> None:
            if progress.sent - progress.waiting > 1_000:
                process.suspend()

        try:
            with pytest.raises(BrokerError, match=r"did not acknowledge [\d,]+ of [\d,]+ plays"):
                simulation.play(sink, on_progress=freeze)
        finally:
            process.resume()
        assert 0 < sink.failed <= sink.sent
        assert sink.waiting == 0
        seal = open_ledger(tmp_path / "ledger").seal
        assert seal.unknown >= sink.failed
        assert seal.acknowledged == sink.sent - sink.failed > 0
        rows = read_ledger(tmp_path / "ledger")
        assert sum(row["error"] is not None for row in rows) == seal.unknown
        assert {row["offset"] is None for row in rows if row["error"]} == {True}


@pytest.mark.fault
def test_a_second_interrupt_ends_the_wait_and_reports_what_is_lost(
    cache: Path, tmp_path: Path
) -> None:
    with Broker(tmp_path, cache=cache) as broker:
        create_topics(broker.address, Settings())
        process = psutil.Process(broker.pid)
        give_up, until = threading.Event(), threading.Event()

        def freeze(progress: SimulationProgress) -> None:
            process.suspend()
            if progress.waiting:
                until.set()
                give_up.set()

        options = SimulationOptions(rate=2_000.0, songs=100, listeners=100)
        simulation = Simulation(options, is_file=False, ledger=tmp_path / "ledger")
        sink = KafkaSink(broker.address, receipts=simulation.ledger)
        try:
            with pytest.raises(BrokerError, match=r"plays: interrupted\."):
                simulation.play(sink, until=until, give_up=give_up, on_progress=freeze)
        finally:
            process.resume()
        errors = Counter(row["error"] for row in read_ledger(tmp_path / "ledger"))
        assert errors["interrupted before Kafka answered"] >= sink.failed > 0


@pytest.mark.fault
def test_a_broker_that_is_killed_and_comes_back_loses_nothing(cache: Path, tmp_path: Path) -> None:
    [port] = find_free_ports(1)
    broker = Broker(tmp_path, cache=cache, port=port)
    broker.start()
    broker.wait_ready()
    create_topics(broker.address, Settings())
    restarted = threading.Event()
    until = threading.Event()

    def kill_once(progress: SimulationProgress) -> None:
        if progress.sent > 1_000 and not restarted.is_set():
            os.kill(broker.pid, signal.SIGKILL)
            broker.stop()
            broker.start()
            broker.wait_ready()
            restarted.set()
        if progress.sent > 20_000:
            until.set()

    options = SimulationOptions(rate=2_000.0, songs=100, listeners=100)
    try:
        ledger = tmp_path / "ledger"
        progress, rows = play_with_ledger(
            broker.address, ledger, options, until=until, on_progress=kill_once
        )
        start = dict.fromkeys(range(4), 0)
        end = read_end_offsets(broker.address, SONG_PLAYS)
        records = read_records(broker.address, start, end)
        plays = (decode_play(record.value(), record.timestamp()[1]) for record in records)
        ids = Counter(play.event_id for play in plays if isinstance(play, Play))
    finally:
        broker.stop()
    assert set(ids) == {row["event_id"] for row in rows}
    assert len(ids) == progress.sent == open_ledger(ledger).seal.acknowledged
