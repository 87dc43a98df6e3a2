"""The folder into which Java unpacks native libraries: files there must be executable.

zstd, snappy, lz4, RocksDB and Netty each unpack theirs into Java's temporary folder. On a disk that
is mounted with `noexec`, none of them can be loaded.
"""

import hashlib
import mmap
import shutil
import tempfile
from pathlib import Path

from crossfade.errors import MachineError


def make_temporary_folder(wanted: Path, cache: Path) -> Path:
    """Make an empty folder for Java's temporary files: the wanted one, or else one in the cache.

    Raises:
        MachineError: files in neither of them can be executed.
    """
    _make_empty(wanted)
    if can_execute(wanted):
        return wanted
    name = hashlib.sha256(str(wanted.absolute()).encode()).hexdigest()[:16]
    other = cache / "native" / name
    try:
        _make_empty(other)
        if can_execute(other):
            return other
    except OSError as error:
        raise _refuse(wanted, f"{cache} cannot be written ({error.strerror})") from None
    raise _refuse(wanted, f"neither can those in {cache}")


def can_execute(folder: Path) -> bool:
    """Check whether the system maps files of a folder as code, as it does for a library."""
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


def _refuse(wanted: Path, reason: str) -> MachineError:
    what = f"Libraries in {wanted} cannot be loaded (mount option noexec), and {reason}."
    cure = "Mount one of the disks with exec, or set CROSSFADE_CACHE to a folder on another."
    return MachineError(what, cure)
