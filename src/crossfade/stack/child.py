"""A child process in its own session: logged, and ended together with everything it started."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from crossfade.clock import now_ms
from crossfade.errors import StackError
from crossfade.stack.child_log import RotatedLog
from crossfade.stack.environment import inherited_environment

_EXEC_WITH_PARENT = Path(__file__).with_name("exec_with_parent.py")
_POLL_S = 0.02
_SWEEP_S = 10.0


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """How to start a child, when it counts as ready and how to stop it.

    Attributes:
        name: its name in logs and in `status`.
        command: program and arguments.
        env: variables added to the inherited environment.
        ready: called repeatedly after a start until it returns True.
        ready_within_s: how long that may take.
        drain: called before the child is asked to end; must limit its own time.
        stop_grace_s: how long the child may take to end after SIGTERM.
        nice: nice value of the child and of all that it starts.
        alive: called repeatedly. A child that was alive once and is then silent for too long is
            killed: stopped by a signal, or hung, it would not end.
        silent_for_s: the longest silence; more than any pause of Java or of a busy machine, and
            short enough that the child is back within a minute, start included.
        unfinished: returns the names of unfinished pieces of work; called when the child has
            failed, and while there is an alarm.
        is_early: start it together with the first child; it waits for what it needs.
    """

    name: str
    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    ready: Callable[[], bool] = lambda: True
    ready_within_s: float = 60.0
    drain: Callable[[], None] | None = None
    stop_grace_s: float = 10.0
    nice: int = 0
    is_early: bool = False
    alive: Callable[[], bool] | None = None
    silent_for_s: float = 15.0
    unfinished: Callable[[], Sequence[str]] = tuple


class Child:
    """A started child. On Linux, the kernel kills it when the thread that created it ends."""

    def __init__(self, spec: ChildSpec, log: Path) -> None:
        self.spec = spec
        self.log = log
        self.since_ms = now_ms()
        rotated = RotatedLog(log)
        script = (sys.executable, "-I", "-S", str(_EXEC_WITH_PARENT))
        self._process = subprocess.Popen(
            [*script, str(os.getpid()), str(spec.nice), *spec.command],
            env={**inherited_environment(), **spec.env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._log_thread = threading.Thread(
            target=rotated.copy_from,
            args=(self._process.stdout,),
            name=f"log of {spec.name}",
            daemon=True,
        )
        self._log_thread.start()

    @property
    def pid(self) -> int:
        """Return the process id, which is also the id of its session."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """Return the exit code, or minus the number of the signal; None while it runs."""
        return self._process.poll()

    def stop(self, *, is_immediate: Callable[[], bool] = lambda: False) -> None:
        """Ask the process to end; after its grace time, or immediately, kill all of its session."""
        if self.exit_code is None:
            self._process.terminate()
            deadline = time.monotonic() + self.spec.stop_grace_s
            while self.exit_code is None and time.monotonic() < deadline and not is_immediate():
                time.sleep(_POLL_S)
        self.kill()

    def kill(self) -> None:
        """Kill the process and everything in its session, and wait until nothing is left."""
        deadline = time.monotonic() + _SWEEP_S
        while left := _list_session(self.pid):
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._process.poll()
            if time.monotonic() > deadline:
                what = f"Processes {left} of {self.spec.name} do not end."
                raise StackError(what, "They may hang on a disk; see them with ps.")
            time.sleep(_POLL_S)
        self._process.wait(_SWEEP_S)
        self._log_thread.join(_SWEEP_S)


def _list_session(session: int) -> list[int]:
    """List the running processes of a session, whatever their process group."""
    living = []
    for pid in psutil.pids():
        try:
            if os.getsid(pid) == session and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                living.append(pid)
        except (ProcessLookupError, PermissionError, psutil.Error):
            continue
    return living
