"""A driver with processes suspended by a signal, as by a debugger or a machine out of memory."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import psutil
import pytest

from crossfade.config import load_settings
from crossfade.folder import DataFolder, heartbeat_path, open_folder
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.topics import SONG_PLAYS, read_end_offsets
from crossfade.stack.child import ChildSpec
from crossfade.stack.liveness import heartbeat_check
from crossfade.stack.stop_request import StopRequest
from crossfade.stack.supervisor import Backoff, Supervisor
from support.speed_runs import a_play, send

pytestmark = [pytest.mark.kafka, pytest.mark.spark, pytest.mark.fault]

_WITHIN_S = 120.0


class Driver:
    """`crossfade streams`, run by a supervisor that the test steps."""

    def __init__(self, folder: DataFolder, address: KafkaAddress, **settings: str) -> None:
        self.folder = folder
        self.address = address
        self.log = folder.root.parent / "logs" / "streams.log"
        variables = {f"CROSSFADE_{name.upper()}": value for name, value in settings.items()}
        spec = ChildSpec(
            name="streams",
            command=[sys.executable, "-m", "crossfade", "streams"],
            env={
                "CROSSFADE_DATA": str(folder.root),
                "CROSSFADE_BOOTSTRAP": address.bootstrap,
                "CROSSFADE_ARCHIVE_EVERY": "1s",
                **variables,
            },
            alive=heartbeat_check(heartbeat_path(folder, "streams")),
        )
        self.supervisor = Supervisor(
            [spec],
            logs=self.log.parent,
            state_file=folder.root.parent / "children.json",
            backoff=Backoff(first_s=0.1),
        )

    @property
    def restarts(self) -> int:
        """Return how often it was restarted."""
        [state] = self.supervisor.state()
        return state.restarts

    def java(self) -> psutil.Process:
        """Return Spark's Java process."""
        [java] = [one for one in self._family() if one.name() == "java"]
        return java

    def workers(self) -> list[psutil.Process]:
        """Return Spark's Python workers: the children of the process that forks them."""
        [daemon] = [one for one in self.java().children() if one.name().startswith("python")]
        return daemon.children()

    def read(self, number: int) -> None:
        """Send a play, and wait until both queries have read it."""
        send(self.address, a_play(number))
        ends = read_end_offsets(self.address, SONG_PLAYS)
        self.wait_for(lambda: all(one == ends for one in self._progress()))

    def wait_for(self, condition: Callable[[], bool], within_s: float = _WITHIN_S) -> None:
        """Step the supervisor until a condition holds."""
        deadline = time.monotonic() + within_s
        while not condition():
            self.supervisor.watch()
            assert time.monotonic() < deadline, self.log.read_text()[-5_000:]
            time.sleep(0.1)

    def _family(self) -> list[psutil.Process]:
        [state] = self.supervisor.state()
        assert state.pid is not None
        return psutil.Process(state.pid).children(recursive=True)

    def _progress(self) -> list[dict[int, int]]:
        try:
            queries = msgspec.json.decode((self.folder.run / "streams.json").read_bytes())
        except OSError:
            return [{}]
        return [{int(p): n for p, n in one["end_offsets"].items()} for one in queries.values()]


@contextmanager
def a_driver(address: KafkaAddress, data: Path, **settings: str) -> Iterator[Driver]:
    """Run archive and speed on a new data folder, and warm them up."""
    driver = Driver(open_folder(load_settings(data=data)), address, **settings)
    request = StopRequest()
    try:
        driver.supervisor.start(request)
        driver.read(0)
        driver.read(1)
        yield driver
    finally:
        request.immediate.set()
        driver.supervisor.stop(request)


def test_a_driver_is_restarted_whichever_of_its_processes_is_suspended(
    empty_topics: KafkaAddress, tmp_path: Path
) -> None:
    with a_driver(empty_topics, tmp_path / "data") as driver:
        for number, what in enumerate(("worker", "java"), start=2):
            restarts = driver.restarts
            stopped = driver.workers()[:1] if what == "worker" else [driver.java()]
            assert stopped
            for process in stopped:
                process.suspend()
            driver.wait_for(lambda: driver.restarts > restarts)  # noqa: B023
            driver.read(number)
            assert driver.restarts == restarts + 1
