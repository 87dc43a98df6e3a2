import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, Message

from crossfade.config import load_settings
from crossfade.contract.ledger import open_ledger
from crossfade.errors import BrokerError, MachineError, MisuseError
from crossfade.folder import open_folder
from crossfade.generator.options import SimulationOptions
from crossfade.generator.produce import Simulation
from crossfade.generator.sinks import FileSink
from crossfade.kafka.clients import open_producer, read_record
from crossfade.kafka.topics import SONG_PLAYS, create_topics
from crossfade.stack import broker as broker_module
from crossfade.stack.broker import Broker

pytestmark = [pytest.mark.fault, pytest.mark.kafka]


def fill(path: Path) -> None:
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as ballast:
        while True:
            ballast.write(b"\0" * 1_000_000)


def test_a_stack_on_a_full_disk_is_refused_in_one_line(small_disk: Path) -> None:
    command = [sys.executable, "-m", "crossfade"]
    data = ["--data", str(small_disk / "data")]
    open_folder(load_settings(data=small_disk / "data"))
    refused = [*command, "up", *data, "--port", "0", "--kafka-port", "0"]
    little = subprocess.run(refused, capture_output=True, text=True, check=False, timeout=60)
    fill(small_disk / "ballast")
    none = subprocess.run(refused, capture_output=True, text=True, check=False, timeout=60)
    for done in (little, none):
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1, done.stderr
        assert "Make room" in done.stderr
    assert "GB free; 1 needed" in little.stderr
    assert "No space left on device" in none.stderr


def test_a_ledger_on_a_full_disk_ends_the_run_in_one_line_and_is_not_taken_for_complete(
    small_disk: Path,
) -> None:
    simulation = Simulation(
        SimulationOptions(rate=None, events=400_000, listeners=20_000),
        is_file=True,
        ledger=small_disk / "ledger",
    )
    fill(small_disk / "ballast")
    with pytest.raises(MachineError, match=r"Cannot write the ledger in .*No space left"):
        simulation.play(FileSink(os.devnull))
    with pytest.raises(MisuseError, match="was not closed"):
        open_ledger(small_disk / "ledger")


def test_a_full_disk_loses_nothing_acknowledged_and_the_error_names_the_cure(
    small_disk: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_module, "require_disk_space", lambda *_: None)
    outcomes: dict[str, list[str]] = {"acknowledged": [], "failed": []}

    def note(error: KafkaError | None, _: Message) -> None:
        outcomes["failed" if error else "acknowledged"].append(str(error))

    broker = Broker(small_disk / "kafka", cache=cache, log=tmp_path / "broker.log")
    with broker:
        create_topics(broker.address, load_settings())
        patience = {"message.timeout.ms": 3_000, "log_level": 0}
        producer = open_producer(broker.address, **patience)
        producer.produce(SONG_PLAYS, b"acknowledged", partition=0, callback=note)
        assert producer.flush(20) == 0
        fill(small_disk / "ballast")
        for _ in range(50):
            producer.produce(SONG_PLAYS, os.urandom(100_000), partition=1, callback=note)
        producer.flush(20)
    assert len(outcomes["acknowledged"]) == 1
    assert len(outcomes["failed"]) == 50

    with pytest.raises(BrokerError, match=r"The disk of .* is full: make room") as refusal, broker:
        pass
    assert "\n" not in str(refusal.value)

    (small_disk / "ballast").unlink()
    with broker:
        record = read_record(broker.address, SONG_PLAYS, 0, 0)
        assert record is not None
        assert record.value() == b"acknowledged"
