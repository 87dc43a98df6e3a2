"""Messages of commands that send plays, while Kafka takes none because a disk is nearly full."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from crossfade.folder import DataFolder, read_stack
from crossfade.stack.disk_guard import read_door

_EVERY_S = 1.0


@contextmanager
def report_door(folder: DataFolder | None) -> Iterator[None]:
    """Report in a thread, on standard error, when Kafka's door closes and opens; None: never."""
    ended = threading.Event()

    def watch() -> None:
        reported = ""
        while folder is not None and not ended.wait(_EVERY_S):
            door = read_door(folder) if read_stack(folder) is not None else None
            now = door.why if door is not None else ""
            if now != reported:
                sys.stderr.write(f"{now} Waiting.\n" if now else "Kafka takes plays again.\n")
                reported = now

    threading.Thread(target=watch, name="door", daemon=True).start()
    try:
        yield
    finally:
        ended.set()
