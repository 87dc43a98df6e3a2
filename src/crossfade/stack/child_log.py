"""The rotated log file of a child's output."""

import contextlib
import itertools
from pathlib import Path
from typing import IO

MAX_BYTES = 10 * 1024 * 1024
KEPT = 5
_CHUNK = 64 * 1024
_TAIL = 8 * 1024
_NO_REASON = ("\tat ", "Error: A fatal exception", "Error: Could not create the Java")
_OWN_ERROR = "Error: "
_TRACE = ("Traceback ", "Exception ")


class RotatedLog:
    """Appends bytes to a file; a full file becomes `.1`, `.1` becomes `.2`, the oldest goes."""

    def __init__(self, path: Path, *, max_bytes: int = MAX_BYTES, kept: int = KEPT) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._max_bytes = max_bytes
        self._kept = kept
        self._file = path.open("ab", buffering=0)

    def write(self, content: bytes) -> None:
        """Append bytes; drop what a full disk refuses, since a log must never stop a child."""
        with contextlib.suppress(OSError):
            if self._file.tell() + len(content) > self._max_bytes:
                self._rotate()
            self._file.write(content)

    def copy_from(self, pipe: IO[bytes]) -> None:
        """Append everything read from a pipe until its last writer closes it, then close both."""
        with pipe, self._file:
            while content := pipe.read1(_CHUNK):  # type: ignore[attr-defined]
                self.write(content)

    def _rotate(self) -> None:
        self._file.close()
        for number in range(self._kept - 1, 0, -1):
            older = self._numbered(number)
            if older.exists():
                older.replace(self._numbered(number + 1))
        self._path.replace(self._numbered(1))
        self._file = self._path.open("ab", buffering=0)

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


def last_line(path: Path) -> str:
    """Return the last line of a log that gives a reason, so no line of a Java stack trace.

    The process's own last error is preferred to the trace of a thread that ended after it.
    """
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    useful = [line.strip() for line in lines if line.strip() and not line.startswith(_NO_REASON)]
    for line, after in reversed(list(itertools.pairwise(useful))):
        if line.startswith(_OWN_ERROR):
            return line if after.startswith(_TRACE) else useful[-1]
    return useful[-1] if useful else ""
