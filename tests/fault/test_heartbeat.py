"""The heartbeat of a process: it pauses while a process that it started is suspended."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable

import psutil
import pytest

from crossfade.folder import DataFolder, heartbeat_path
from crossfade.processing import heartbeat
from crossfade.processing.heartbeat import keep_heartbeat

pytestmark = pytest.mark.fault

_LIVES = [sys.executable, "-I", "-S", "-c", "import signal; signal.pause()"]


def eventually(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.02)


def test_the_heartbeat_pauses_while_a_worker_is_suspended_and_continues_when_it_is_resumed(
    data_folder: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "_EVERY_S", 0.05)
    path = heartbeat_path(data_folder, "streams")

    def is_beating() -> bool:
        before = path.stat().st_mtime_ns
        threading.Event().wait(0.4)
        return path.stat().st_mtime_ns != before

    with subprocess.Popen(_LIVES) as child, keep_heartbeat(data_folder, "streams"):
        try:
            eventually(path.exists)
            assert is_beating()
            worker = psutil.Process(child.pid)
            worker.suspend()
            eventually(lambda: not is_beating())
            worker.resume()
            eventually(is_beating)
        finally:
            child.kill()
    eventually(lambda: not is_beating())
