"""Copies files to the same paths below another folder, and hashes each while copying."""

import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path

from crossfade.backup.manifest import StoredFile

_CHUNK = 1 << 20


class Copier:
    """Copies files, named by their path below `source`, and records what it copied."""

    def __init__(self, source: Path, target: Path, report: Callable[[int], None]) -> None:
        """Name both folders, and a function that is called with the bytes of each piece copied."""
        self.source = source
        self.target = target
        self._report = report
        self._copied: dict[str, StoredFile] = {}

    @property
    def copied(self) -> list[StoredFile]:
        """List the files copied, in order of path."""
        return [self._copied[path] for path in sorted(self._copied)]

    def copy(self, path: str) -> StoredFile:
        """Copy a file as it is now, with its mode and modification time; replace an earlier copy.

        Raises:
            FileNotFoundError: the file is gone.
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
                    self._report(len(piece))
            state = os.fstat(original.fileno())
        copy.chmod(stat.S_IMODE(state.st_mode))
        os.utime(copy, ns=(state.st_mtime_ns, state.st_mtime_ns))
        self._copied[path] = StoredFile(path, size, digest.hexdigest())
        return self._copied[path]

    def copy_if_there(self, path: str) -> StoredFile | None:
        """Copy a file; return None if it no longer exists."""
        try:
            return self.copy(path)
        except FileNotFoundError:
            return None

    def forget(self, path: str) -> None:
        """Remove a file from the copy."""
        (self.target / path).unlink(missing_ok=True)
        self._copied.pop(path, None)


def sync_folder(folder: Path) -> None:
    """Flush all files below a folder, and their directory entries, to the disk."""
    for parent, _, names in os.walk(folder):
        for name in names:
            _sync(Path(parent, name))
        _sync(Path(parent))


def sync_names(folder: Path) -> None:
    """Flush a folder's directory entries to the disk."""
    _sync(folder)


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
