"""The heartbeat file of a process that runs Spark, touched only while all its processes run."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil
from py4j.protocol import Py4JError
from pyspark import SparkContext

from crossfade.folder import DataFolder, heartbeat_path

_EVERY_S = 1.0
_CHECK_CHILDREN_EVERY = 5
"""Beats between two checks of all child processes: a check costs more than a beat."""


@contextmanager
def keep_heartbeat(folder: DataFolder, name: str) -> Iterator[None]:
    """Touch the heartbeat file of a process every second, until the block ends.

    The supervisor kills a process whose heartbeat stops: a process that hangs, or was stopped by a
    signal, does not exit and would hold its locks forever. The heartbeat also stops if Java or one
    of Spark's Python workers is stopped: Spark asks an idle worker to exit, but a stopped one
    cannot react.
    """
    path = heartbeat_path(folder, name)
    ended = threading.Event()

    def beat() -> None:
        beats, is_healthy = 0, True
        while not ended.is_set():
            if beats % _CHECK_CHILDREN_EVERY == 0:
                is_healthy = not _has_stopped_child()
            beats += 1
            if is_healthy and _is_java_answering():
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
    """Check whether Java answers; if it is stopped, this call blocks until it continues."""
    java = SparkContext._jvm
    if java is None:
        return True
    with suppress(Py4JError, OSError):
        return bool(java.java.lang.System.nanoTime() is not None)
    return False


def _has_stopped_child() -> bool:
    """Check whether a child process, at any depth, was stopped by a signal."""
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if process.status() == psutil.STATUS_STOPPED:
                return True
    return False
