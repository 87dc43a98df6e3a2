"""The files of an embedded broker's topic `song-plays`, as far as their end offsets go."""

import struct
from collections.abc import Mapping
from pathlib import Path

from crossfade.folder import DataFolder

_HEADER = struct.Struct(">qiibihi")


def a_batch(first: int, last: int, *, is_control: bool = False, size: int = 61) -> bytes:
    """Return a batch of records as Kafka stores it, with the offsets first to last."""
    attributes = 1 << 5 | 1 << 4 if is_control else 0
    header = _HEADER.pack(first, size - 12, 0, 2, 0, attributes, last - first)
    return header.ljust(size, b"\x01")


def partition_folder(folder: DataFolder, partition: int) -> Path:
    """Return the folder of one partition, made if it does not exist."""
    path = folder.kafka / "data" / f"song-plays-{partition}"
    path.mkdir(parents=True, exist_ok=True)
    return path


def write_broker_log(folder: DataFolder, ends: Mapping[int, int]) -> None:
    """Write a log of each partition that ends at this offset."""
    for partition, end in ends.items():
        log = partition_folder(folder, partition) / f"{0:020}.log"
        log.write_bytes(a_batch(0, end - 1) if end else b"")
