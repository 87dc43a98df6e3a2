"""The heartbeat of a process with Spark in it: beats only while all of its processes are well."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil
from py4j.protocol import Py4JError
from pyspark import SparkContext

from crossfade.folder import DataFolder, heartbeat_path

_EVERY_S = 1.0
_BEATS_A_LOOK = 5
"""Looking through all processes costs more than a beat does."""


@contextmanager
def keep_heartbeat(folder: DataFolder, name: str) -> Iterator[None]:
    """Touch the heartbeat file of a process each second, until the block ends.

    A supervisor buries a process whose heart has stopped: one that hangs, or was stopped by a
    signal, does not end by itself and would hold its locks for ever. So it is with Java, and with
    Spark's Python workers: Spark asks one that gives nothing to end, which a stopped one never
    hears.
    """
    path = heartbeat_path(folder, name)
    ended = threading.Event()

    def beat() -> None:
        beats, is_well = 0, True
        while not ended.is_set():
            if beats % _BEATS_A_LOOK == 0:
                is_well = not _is_anybody_stopped()
            beats += 1
            if is_well and _is_java_answering():
                with suppress(OSError):
                    path.touch()
            ended.wait(_EVERY_S)

    path.parent.mkdir(parents=True, exist_ok=True)
    threading.Thread(target=beat, name="heartbeat", daemon=True).start()
    try:
        yield
    finally:
        ended.set()


def _is_java_answering() -> bool:
    """Ask Java for the time: one that is stopped never answers, and this waits as long."""
    java = SparkContext._jvm
    if java is None:
        return True
    with suppress(Py4JError, OSError):
        return bool(java.java.lang.System.nanoTime() is not None)
    return False


def _is_anybody_stopped() -> bool:
    """Check whether a process that this one has started, or one that they have, was stopped."""
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if process.status() == psutil.STATUS_STOPPED:
                return True
    return False
