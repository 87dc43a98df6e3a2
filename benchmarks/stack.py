"""Run a whole stack on free ports and in a new folder for one benchmark."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from crossfade.cli.api import fetch_answer
from crossfade.config import load_settings
from crossfade.errors import CrossfadeError, StackError
from crossfade.folder import StackAddresses, open_folder, read_stack
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.topics import SONG_PLAYS, partition_count

_Found = TypeVar("_Found")

_POLL_S = 0.2
_STOP_WITHIN_S = 120.0


@dataclass(frozen=True, slots=True)
class RunningStack:
    """A started stack; `began` is its start by the monotonic clock."""

    data: Path
    process: "subprocess.Popen[bytes]"
    began: float

    def addresses(self, within_s: float = 60.0) -> StackAddresses:
        """Wait for `stack.json`, and return its addresses."""
        return wait_for(self._read_stack, "stack.json", within_s)

    def kafka(self, within_s: float = 60.0) -> KafkaAddress:
        """Wait until Kafka answers and has its topics, and return its address."""
        address = KafkaAddress(self.addresses().bootstrap)

        def answering() -> KafkaAddress | None:
            try:
                return address if partition_count(address, SONG_PLAYS) else None
            except CrossfadeError:
                return None

        return wait_for(answering, "Kafka", within_s)

    def trending(self, country: str | None = None) -> list[dict[str, object]]:
        """Return the API's trending rows; an empty list while it does not answer."""
        try:
            answer = fetch_answer(self.addresses().api, "trending", country=country)
        except CrossfadeError:
            return []
        return list(answer["rows"])

    def _read_stack(self) -> StackAddresses | None:
        if self.process.poll() is not None:
            what = f"crossfade up ended with {self.process.returncode}: {self._last_words()}"
            raise StackError(what)
        if not (self.data / "crossfade.json").exists():
            return None
        return read_stack(open_folder(load_settings(data=self.data), create=False))

    def _last_words(self) -> str:
        return (self.data.parent / "up.log").read_text("utf-8")[-600:]


@contextmanager
def run_stack(**settings: str) -> Iterator[RunningStack]:
    """Start `crossfade up` with some settings, and stop it with SIGINT at the end."""
    with tempfile.TemporaryDirectory(prefix="crossfade-benchmark-") as scratch:
        data = Path(scratch) / "data"
        environment = {f"CROSSFADE_{name.upper()}": value for name, value in settings.items()}
        with (Path(scratch) / "up.log").open("wb") as log:
            began = time.monotonic()
            process = subprocess.Popen(
                crossfade("up", "--data", str(data), "--port", "0", "--kafka-port", "0"),
                env=os.environ | environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            yield RunningStack(data, process, began)
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(_STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def crossfade(*arguments: str) -> list[str]:
    """Return the command line of a `crossfade` command."""
    return [sys.executable, "-m", "crossfade", *arguments]


def wait_for(look: Callable[[], _Found | None], name: str, within_s: float) -> _Found:
    """Poll until `look` returns a value, and return it.

    Raises:
        StackError: there is no value within the limit, in seconds.
    """
    deadline = time.monotonic() + within_s
    while (found := look()) is None:
        if time.monotonic() > deadline:
            what = f"{name} did not appear within {within_s:.0f} s."
            raise StackError(what, "See the logs in the data folder.")
        time.sleep(_POLL_S)
    return found
