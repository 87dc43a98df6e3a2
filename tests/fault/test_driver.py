"""The streaming driver as a process: stopped, refused as a second driver, and without its Java."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from crossfade.config import load_settings
from crossfade.folder import DataFolder, open_folder
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.topics import SONG_PLAYS, read_end_offsets
from crossfade.lake.connection import connect, register_table
from crossfade.lake.tables import BRONZE_SONG_PLAYS, list_files
from crossfade.stack.broker import Broker
from crossfade.stack.child_log import last_line
from support.speed_runs import a_play, send

pytestmark = [pytest.mark.kafka, pytest.mark.spark, pytest.mark.fault]

_WITHIN_S = 120.0


class Driver:
    """`crossfade streams` in a separate process."""

    def __init__(self, folder: DataFolder, bootstrap: str) -> None:
        self.folder = folder
        self.log = folder.root.parent / "streams.log"
        self.command = [sys.executable, "-m", "crossfade", "streams"]
        self.env = os.environ | {
            "CROSSFADE_DATA": str(folder.root),
            "CROSSFADE_BOOTSTRAP": bootstrap,
            "CROSSFADE_ARCHIVE_EVERY": "1s",
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(self.command, env=self.env, stderr=log)

    def wait_until_ready(self) -> None:
        """Wait until both queries run."""
        self._wait_for(lambda: len(self._read_progress()) == 2)

    def wait_until_warm(self) -> None:
        """Wait until both queries have read a record; their first micro-batch with one is slow."""
        self._wait_for(
            lambda: all(any(one["end_offsets"].values()) for one in self._read_progress().values())
        )

    def start_another(self) -> "subprocess.CompletedProcess[str]":
        """Start a second driver on the same folder, and wait for its end."""
        return subprocess.run(
            self.command, env=self.env, capture_output=True, text=True, timeout=60, check=False
        )

    def kill_java(self) -> None:
        """Kill Spark's Java process."""
        for child in psutil.Process(self.process.pid).children(recursive=True):
            if child.name() == "java":
                child.kill()

    def _read_progress(self) -> dict[str, dict[str, dict[str, int]]]:
        try:
            return dict(json.loads((self.folder.run / "streams.json").read_text()))
        except OSError:
            return {}

    def _wait_for(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _WITHIN_S
        while not condition():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.1)


@contextmanager
def a_driver(address: KafkaAddress, data: Path) -> Iterator[Driver]:
    """Run archive and speed on a new data folder, and kill them at the end."""
    running = Driver(open_folder(load_settings(data=data)), address.bootstrap)
    try:
        running.wait_until_ready()
        yield running
    finally:
        running.process.kill()
        running.process.wait()


@pytest.fixture(scope="module")
def lasting(topics: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    """Yield one driver for all tests that do not end it."""
    with a_driver(topics.address, tmp_path_factory.mktemp("driver") / "data") as running:
        yield running


def test_a_driver_that_is_asked_to_end_first_archives_what_kafka_holds(
    empty_topics: KafkaAddress, tmp_path: Path
) -> None:
    with a_driver(empty_topics, tmp_path / "data") as driver:
        send(empty_topics, a_play(0))
        driver.wait_until_warm()
        send(empty_topics, *(a_play(number) for number in range(1, 2_000)), b"no play")
        driver.process.send_signal(signal.SIGTERM)
        assert driver.process.wait(_WITHIN_S) == 0
    ends = read_end_offsets(empty_topics, SONG_PLAYS)
    assert sum(ends.values()) == 2_001
    assert _archived(driver.folder) == {p: (end, end) for p, end in ends.items() if end}


def test_a_second_driver_on_a_data_folder_is_refused_and_the_first_continues(
    lasting: Driver,
) -> None:
    second = lasting.start_another()
    assert second.returncode == 1
    assert f"Another driver runs speed on {lasting.folder.root}" in second.stderr
    assert "Traceback" not in second.stderr
    assert lasting.process.poll() is None


def test_a_driver_whose_java_is_killed_ends_with_the_reason_in_one_line(lasting: Driver) -> None:
    lasting.kill_java()
    assert lasting.process.wait(_WITHIN_S) == 1
    # Threads of pyspark may write traces around it.
    assert "Spark's Java process ended on its own." in last_line(lasting.log)


def _archived(folder: DataFolder) -> dict[int, tuple[int, int]]:
    """Return, by topic partition, the number of rows in bronze and of distinct records."""
    connection = connect()
    register_table(connection, BRONZE_SONG_PLAYS, list_files(folder.lake, BRONZE_SONG_PLAYS))
    rows = connection.sql(
        'SELECT "partition", count(*), count(DISTINCT "offset") FROM bronze_song_plays GROUP BY ALL'
    ).fetchall()
    connection.close()
    return {partition: (records, different) for partition, records, different in rows}
