"""One child process: in a session of its own, logged, ended together with all it started."""

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

_LEASH = Path(__file__).with_name("exec_with_parent.py")
_POLL_S = 0.02
_SWEEP_S = 10.0


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """What a child is: how it is started, when it counts as ready, how it is stopped.

    Attributes:
        name: its name in logs and in `status`.
        command: program and arguments.
        env: what its environment has beside ours.
        ready: asked again and again after a start until it says yes.
        ready_within_s: how long that may take.
        drain: called before the child is asked to end; it bounds its own time.
        stop_grace_s: how long the child may take to end after SIGTERM.
        nice: how much it, and all that it starts, yields to others.
        alive: asked again and again. A child that has said yes once and then says nothing for too
            long is buried: stopped by a signal, or hanging, it would not end by itself.
        silent_for_s: so long; more than any pause of Java's or of a busy machine, and little enough
            that it is back within a minute, its start included.
        unfinished: names each piece of work that is begun and not done; asked when it has died, and
            while an alarm is on.
        is_early: started at once beside the first; it waits by itself for what it needs.
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
    """A started child. It dies when the thread that made it ends, so a lasting one makes it."""

    def __init__(self, spec: ChildSpec, log: Path) -> None:
        self.spec = spec
        self.log = log
        self.since_ms = now_ms()
        rotated = RotatedLog(log)
        leash = (sys.executable, "-I", "-S", str(_LEASH), str(os.getpid()), str(spec.nice))
        self._process = subprocess.Popen(
            [*leash, *spec.command],
            env={**os.environ, **spec.env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._pump = threading.Thread(
            target=rotated.pour,
            args=(self._process.stdout,),
            name=f"log of {spec.name}",
            daemon=True,
        )
        self._pump.start()

    @property
    def pid(self) -> int:
        """Return the process id, which is also the id of its session."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """Return how it ended, minus the signal's number if one ended it; None while it lives."""
        return self._process.poll()

    def stop(self, *, hurry: Callable[[], bool] = lambda: False) -> None:
        """Ask the process to end; after its grace, or in a hurry, end it and all it started."""
        if self.exit_code is None:
            self._process.terminate()
            deadline = time.monotonic() + self.spec.stop_grace_s
            while self.exit_code is None and time.monotonic() < deadline and not hurry():
                time.sleep(_POLL_S)
        self.kill()

    def kill(self) -> None:
        """End the process and everything in its session, and wait until nothing is left."""
        deadline = time.monotonic() + _SWEEP_S
        while left := _session(self.pid):
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._process.poll()
            if time.monotonic() > deadline:
                what = f"Processes {left} of {self.spec.name} do not end."
                raise StackError(what, "They may hang on a disk; see them with ps.")
            time.sleep(_POLL_S)
        self._process.wait(_SWEEP_S)
        self._pump.join(_SWEEP_S)


def _session(session: int) -> list[int]:
    """List the living processes of a session: also those with a process group of their own."""
    living = []
    for pid in psutil.pids():
        try:
            if os.getsid(pid) == session and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                living.append(pid)
        except (ProcessLookupError, PermissionError, psutil.Error):
            continue
    return living
