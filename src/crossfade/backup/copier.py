"""Files copied from one folder to the same places below another, each hashed on its way."""

import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path

from crossfade.backup.manifest import StoredFile

_CHUNK = 1 << 20


class Copier:
    """Copies files named by their path below `source`, and remembers what it copied."""

    def __init__(self, source: Path, target: Path, tell: Callable[[int], None]) -> None:
        """Name both folders, and who is told of each piece's size."""
        self.source = source
        self.target = target
        self._tell = tell
        self._copied: dict[str, StoredFile] = {}

    @property
    def copied(self) -> list[StoredFile]:
        """List what was copied, in order of path."""
        return [self._copied[path] for path in sorted(self._copied)]

    def copy(self, path: str) -> StoredFile:
        """Copy a file as it is now, with its mode and time of change; again, it is replaced.

        Raises:
            FileNotFoundError: it is gone.
        """
        digest, size = hashlib.sha256(), 0
        with (self.source / path).open("rb", buffering=0) as original:
            copy = self.target / path
            copy.parent.mkdir(parents=True, exist_ok=True)
            with copy.open("wb") as written:
                while piece := original.read(_CHUNK):
                    digest.update(piece)
                    written.write(piece)
                    size += len(piece)
                    self._tell(len(piece))
            state = os.fstat(original.fileno())
        copy.chmod(stat.S_IMODE(state.st_mode))
        os.utime(copy, ns=(state.st_mtime_ns, state.st_mtime_ns))
        self._copied[path] = StoredFile(path, size, digest.hexdigest())
        return self._copied[path]

    def copy_if_there(self, path: str) -> StoredFile | None:
        """Copy a file that may be gone by now; None then."""
        try:
            return self.copy(path)
        except FileNotFoundError:
            return None

    def forget(self, path: str) -> None:
        """Take a file out of the copy again."""
        (self.target / path).unlink(missing_ok=True)
        self._copied.pop(path, None)


def sync_folder(folder: Path) -> None:
    """Wait until all files below a folder, and their names, are on the disk."""
    for parent, _, names in os.walk(folder):
        for name in names:
            _sync(Path(parent, name))
        _sync(Path(parent))


def sync_names(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    _sync(folder)


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
