"""Free space on a disk, checked before work starts so that nothing fails in the middle."""

import shutil
from pathlib import Path

from crossfade.errors import MachineError

GIGABYTE = 1_000_000_000
LEAST_FREE = GIGABYTE
"""Below this a stack does not start: Kafka's first segments and a checkpoint would fill it."""

_AS_GOOD_AS_FULL = GIGABYTE // 20
_CURE = 'Make room (see "crossfade status"), or choose another disk with --data.'


def free_bytes(path: Path) -> int:
    """Return the free bytes on the disk of a path, which need not exist yet."""
    return shutil.disk_usage(next(p for p in (path, *path.absolute().parents) if p.exists())).free


def require_disk_space(path: Path, least: int = LEAST_FREE, cure: str = _CURE) -> None:
    """Check that a path's disk has enough free space.

    Raises:
        MachineError: less than `least` bytes are free.
    """
    free = free_bytes(path)
    if free < least:
        what = (
            f"The disk of {path} has {free / GIGABYTE:.2f} GB free; {least / GIGABYTE:.4g} needed."
        )
        raise MachineError(what, cure)


def describe_full_disk(path: Path) -> str:
    """Return a sentence if a path's disk is full, else ""; few programs report that themselves."""
    if free_bytes(path) >= _AS_GOOD_AS_FULL:
        return ""
    return f"The disk of {path} is full: make room. "
