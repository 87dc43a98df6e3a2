"""Processes that outlived the stack that started them, found by an inherited variable."""

import os
import time
from contextlib import suppress
from pathlib import Path

import psutil

from crossfade.config import CHILD_MARK
from crossfade.errors import StackError
from crossfade.telemetry import get_logger

_WITHIN_S = 10.0
_POLL_S = 0.02


def kill_orphans(root: Path) -> list[int]:
    """Kill the processes that an earlier stack on a data folder left, and return their ids.

    Only the process that holds the folder may call this: then no other stack uses its mark.

    Raises:
        StackError: a process does not end.
    """
    ours = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    orphans = [p for p in psutil.process_iter() if p.pid not in ours and _has_mark(p, str(root))]
    for process in orphans:
        get_logger("hold").warning("killing an orphan", pid=process.pid, folder=str(root))
        with suppress(psutil.NoSuchProcess):
            process.kill()
    deadline = time.monotonic() + _WITHIN_S
    while left := [process.pid for process in orphans if is_alive(process)]:
        if time.monotonic() > deadline:
            what = f"Process {left[0]} of an earlier stack on {root} does not end."
            raise StackError(what, "End it, or restart the machine.")
        time.sleep(_POLL_S)
    return [process.pid for process in orphans]


def is_alive(process: psutil.Process) -> bool:
    """Check whether a process is running; a zombie is not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _has_mark(process: psutil.Process, root: str) -> bool:
    try:
        return is_alive(process) and process.environ().get(CHILD_MARK) == root
    except (psutil.Error, OSError):
        return False
