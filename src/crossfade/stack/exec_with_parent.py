"""Becomes another program, one that dies with its parent: exec_with_parent.py PARENT_PID NICE COMMAND.

Run as a script between fork and exec, so that the parent may have threads. The kernel sends the
signal when the parent's starting *thread* ends, so children are started by a thread that stays.
Elsewhere than on Linux the program is only started.
"""

import contextlib
import ctypes
import os
import signal
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def main(parent: int, nice: int, command: list[str]) -> None:
    """Tie this process to its parent, then become the command."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(f"Process {parent} was gone before {command[0]} began.")
    _yield_to_others(nice)
    try:
        os.execvp(command[0], command)  # noqa: S606 - the command is the caller's own list
    except OSError as error:
        sys.exit(f"Cannot start {command[0]}: {error.strerror}.")


def _yield_to_others(nice: int) -> None:
    """Return way as a whole session: where Linux shares out by session, a process's own is nothing.

    See sched(7), "The autogroup feature".
    """
    if nice:
        os.nice(nice)
        with contextlib.suppress(OSError):
            Path("/proc/self/autogroup").write_text(str(nice))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
