"""Script that runs a command which the kernel kills with its parent: PARENT_PID NICE COMMAND.

It runs between fork and exec, so that the parent may have threads. The kernel sends the signal
when the parent's *thread* that started the child ends, so start children from a thread that stays.
On systems other than Linux the command is only started.
"""

import contextlib
import ctypes
import os
import signal
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def main(parent: int, nice: int, command: list[str]) -> None:
    """Ask the kernel to kill this process with its parent, then execute the command."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(f"Process {parent} ended before {command[0]} was started.")
    _lower_priority(nice)
    try:
        os.execvp(command[0], command)  # noqa: S606 - the command is the caller's own list
    except OSError as error:
        sys.exit(f"Cannot start {command[0]}: {error.strerror}.")


def _lower_priority(nice: int) -> None:
    """Lower the priority of the process and of its session's autogroup.

    Where Linux shares out the processor by session, the nice value of a process has no effect
    outside its session; see sched(7), "The autogroup feature".
    """
    if nice:
        os.nice(nice)
        with contextlib.suppress(OSError):
            Path("/proc/self/autogroup").write_text(str(nice))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
