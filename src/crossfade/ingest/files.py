"""Files as they come: plain, gzip or xz, or standard input."""

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
"""What reading may raise when a file is cut, damaged or on a failing disk."""

_GZIP, _XZ = b"\x1f\x8b", b"\xfd7zXZ\x00"


class SourceFile(NamedTuple):
    """An open file: its content, uncompressed, and what was read of its bytes on disk."""

    content: BinaryIO
    stored: BinaryIO

    def bytes_read(self) -> int:
        """Return how many of the stored bytes were read; 0 where that cannot be told."""
        return self.stored.tell() if self.stored.seekable() else 0


def check_files(names: list[str]) -> int:
    """Refuse names that are no readable files, before anything is sent; give their size.

    Raises:
        MisuseError: a file is missing, or may not be read.
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
    """Open a file for reading, uncompressed by what it begins with, whatever its name."""
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
