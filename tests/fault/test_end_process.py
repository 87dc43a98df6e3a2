"""A watchdog's bite: the process ends with all that it started, also what is stopped."""

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


def test_a_bite_names_the_query_and_leaves_nothing_that_the_process_started() -> None:
    command = [sys.executable, "-c", _SCRIPT]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    told = done.stdout + done.stderr
    assert all(word in told for word in ("no progress", "query=speed", "batch=7", "for_s=31"))
    pid = int(done.stdout.split()[0])
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
