"""A copy of the embedded broker's data, made while it writes, that a broker can start on.

The copy is like a disk after a power cut: a log may end in the middle of a batch of records. So it
leaves out the file that marks a clean stop, and the index of each newest segment. The broker then
builds that index again, checks every record of the segment, and cuts off an unfinished batch.
"""

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from crossfade.backup.copier import Copier
from crossfade.errors import StackError
from crossfade.folder import DataFolder
from crossfade.kafka.topics import SONG_PLAYS

_OF_A_PROCESS = frozenset({".lock", ".kafka_cleanshutdown"})
_UNFINISHED = (".tmp", ".deleted", ".cleaned", ".part")
_BEING_REPLACED = ".swap"
_SEGMENT = ".log"
_INDEXES = (".index", ".timeindex", ".txnindex")
_METADATA = "__cluster_metadata-0"
_PASSES = 200
_PAUSE_S = 0.05


class _Stamp(NamedTuple):
    """Identifies a file's content: if it differs, the file was changed or replaced."""

    inode: int
    size: int
    changed_ns: int


_GROWING = -1
"""Stands for a newest segment's size and time: growth needs no second copy."""


def holds_topic(folder: DataFolder, topic_id: str | None) -> bool:
    """Check whether the embedded broker has the topic that the archive reads.

    If the archive never ran (`topic_id` is None), any data of the broker count.
    """
    data = folder.kafka / "data"
    if topic_id is None:
        return (data / "meta.properties").exists()
    ids = (_read_topic_id(path) for path in data.glob(f"{SONG_PLAYS}-*/partition.metadata"))
    return topic_id.translate(_URL_SAFE) in ids


def measure_broker(folder: DataFolder) -> int:
    """Estimate how many bytes the copy will take."""
    size = 0
    for parent, _, names in os.walk(folder.kafka / "data"):
        for name in names:
            if not name.endswith(_INDEXES):  # sparse: created at full length
                with suppress(FileNotFoundError):
                    size += Path(parent, name).stat().st_size
    return size


def copy_broker(folder: DataFolder, copier: Copier) -> None:
    """Copy the broker's data into the backup, with every record acknowledged until now.

    The order matters. The checkpoints of flushed ends and first offsets come first, so that no log
    in the copy ends before them. Speed's windows come before the plays that they count, so that a
    new speed layer can catch up with the old one. Kafka's metadata comes last, so that no log is
    ahead of it.

    Raises:
        StackError: a partition changes faster than it can be copied.
    """
    data = folder.kafka / "data"
    for path in _list_folders(data):
        _FolderCopier(copier, path).copy()


def _list_folders(data: Path) -> list[Path]:
    partitions = [path for path in data.iterdir() if path.is_dir() and _is_partition(path.name)]
    return [data, *sorted(partitions, key=_rank)]


def _rank(partition: Path) -> tuple[int, str]:
    topic = partition.name.rpartition("-")[0]
    return (topic == SONG_PLAYS) + 2 * (partition.name == _METADATA), partition.name


def _is_partition(name: str) -> bool:
    """Check for a partition: a folder that is being deleted or moved has another suffix."""
    return name.rpartition("-")[2].isdecimal()


class _FolderCopier:
    """Copies one folder, then its changed files, until the copy equals the folder."""

    def __init__(self, copier: Copier, folder: Path) -> None:
        self._copier = copier
        self._folder = folder
        self._copied: dict[str, _Stamp] = {}

    def copy(self) -> None:
        for _ in range(_PASSES):
            found = _list_files(self._folder)
            if any(name.endswith(_BEING_REPLACED) for name in found):
                time.sleep(_PAUSE_S)  # a compacted segment replaces it within milliseconds
                continue
            if found == self._copied:
                return
            for name in self._copied.keys() - found.keys():
                self._copier.forget(self._path(name))
            self._copied = {name: at for name, at in self._copied.items() if name in found}
            self._copy_changed(found)
        what = f"Kafka changes {self._folder} faster than it can be copied."
        raise StackError(what, "Try again when Kafka is less busy.")

    def _copy_changed(self, found: dict[str, _Stamp]) -> None:
        for name, stamp in found.items():
            if self._copied.get(name) != stamp and self._copier.copy_if_there(self._path(name)):
                self._copied[name] = stamp

    def _path(self, name: str) -> str:
        return str((self._folder / name).relative_to(self._copier.source))


def _list_files(folder: Path) -> dict[str, _Stamp]:
    """List the files of a folder that a copy needs; none if the folder is gone."""
    try:
        paths = sorted(path for path in folder.iterdir() if path.is_file())
    except FileNotFoundError:
        return {}
    newest = max((path.stem for path in paths if path.suffix == _SEGMENT), default=None)
    listed = {}
    for path in paths:
        is_newest = path.stem == newest
        if path.name in _OF_A_PROCESS or path.suffix in _UNFINISHED:
            continue
        if is_newest and path.suffix in _INDEXES:
            continue
        stamp = _stamp(path, is_growing=is_newest and path.suffix == _SEGMENT)
        if stamp is not None:
            listed[path.name] = stamp
    return listed


def _stamp(path: Path, *, is_growing: bool) -> _Stamp | None:
    try:
        state = path.stat()
    except FileNotFoundError:
        return None
    if is_growing:
        return _Stamp(state.st_ino, _GROWING, _GROWING)
    return _Stamp(state.st_ino, state.st_size, state.st_mtime_ns)


def _read_topic_id(path: Path) -> str:
    lines = path.read_text("utf-8").splitlines()
    ids = (line.partition(":")[2].strip() for line in lines if line.startswith("topic_id:"))
    return next(ids, "").translate(_URL_SAFE)


_URL_SAFE = str.maketrans("+/", "-_")
"""Kafka and its clients write the same id in two base64 alphabets."""
