"""End offsets read from the embedded broker's files, while no broker runs."""

from pathlib import Path
from struct import Struct
from typing import BinaryIO

from crossfade.folder import DataFolder
from crossfade.kafka.topics import SONG_PLAYS

_HEADER = Struct(">qiibihi")
"""Of a batch of records: offset, length, epoch, format, checksum, attributes, last offset."""
_BEFORE_LENGTH = 12
_CONTROL = 1 << 5
"""The attribute of a batch that ends a transaction: it holds no record."""
_INDEX_ENTRY = Struct(">ii")


def read_embedded_ends(folder: DataFolder) -> dict[int, int] | None:
    """Return the offset after the last record of each partition of `song-plays`.

    None if the folder's embedded broker has no such topic: then the plays are in another Kafka.
    """
    prefix = f"{SONG_PLAYS}-"
    found = (folder.kafka / "data").glob(f"{prefix}*")
    numbered = {path.name.removeprefix(prefix): path for path in found}
    ends = {int(name): _read_end(path) for name, path in numbered.items() if name.isdecimal()}
    return ends or None


def _read_end(partition: Path) -> int:
    segments = sorted(partition.glob("*.log"), reverse=True)
    for segment in segments:
        with segment.open("rb") as file:
            for position in (_read_last_position(segment.with_suffix(".index")), 0):
                end = _find_end(file, position)
                if end is not None:
                    return end
    return int(segments[-1].stem) if segments else 0


def _find_end(file: BinaryIO, position: int) -> int | None:
    """Return the offset after the last record of a segment; None if it holds none from there on."""
    size, end = file.seek(0, 2), None
    while True:
        file.seek(position)
        header = file.read(_HEADER.size)
        if len(header) < _HEADER.size:
            return end
        offset, length, _, _, _, attributes, last = _HEADER.unpack(header)
        position += _BEFORE_LENGTH + length
        if length <= 0 or position > size:
            return end
        if not attributes & _CONTROL:
            end = offset + last + 1


def _read_last_position(index: Path) -> int:
    """Return the last position that a segment's index names; unused entries are zero."""
    try:
        entries = index.read_bytes().rstrip(b"\0")
    except FileNotFoundError:
        return 0
    whole = -(-len(entries) // _INDEX_ENTRY.size) * _INDEX_ENTRY.size
    entries = entries.ljust(whole, b"\0")
    return _INDEX_ENTRY.unpack(entries[-_INDEX_ENTRY.size :])[1] if entries else 0
