"""The disk guard: closes Kafka's door for plays before a disk is full, and opens it again."""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from crossfade.clock import now_ms
from crossfade.folder import DataFolder, write_atomically
from crossfade.stack.disk_space import GIGABYTE, free_bytes
from crossfade.telemetry import get_logger

_EVERY_S = 1.0
_ENOUGH_AGAIN = 1.25
"""Factor above the limit at which plays are taken again, so that the door does not flap."""
_CURE = 'Make room (see "crossfade status"): then Kafka takes plays again, and none is lost.'


class DoorState(msgspec.Struct, frozen=True):
    """Whether Kafka takes plays, since when, and if not, why."""

    is_open: bool
    since_ms: int
    why: str = ""


def read_door(folder: DataFolder) -> DoorState | None:
    """Read the state that the running stack's guard wrote; None when there is none."""
    try:
        return msgspec.json.decode(_path(folder).read_bytes(), type=DoorState)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


class DiskGuard:
    """Watches the disks of one stack.

    Args:
        folder: the data folder.
        disks: paths, each on a disk that must not become full.
        least_free: bytes free below which plays are refused.
        set_door: opens or closes Kafka's door for plays; it is open at the start.
    """

    def __init__(
        self,
        folder: DataFolder,
        disks: Sequence[Path],
        least_free: int,
        set_door: Callable[[bool], None],
    ) -> None:
        self._folder = folder
        self._disks = disks
        self._least_free = least_free
        self._set_door = set_door
        self._is_open = True
        self._ended = threading.Event()

    def start(self) -> None:
        """Check every second, in a thread, until `end` is called."""
        self._write_state("")
        threading.Thread(target=self._watch, name="disk guard", daemon=True).start()

    def end(self) -> None:
        """Stop checking."""
        self._ended.set()
        _path(self._folder).unlink(missing_ok=True)

    def check(self) -> None:
        """Check each disk once, and close or open the door."""
        fullest = min(self._disks, key=free_bytes)
        free = free_bytes(fullest)
        if self._is_open and free < self._least_free:
            why = (
                f"The disk of {fullest} has {free / GIGABYTE:.3g} GB free, less than "
                f"{self._least_free / GIGABYTE:.3g}: Kafka takes no plays."
            )
            self._move_door(why)
            get_logger("disk").error("no plays are taken", why=why, cure=_CURE)
        elif not self._is_open and free >= self._least_free * _ENOUGH_AGAIN:
            self._move_door("")
            get_logger("disk").info("plays are taken again", free=free, disk=str(fullest))

    def _watch(self) -> None:
        while not self._ended.wait(_EVERY_S):
            with suppress(OSError):
                self.check()

    def _move_door(self, why: str) -> None:
        """Close the door for a reason, or open it when there is none."""
        self._set_door(not why)
        self._is_open = not why
        self._write_state(why)

    def _write_state(self, why: str) -> None:
        state = DoorState(not why, now_ms(), f"{why} {_CURE}" if why else "")
        with suppress(OSError):
            write_atomically(_path(self._folder), msgspec.json.encode(state))


def _path(folder: DataFolder) -> Path:
    return folder.run / "door.json"
