"""Batch's lock: a process holds it while it writes silver or gold."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from crossfade.errors import LakeError
from crossfade.folder import DataFolder
from crossfade.telemetry import get_logger

_POLL_S = 0.2
_log = get_logger("batch")


@contextmanager
def hold_batch(
    folder: DataFolder, *, within_s: float = 0.0, given_up: threading.Event | None = None
) -> Iterator[None]:
    """Hold batch's lock until the block ends.

    Args:
        folder: the data folder.
        within_s: how long to wait for another process that holds it.
        given_up: set to stop waiting.

    Raises:
        LakeError: another process still holds it.
    """
    folder.run.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.lock_file("batch"), timeout=0)
    given_up = given_up or threading.Event()
    deadline, is_reported = time.monotonic() + within_s, False
    while True:
        try:
            lock.acquire()
            break
        except Timeout:
            if time.monotonic() >= deadline or given_up.wait(_POLL_S):
                what = f"Another process runs batch on {folder.root}."
                raise LakeError(what, "Wait until it is done, or stop it.") from None
            if not is_reported:
                _log.info("waiting", why="another process runs batch", at_most_s=within_s)
                is_reported = True
    try:
        yield
    finally:
        lock.release()
