"""Reading of files (plain or compressed), of the members of ZIP archives, and of standard input."""

import gzip
import io
import lzma
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import IO, BinaryIO, NamedTuple, cast

from crossfade.errors import CrossfadeError, MisuseError

STDIN = "-"
READ_ERRORS = (EOFError, OSError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)
"""What reading raises if a file is truncated or damaged, or its disk fails."""

READABLE = "Plain, .gz, .xz, .zst and .zip files can be read"

_HEAD_BYTES = 64 * 1024
_GZIP, _XZ, _ZSTD = b"\x1f\x8b", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd"
_COMPRESSED = (_GZIP, _XZ, _ZSTD)
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_TAR_AT, _TAR = 257, b"ustar"
_UTF16 = "Convert it: iconv -f UTF-16 -t UTF-8."
_UNREADABLE = {
    b"BZh": ("is compressed with bzip2", "Unpack it with bunzip2."),
    b"7z\xbc\xaf\x27\x1c": ("is a 7-Zip archive", "Unpack it with 7z x."),
    b"Rar!": ("is a RAR archive", "Unpack it with unrar x."),
    b"\x1f\x9d": ("is compressed with compress", "Unpack it with uncompress."),
    b"\x04\x22\x4d\x18": ("is compressed with LZ4", "Unpack it with unlz4."),
    b"LZIP": ("is compressed with lzip", "Unpack it with lzip -d."),
    b"\x5d\x00\x00": ("is compressed with LZMA", "Unpack it with unlzma."),
    b"\xff\xfe\x00\x00": ("is UTF-32, not UTF-8", "Convert it: iconv -f UTF-32 -t UTF-8."),
    b"\x00\x00\xfe\xff": ("is UTF-32, not UTF-8", "Convert it: iconv -f UTF-32 -t UTF-8."),
    b"\xff\xfe": ("is UTF-16, not UTF-8", _UTF16),
    b"\xfe\xff": ("is UTF-16, not UTF-8", _UTF16),
    b"PAR1": ("is a Parquet file", "Write its rows as JSON lines."),
    b"SQLite format 3": ("is an SQLite database", "Write its rows as JSON lines."),
    b"%PDF": ("is a PDF document", "Choose the file with the plays."),
}
"""The first bytes of files that cannot be read: what such a file is, and what to do with it."""


class SourceFile(NamedTuple):
    """An open file: its uncompressed content, and how many of its stored bytes were read."""

    content: BinaryIO
    bytes_read: Callable[[], int]

    def peek(self) -> bytes:
        """Return the first bytes without reading them; empty if the file is empty or damaged."""
        try:
            return cast("io.BufferedReader", self.content).peek(_HEAD_BYTES)
        except READ_ERRORS:
            return b""


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
    """Open a file for reading; its first bytes, not its name, decide how it is uncompressed.

    Raises:
        CrossfadeError: it is compressed or encoded in a way that is not supported.
    """
    if name == STDIN:
        with _uncompress(name, cast("io.BufferedReader", sys.stdin.buffer)) as content:
            yield SourceFile(content, lambda: 0)
        return
    with (
        Path(name).open("rb", buffering=_HEAD_BYTES) as stored,
        _uncompress(name, stored) as content,
    ):
        yield SourceFile(content, lambda: stored.tell() if stored.seekable() else 0)


def is_zip(name: str) -> bool:
    """Check whether a file is a ZIP archive."""
    if name == STDIN:
        return False
    with Path(name).open("rb") as file:
        return file.read(len(_ZIP[0])).startswith(_ZIP)


@contextmanager
def open_zip(name: str) -> Iterator[zipfile.ZipFile]:
    """Open a ZIP archive.

    Raises:
        CrossfadeError: it is damaged.
    """
    try:
        archive = zipfile.ZipFile(name)
    except (zipfile.BadZipFile, OSError) as error:
        what = f"{name} is a damaged ZIP archive: {error}."
        raise CrossfadeError(what, "Download it again.") from None
    with archive:
        yield archive


@contextmanager
def open_member(name: str, member: zipfile.ZipInfo) -> Iterator[SourceFile]:
    """Open a member of a ZIP archive for reading, as `open_source` opens a file.

    Raises:
        CrossfadeError: the archive is damaged, or the member cannot be read.
    """
    label = f"{name}/{member.filename}"
    with open_zip(name) as archive:
        try:
            stored = archive.open(member)
        except (NotImplementedError, RuntimeError, zipfile.BadZipFile) as error:
            what = f"{label} cannot be unpacked: {error}."
            raise CrossfadeError(what, "Unpack the archive with another program.") from None
        share = member.compress_size / max(1, member.file_size)
        with stored, _uncompress(label, stored) as content:
            yield SourceFile(content, lambda: round(stored.tell() * share))


def _uncompress(name: str, stored: IO[bytes]) -> AbstractContextManager[BinaryIO]:
    start = _peek(stored)
    if start.startswith(_ZIP):
        what = f"{_name(name)} is a ZIP archive."
        raise CrossfadeError(what, "Unpack it, and name the files in it.")
    if start.startswith(_GZIP):
        content = cast("BinaryIO", gzip.GzipFile(fileobj=stored))
    elif start.startswith(_XZ):
        content = cast("BinaryIO", lzma.LZMAFile(stored))  # noqa: SIM115 - the caller closes it
    elif start.startswith(_ZSTD):
        import pyarrow as pa

        raw = pa.CompressedInputStream(pa.PythonFile(stored, "r"), "zstd")
        content = io.BufferedReader(raw, _HEAD_BYTES)
    else:
        _refuse_unreadable(name, start)
        return nullcontext(cast("BinaryIO", stored))
    try:
        start = _peek(content)
    except READ_ERRORS:
        return content  # The importer reports where it is damaged.
    if start.startswith((*_COMPRESSED, *_ZIP)):
        what = f"{_name(name)} is compressed twice."
        raise CrossfadeError(what, "Unpack it once.")
    _refuse_unreadable(name, start)
    return content


def _name(name: str) -> str:
    return "Standard input" if name == STDIN else name


def _peek(stored: IO[bytes]) -> bytes:
    return cast("io.BufferedReader", stored).peek(_HEAD_BYTES)


def _refuse_unreadable(name: str, start: bytes) -> None:
    """Raise an error if a content is known from its first bytes and cannot be read."""
    found = next((known for magic, known in _UNREADABLE.items() if start.startswith(magic)), None)
    if start[_TAR_AT:].startswith(_TAR):
        found = "is a tar archive", "Unpack it with tar -xf, and name the files in it."
    elif found is None and [*map(bool, start[:4])] in ([True, False] * 2, [False, True] * 2):
        found = "is UTF-16, not UTF-8", _UTF16
    if found is not None:
        kind, cure = found
        what = f"{_name(name)} {kind}."
        raise CrossfadeError(what, f"{cure} {READABLE}.")
