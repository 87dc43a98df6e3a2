"""Processes that outlived the stack that started them: found by a mark that children inherit."""

import os
import time
from contextlib import suppress
from pathlib import Path

import psutil

from crossfade.errors import StackError
from crossfade.telemetry import get_logger

MARK = "CROSSFADE_HELD_FOLDER"
"""Variable of the environment that says for which data folder a process was started."""

_WITHIN_S = 10.0
_POLL_S = 0.02


def end_survivors(root: Path) -> list[int]:
    """End what an earlier holder of a data folder left alive, and give the process ids.

    Only the folder's new holder may call this: whatever bears its mark then belongs to nobody.

    Raises:
        StackError: one does not end.
    """
    ours = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    ended = [p for p in psutil.process_iter() if p.pid not in ours and _bears(p, str(root))]
    for process in ended:
        get_logger("hold").warning("ending a survivor", pid=process.pid, folder=str(root))
        with suppress(psutil.NoSuchProcess):
            process.kill()
    deadline = time.monotonic() + _WITHIN_S
    while left := [process.pid for process in ended if is_alive(process)]:
        if time.monotonic() > deadline:
            what = f"Process {left[0]} of an earlier stack on {root} does not end."
            raise StackError(what, "End it, or restart the machine.")
        time.sleep(_POLL_S)
    return [process.pid for process in ended]


def is_alive(process: psutil.Process) -> bool:
    """Check whether a process lives; a dead one that nobody has taken notice of does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _bears(process: psutil.Process, root: str) -> bool:
    try:
        return is_alive(process) and process.environ().get(MARK) == root
    except (psutil.Error, OSError):
        return False
