"""Reading of files (plain, gzip or xz) and of standard input."""

import gzip
import io
import lzma
import sys
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from crossfade.errors import MisuseError

STDIN = "-"
READ_ERRORS = (EOFError, OSError, zlib.error, lzma.LZMAError)
"""What reading raises if a file is truncated or damaged, or its disk fails."""

_GZIP, _XZ = b"\x1f\x8b", b"\xfd7zXZ\x00"


class SourceFile(NamedTuple):
    """An open file: its uncompressed content, and the file as stored on disk."""

    content: BinaryIO
    stored: BinaryIO

    def bytes_read(self) -> int:
        """Return how many of the stored bytes were read; 0 if that is unknown."""
        return self.stored.tell() if self.stored.seekable() else 0


def check_files(names: list[str]) -> int:
    """Check that every file can be read, and return the sum of their sizes in bytes.

    Raises:
        MisuseError: a file does not exist or cannot be read.
    """
    size = 0
    for name in names:
        if name == STDIN:
            continue
        try:
            with Path(name).open("rb") as file:
                size += file.seek(0, io.SEEK_END)
        except OSError as error:
            what = f"Cannot read {name}: {error.strerror}."
            raise MisuseError(what, "Name files that exist; - is standard input.") from None
    return size


@contextmanager
def open_source(name: str) -> Iterator[SourceFile]:
    """Open a file for reading; its first bytes, not its name, decide how it is uncompressed."""
    if name == STDIN:
        stored = cast("io.BufferedReader", sys.stdin.buffer)
        with _uncompress(stored) as content:
            yield SourceFile(content, stored)
        return
    with Path(name).open("rb") as stored, _uncompress(stored) as content:
        yield SourceFile(content, stored)


def _uncompress(stored: io.BufferedReader) -> AbstractContextManager[BinaryIO]:
    start = stored.peek(len(_XZ))
    if start.startswith(_GZIP):
        return cast("AbstractContextManager[BinaryIO]", gzip.open(stored))
    if start.startswith(_XZ):
        return cast("AbstractContextManager[BinaryIO]", lzma.open(stored))
    return nullcontext(stored)
