"""Start a whole stack with `crossfade up`, watch it, and run commands beside it."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil

from crossfade.stack.ports import find_free_ports

QUICK = {
    "CROSSFADE_GRAIN": "10s",
    "CROSSFADE_LATE_AFTER": "10s",
    "CROSSFADE_BATCH_EVERY": "1s",
    "CROSSFADE_ARCHIVE_EVERY": "1s",
}
"""Settings with which a window is handed over within a minute."""

_POLL_S = 0.2
_STOP_WITHIN_S = 150.0
_ASK_WITHIN_S = 5.0
_LOG_SHOWN = 3_000
_only_late = re.compile(r"[\d,]+ late plays? waits? for batch[^;]*").fullmatch


class RunningStack:
    """`crossfade up` in a separate session, and the commands that a user runs beside it.

    A restart keeps the ports, so that producers find the broker again.
    """

    def __init__(self, data: Path, settings: Mapping[str, str] = QUICK) -> None:
        kafka, api = find_free_ports(2)
        self.data = data
        self.log = data.parent / "up.log"
        self.env = {
            **os.environ,
            **settings,
            "CROSSFADE_DATA": str(data),
            "CROSSFADE_KAFKA_PORT": str(kafka),
            "CROSSFADE_PORT": str(api),
        }
        self.bootstrap = f"127.0.0.1:{kafka}"
        self.api = f"http://127.0.0.1:{api}"
        self.process = self.launch()

    def launch(self) -> "subprocess.Popen[bytes]":
        """Start `crossfade up`, also again after it ended."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "crossfade", "up"],
                env=self.env,
                stderr=log,
                start_new_session=True,
            )
        return self.process

    def run(self, *words: str, within_s: float = 300) -> subprocess.CompletedProcess[str]:
        """Run a command and wait for its end."""
        return subprocess.run(
            [sys.executable, "-m", "crossfade", *words],
            env=self.env,
            capture_output=True,
            text=True,
            timeout=within_s,
            check=False,
        )

    def start(self, *words: str, log: Path | None = None) -> "subprocess.Popen[bytes]":
        """Start a command without waiting; write its output to a file, if one is named."""
        command = [sys.executable, "-m", "crossfade", *words]
        if log is None:
            return subprocess.Popen(command, env=self.env)
        with log.open("ab") as file:
            return subprocess.Popen(command, env=self.env, stdout=file, stderr=file)

    @contextmanager
    def beside(self, *words: str) -> Iterator["subprocess.Popen[str]"]:
        """Start a command that runs during the block, and kill it at the block's end."""
        with subprocess.Popen(
            [sys.executable, "-m", "crossfade", *words],
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def is_live(self) -> bool:
        """Check whether the answer about the present lacks nothing but late plays.

        An audience with late plays always has some that wait for batch's next run.
        """
        answer = self.ask("trending")
        return bool(answer.get("complete") or _only_late(str(answer.get("why", ""))))

    def ask(self, path: str) -> dict[str, Any]:
        """Query the API; return an empty answer while it does not respond."""
        try:
            answer = httpx.get(f"{self.api}/api/v1/{path}", timeout=_ASK_WITHIN_S)
        except (OSError, httpx.HTTPError):
            return {}
        return dict(answer.json()) if answer.is_success else {}

    def pid_of(self, child: str) -> int | None:
        """Return the process id of a running child, which is also its session id."""
        one = self.children().get(child, {})
        return one.get("pid") if one.get("state") == "running" else None

    def children(self) -> dict[str, dict[str, Any]]:
        """Return the state of each child that the supervisor last wrote."""
        try:
            states = json.loads((self.data / "run" / "children.json").read_text())
        except (OSError, json.JSONDecodeError):
            return {}
        return {one["name"]: one for one in states}

    def session_of(self, child: str) -> list[psutil.Process]:
        """List the processes of a child's session: itself, its Java, Spark's Python workers."""
        leader = self.pid_of(child)
        found = []
        for pid in psutil.pids() if leader else ():
            with contextlib.suppress(ProcessLookupError, PermissionError, psutil.Error):
                if os.getsid(pid) == leader:
                    found.append(psutil.Process(pid))
        return found

    def java_of(self, child: str) -> psutil.Process | None:
        """Return a child's Java process, if it has one."""
        return next((one for one in self.session_of(child) if _name(one) == "java"), None)

    def workers_of(self, child: str) -> list[psutil.Process]:
        """List a child's Python workers, which Spark's Python daemon forks."""
        java = self.java_of(child)
        if java is None:
            return []
        with contextlib.suppress(psutil.Error):
            daemons = [one for one in java.children() if "python" in _name(one)]
            return [worker for daemon in daemons for worker in daemon.children()]
        return []

    def progress(self) -> dict[str, dict[int, int]]:
        """Return each query's progress: its exclusive end offsets by topic partition."""
        try:
            queries = json.loads((self.data / "run" / "streams.json").read_text())
            return {
                name: {int(p): end for p, end in one["end_offsets"].items()}
                for name, one in queries.items()
            }
        except (OSError, json.JSONDecodeError, KeyError):
            return {}

    def run_began_at(self) -> int:
        """Return when batch's newest run began, in Unix milliseconds; 0 before the first run."""
        try:
            return int(json.loads((self.data / "run" / "batch.json").read_text())["began_at"])
        except (OSError, json.JSONDecodeError):
            return 0

    def wait_for(
        self, what: str, condition: Callable[[], object], *, within_s: float = 120
    ) -> float:
        """Wait for a condition, and return the seconds it took.

        Raises:
            AssertionError: the stack ended, or the condition did not hold in time.
        """
        began = time.monotonic()
        while not condition():
            assert self.process.poll() is None, f"the stack ended: {self.last_words()}"
            elapsed = time.monotonic() - began
            assert elapsed < within_s, f"{what} not within {within_s} s: {self.last_words()}"
            time.sleep(_POLL_S)
        return time.monotonic() - began

    def last_words(self) -> str:
        """Return the end of the supervisor's log."""
        return self.log.read_text("utf-8", "replace")[-_LOG_SHOWN:]

    def kill(self, child: str) -> None:
        """Kill a child, and wait until the supervisor has started a new one."""
        self.wait_for(f"a running {child}", lambda: self.pid_of(child))
        pid = self.pid_of(child)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        self.wait_for(f"a new {child}", lambda: self.pid_of(child) not in (None, pid))

    def stop(self) -> int:
        """Stop the stack with SIGINT, and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(_STOP_WITHIN_S)
        self.process.kill()
        return self.process.wait()


@contextmanager
def run_stack(data: Path, settings: Mapping[str, str] = QUICK) -> Iterator[RunningStack]:
    """Start a stack, yield it once the API answers, and stop it at the end."""
    running = RunningStack(data, settings)
    try:
        running.wait_for("the API", lambda: running.ask("status"))
        yield running
    finally:
        running.stop()


def _name(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.Error:
        return ""
