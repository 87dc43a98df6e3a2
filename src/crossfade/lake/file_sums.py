"""Checksums of data files, in the format of Hadoop's `ChecksumFileSystem`.

`.NAME.crc` holds `crc` and a zero byte, the chunk length (32 bits, big-endian), and the CRC-32 of
each chunk of the file. Not every writer writes Parquet's page checksums, so each file gets these;
Spark verifies them on a local disk automatically.
"""

import struct
from pathlib import Path
from zlib import crc32

from crossfade.folder import write_atomically

_MAGIC = b"crc\0"
_CHUNK = 512
_AT_ONCE = 8192
"""Chunks in one read."""
_HEAD = struct.Struct(">4sI")


def has_sum(path: Path) -> bool:
    """Check whether a file has checksums beside it."""
    return _beside(path).exists()


def write_sum(path: Path) -> None:
    """Write the checksums of a file as it is now."""
    write_atomically(_beside(path), _HEAD.pack(_MAGIC, _CHUNK) + _sum_chunks(path, _CHUNK))


def is_as_written(path: Path) -> bool:
    """Check whether a file matches its checksums; a file without them counts as matching.

    Raises:
        FileNotFoundError: the file is gone.
    """
    try:
        kept = _beside(path).read_bytes()
    except FileNotFoundError:
        path.stat()
        return True
    if len(kept) < _HEAD.size:
        return False
    magic, chunk = _HEAD.unpack_from(kept)
    return magic == _MAGIC and chunk > 0 and kept[_HEAD.size :] == _sum_chunks(path, chunk)


def _sum_chunks(path: Path, chunk: int) -> bytes:
    sums: list[int] = []
    with path.open("rb") as file:
        while content := file.read(chunk * _AT_ONCE):
            part = memoryview(content)
            sums += (crc32(part[begin : begin + chunk]) for begin in range(0, len(part), chunk))
    return struct.pack(f">{len(sums)}I", *sums)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.crc")
