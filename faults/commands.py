"""Run Crossfade's commands as processes that a case starts, watches and ends."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from crossfade.stack.child_log import last_line

WITHIN_S = 240.0
"""Time limit of a command, in seconds."""

_POLL_S = 0.05
_ENDS_WITHIN_S = 20.0
_SHOWN = 2_000


@dataclass(slots=True)
class Command:
    """A `crossfade` command in a separate session; its two output streams go to files."""

    words: Sequence[str]
    env: Mapping[str, str]
    log: Path
    before: Sequence[str] = ()
    """A program that runs the command, such as strace, with its arguments."""
    process: "subprocess.Popen[bytes]" = field(init=False)
    began: float = field(init=False)

    def __post_init__(self) -> None:
        self.began = time.monotonic()
        with self.log.open("wb") as errors, self.stdout_file.open("wb") as answer:
            self.process = subprocess.Popen(
                [*self.before, sys.executable, "-m", "crossfade", *self.words],
                env={**os.environ, **self.env},
                stdin=subprocess.DEVNULL,
                stdout=answer,
                stderr=errors,
                start_new_session=True,
            )

    @property
    def stdout_file(self) -> Path:
        """Return the path of the file with its standard output."""
        return self.log.with_suffix(".out")

    @property
    def exit_code(self) -> int | None:
        """Return its exit code; None while it runs."""
        return self.process.poll()

    @property
    def stderr_text(self) -> str:
        """Return its standard error."""
        return self.log.read_text("utf-8", "replace")

    @property
    def last_line(self) -> str:
        """Return the last line of standard error, as the supervisor shows it."""
        return last_line(self.log)

    def elapsed(self) -> float:
        """Return the seconds since its start."""
        return time.monotonic() - self.began

    def wait(self, within_s: float = WITHIN_S) -> int:
        """Wait for its end, and return the exit code.

        Raises:
            AssertionError: it does not end in time; it is killed.
        """
        try:
            return self.process.wait(within_s)
        except subprocess.TimeoutExpired:
            self.kill()
            what = f"{' '.join(self.words)} did not end within {within_s:.0f} s: {self._shown()}"
            raise AssertionError(what) from None

    def wait_until(self, condition: Callable[[], object], within_s: float = 120) -> bool:
        """Wait for a condition; return False if the command ends first.

        Raises:
            AssertionError: neither happens in time.
        """
        deadline = time.monotonic() + within_s
        while not condition():
            if self.exit_code is not None:
                return False
            shown = f"{' '.join(self.words)}: not within {within_s:.0f} s: {self._shown()}"
            assert time.monotonic() < deadline, shown
            time.sleep(_POLL_S)
        return True

    def wait_for(self, what: str, condition: Callable[[], object], within_s: float = 120) -> float:
        """Wait for a condition while the command runs; return the seconds since its start.

        Raises:
            AssertionError: it ends first, or the condition does not hold in time.
        """
        is_so = self.wait_until(condition, within_s)
        assert is_so, f"{' '.join(self.words)}: no {what}: ended {self.exit_code}: {self._shown()}"
        return self.elapsed()

    def ask_to_end(self) -> int:
        """Send SIGTERM as a supervisor does, wait, and return the exit code."""
        self.process.terminate()
        return self.wait()

    def session(self) -> list[psutil.Process]:
        """List the running processes of its session: itself, Java, Python workers."""
        found = []
        for pid in psutil.pids():
            with contextlib.suppress(ProcessLookupError, PermissionError, psutil.Error):
                if os.getsid(pid) == self.process.pid:
                    one = psutil.Process(pid)
                    if one.status() != psutil.STATUS_ZOMBIE:
                        found.append(one)
        return found

    def kill(self) -> int:
        """Kill all its processes; return how many were killed."""
        return self.end(self.session())

    def end(self, processes: Sequence[psutil.Process]) -> int:
        """Kill some of its processes, and wait until they are gone; return how many."""
        killed = 0
        for one in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.send_signal(signal.SIGKILL)
                killed += 1
        self.wait_until_gone(processes)
        return killed

    def wait_until_gone(self, processes: Sequence[psutil.Process] | None = None) -> None:
        """Wait until some of its processes (by default all) are gone.

        Raises:
            AssertionError: they are still running after 20 s.
        """
        deadline = time.monotonic() + _ENDS_WITHIN_S
        while any(map(_is_running, self.session() if processes is None else processes)):
            self.process.poll()
            assert time.monotonic() < deadline, f"processes of {' '.join(self.words)} still run"
            time.sleep(_POLL_S)
        self.process.poll()

    def _shown(self) -> str:
        return self.stderr_text[-_SHOWN:]


def _is_running(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
