"""An interrupted recording of class data leaves no process and no file behind."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from crossfade.stack.orphans import is_alive

pytestmark = [pytest.mark.kafka, pytest.mark.spark, pytest.mark.fault]

_WITHIN_S = 120.0


def test_a_recording_that_is_asked_to_end_leaves_no_process_and_no_file(
    cache: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "crossfade", "jars", "record", "--again"]
    env = os.environ | {"TMPDIR": str(tmp_path), "CROSSFADE_CACHE": str(cache)}
    with subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL) as recording:
        seen = _wait_for_spark(psutil.Process(recording.pid))
        recording.terminate()
        assert recording.wait(_WITHIN_S) == 128 + signal.SIGTERM
    assert [process for process in seen if is_alive(process)] == []
    assert list(tmp_path.iterdir()) == []
    assert list((Path(sys.prefix) / "class-data").glob(".draft-*")) == []


def _wait_for_spark(recording: psutil.Process) -> list[psutil.Process]:
    """Wait until Spark's Java runs, and return every process of the recording."""
    deadline = time.monotonic() + _WITHIN_S
    while True:
        seen = recording.children(recursive=True)
        for process in seen:
            with suppress(psutil.NoSuchProcess):
                if "org.apache.spark.deploy.SparkSubmit" in process.cmdline():
                    return seen
        assert recording.is_running() and time.monotonic() < deadline
        time.sleep(0.1)
