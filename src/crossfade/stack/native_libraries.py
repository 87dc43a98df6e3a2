"""The folder into which Java unpacks native libraries: files there must be executable.

zstd, snappy, lz4, RocksDB and Netty each unpack theirs into Java's temporary folder. On a disk that
is mounted with `noexec`, none of them can be loaded.
"""

import hashlib
import mmap
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from crossfade.errors import MachineError


def make_temporary_folder(wanted: Path, cache: Path) -> Path:
    """Make an empty folder for Java's temporary files: the wanted one, or else one in the cache.

    Raises:
        MachineError: files of neither can be executed.
    """
    _make_empty(wanted)
    name = hashlib.sha256(str(wanted.absolute()).encode()).hexdigest()[:16]
    other = cache / "native" / name
    if not can_execute(wanted):
        with suppress(OSError):
            _make_empty(other)
    return choose_executable(wanted, other)


def choose_executable(wanted: Path, other: Path) -> Path:
    """Return the first of two folders whose files can be executed.

    Raises:
        MachineError: there is none.
    """
    if can_execute(wanted):
        return wanted
    with suppress(OSError):
        if can_execute(other):
            return other
    what = (
        f"Java cannot load native libraries from {wanted} (mounted with noexec), nor from {other}."
    )
    cure = "Mount one of them with exec, or set CROSSFADE_CACHE to a folder on another disk."
    raise MachineError(what, cure)


def can_execute(folder: Path) -> bool:
    """Check whether the system maps files of a folder as code, as it does for a library.

    Raises:
        OSError: no file can be written there.
    """
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(b"\0")
        file.flush()
        try:
            mmap.mmap(file.fileno(), 1, prot=mmap.PROT_READ | mmap.PROT_EXEC).close()
        except PermissionError:
            return False
    return True


def _make_empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
