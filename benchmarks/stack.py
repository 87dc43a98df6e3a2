"""A whole stack as a user starts it, on free ports and a fresh folder, for one benchmark."""

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
    """A stack that was just started; `began` is when, on the monotonic clock."""

    data: Path
    process: "subprocess.Popen[bytes]"
    began: float

    def addresses(self, within_s: float = 60.0) -> StackAddresses:
        """Wait for `stack.json`."""
        return wait_for(self._read_stack, "stack.json", within_s)

    def kafka(self, within_s: float = 60.0) -> KafkaAddress:
        """Wait until Kafka answers and has its topics."""
        address = KafkaAddress(self.addresses().bootstrap)

        def answering() -> KafkaAddress | None:
            try:
                return address if partition_count(address, SONG_PLAYS) else None
            except CrossfadeError:
                return None

        return wait_for(answering, "Kafka", within_s)

    def trending(self, country: str | None = None) -> list[dict[str, object]]:
        """Ask what is trending; nothing while the API does not answer."""
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
def a_stack(**settings: str) -> Iterator[RunningStack]:
    """Start `crossfade up`, and stop it as Ctrl-C does; settings go by CROSSFADE_*."""
    with tempfile.TemporaryDirectory(prefix="crossfade-benchmark-") as scratch:
        data = Path(scratch) / "data"
        told = {f"CROSSFADE_{name.upper()}": value for name, value in settings.items()}
        with (Path(scratch) / "up.log").open("wb") as log:
            began = time.monotonic()
            process = subprocess.Popen(
                crossfade("up", "--data", str(data), "--port", "0", "--kafka-port", "0"),
                env=os.environ | told,
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
    """Return the command line of one of our commands."""
    return [sys.executable, "-m", "crossfade", *arguments]


def wait_for(look: Callable[[], _Found | None], name: str, within_s: float) -> _Found:
    """Look again and again until something is there."""
    deadline = time.monotonic() + within_s
    while (found := look()) is None:
        if time.monotonic() > deadline:
            what = f"{name} was not there after {within_s:.0f} s."
            raise StackError(what, "See the logs in the data folder.")
        time.sleep(_POLL_S)
    return found
