"""What a command that brings plays says while a nearly full disk keeps them outside."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from crossfade.folder import DataFolder, read_stack
from crossfade.stack.disk_guard import read_door

_EVERY_S = 1.0


@contextmanager
def telling_of_door(folder: DataFolder | None) -> Iterator[None]:
    """Say on standard error when plays have to wait and when they are taken again; None: never."""
    ended = threading.Event()

    def tell() -> None:
        refused = ""
        while folder is not None and not ended.wait(_EVERY_S):
            door = read_door(folder) if read_stack(folder) is not None else None
            now = door.why if door is not None else ""
            if now != refused:
                sys.stderr.write(f"{now} Waiting.\n" if now else "Kafka takes plays again.\n")
                refused = now

    threading.Thread(target=tell, name="door", daemon=True).start()
    try:
        yield
    finally:
        ended.set()
