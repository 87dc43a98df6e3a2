"""A query that hangs ends its process and every child process, stopped ones included."""

import subprocess
import sys

import psutil
import pytest

pytestmark = pytest.mark.fault

_SCRIPT = """
import signal, subprocess, sys
from crossfade.processing.streams.watchdog import Stall, end_process
lives = [sys.executable, "-I", "-S", "-c", "import signal; signal.pause()"]
child = subprocess.Popen(lives, start_new_session=True)
child.send_signal(signal.SIGSTOP)
print(child.pid, flush=True)
end_process(Stall("speed", 7, 31.2))
"""


def test_the_query_is_named_and_every_child_process_is_killed() -> None:
    command = [sys.executable, "-c", _SCRIPT]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    output = done.stdout + done.stderr
    assert all(word in output for word in ("no progress", "query=speed", "batch=7", "for_s=31"))
    pid = int(done.stdout.split()[0])
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
