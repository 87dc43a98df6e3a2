"""What ties a streaming query's checkpoint to what it reads and writes, and batch to its tables.

Spark itself does not notice that a topic was deleted and made anew, or that an output was
replaced under its checkpoint: it would lose records in silence. A binding file beside the
checkpoint names both sides; a start that finds one half missing or another one refuses. Batch's
checkpoint is gold/run: its pins are version numbers, which another stack's tables have as well.
"""

import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from crossfade.errors import DamagedError, LakeError
from crossfade.folder import ARCHIVE, SPEED, DataFolder, write_atomically
from crossfade.lake.checkpoint import read_query_id
from crossfade.lake.tables import BATCH_TABLES, GOLD_RUN, open_table


class ArchiveBinding(msgspec.Struct, frozen=True):
    """The archive's: which topic it reads from which offsets, and which table it writes."""

    topic_id: str
    table_id: str
    first_offsets: dict[int, int]


class SpeedBinding(msgspec.Struct, frozen=True):
    """Speed's: its generation (the id of its checkpoint) and epoch (a number a driver start).

    The generation reads from `first_offsets` on (none: from Kafka's first), and so holds windows
    whole that begin at `windows_from` or later (None: all). Its checkpoint is the one with the id
    `query` (empty: the query was never started, or by an earlier release).
    """

    topic_id: str
    generation: str
    epoch: int
    first_offsets: dict[int, int] = {}
    windows_from: int | None = None
    query: str = ""


class BatchBinding(msgspec.Struct, frozen=True):
    """Batch's: the id of each table of silver and gold that it has made."""

    table_ids: dict[str, str]


class Beginning(NamedTuple):
    """Where a new generation of speed begins, as its binding keeps it."""

    first_offsets: dict[int, int]
    windows_from: int | None


_FROM_KAFKAS_FIRST = Beginning({}, None)
_PUT_BACK = "Put it back, or restore all of the lake from one backup."

_Binding = TypeVar("_Binding", ArchiveBinding, SpeedBinding, BatchBinding)


def read_archive_binding(folder: DataFolder) -> ArchiveBinding | None:
    """Read what the archive is bound to; None before its first start."""
    return _read(_path(folder, ARCHIVE), ArchiveBinding)


def bind_archive(
    folder: DataFolder, found: ArchiveBinding, *, has_data: bool, query: str = ARCHIVE
) -> ArchiveBinding:
    """Check that the archive's halves belong together, binding them at the first start.

    Args:
        folder: the data folder.
        found: the topic and table as they are now; its offsets are taken at the first start only.
        has_data: whether the table holds any record.
        query: the name of the query, and of its checkpoint.

    Raises:
        LakeError: a half is missing or is another one than the bound.
    """
    path = _path(folder, query)
    checkpoint = folder.checkpoints / query
    has_checkpoint = (checkpoint / "metadata").exists()
    bound = _read(path, ArchiveBinding)
    if bound is None:
        if has_data or has_checkpoint:
            what = f"{path} is missing beside a {query} that has run."
            raise LakeError(what, "Restore it from a backup, or start a new data folder.")
        write_atomically(path, msgspec.json.encode(found))
        return found
    if bound.table_id != found.table_id:
        what = f"The table of the {query} is not the one that its checkpoint belongs to."
        raise LakeError(what, f"Restore both from one backup, or remove both: {checkpoint}.")
    if has_data and not has_checkpoint:
        what = f"The checkpoint {checkpoint} is gone, but its table has records."
        raise LakeError(what, "Restore it from a backup: without it records would be repeated.")
    _refuse_other_topic(bound.topic_id, found.topic_id, query)
    return bound


def bind_speed(
    folder: DataFolder,
    topic_id: str,
    find_beginning: Callable[[], Beginning] = lambda: _FROM_KAFKAS_FIRST,
) -> SpeedBinding:
    """Return this driver start its generation and epoch; the caller holds speed's lock.

    A checkpoint that is gone is a new generation: readers keep the old one until the new one has
    caught up with it.

    Args:
        folder: the data folder.
        topic_id: of the topic as it is now.
        find_beginning: asked where a new generation begins to read.

    Raises:
        LakeError: the checkpoint belongs to a topic that was deleted and made anew, or is without
            its binding: a generation that begins with old windows would never be whole.
        DamagedError: the checkpoint is another one's, or cannot be read.
    """
    path = _path(folder, SPEED)
    checkpoint = folder.checkpoint(SPEED)
    has_checkpoint = (checkpoint / "metadata").exists()
    bound = _read(path, SpeedBinding)
    if bound is None and has_checkpoint:
        what = f"{path} is missing beside a speed layer that has run."
        raise LakeError(what, f"Restore it from a backup, or remove {checkpoint} as well.")
    if bound is not None and has_checkpoint and bound.query not in ("", read_query_id(checkpoint)):
        what = f"The checkpoint {checkpoint} is not the one that {path.name} names."
        raise DamagedError(what, "Restore both from one backup, or remove both.")
    if bound is None or not has_checkpoint:
        bound = SpeedBinding(topic_id, uuid.uuid4().hex[:12], 0, *find_beginning())
    _refuse_other_topic(bound.topic_id, topic_id, SPEED)
    bound = msgspec.structs.replace(bound, epoch=bound.epoch + 1)
    write_atomically(path, msgspec.json.encode(bound))
    return bound


def tie_speed(folder: DataFolder, query: str) -> None:
    """Note the id that Spark gave to speed's checkpoint; the caller holds speed's lock."""
    path = _path(folder, SPEED)
    bound = _read(path, SpeedBinding)
    if bound is not None and bound.query != query:
        write_atomically(path, msgspec.json.encode(msgspec.structs.replace(bound, query=query)))


def refuse_other_tables(folder: DataFolder) -> None:
    """Make sure that silver and gold are the tables that batch has made.

    A table that is gone is not looked for, nor one of which no binding tells, as in a folder of
    an earlier release.

    Raises:
        LakeError: a table lies in the place of another one.
    """
    _find_tables(folder, _read_table_ids(folder))


def bind_batch(folder: DataFolder, pinned: Iterable[str]) -> None:
    """Do the same, and bind the tables that a published run pins; the caller holds batch's lock.

    Raises:
        LakeError: a table lies in the place of another one.
    """
    bound = _read_table_ids(folder)
    found = _find_tables(folder, bound)
    known = {**bound, **{name: found[name] for name in {*pinned, GOLD_RUN.name} & found.keys()}}
    if known != bound:
        write_atomically(_path(folder, "batch"), msgspec.json.encode(BatchBinding(known)))


def begin_batch(folder: DataFolder) -> None:
    """Forget the tables of before: batch makes all of them anew; the caller holds its lock.

    Raises:
        LakeError: gold/run is gone from beside others, so nobody knows what counts of those.
    """
    bound = _read_table_ids(folder)
    others = sorted(_find_tables(folder, bound))
    if bound and others:
        what = f"{GOLD_RUN.name} is gone from {folder.lake}, beside {others[0]}."
        raise LakeError(what, _PUT_BACK)
    _path(folder, "batch").unlink(missing_ok=True)


def _read_table_ids(folder: DataFolder) -> dict[str, str]:
    binding = _read(_path(folder, "batch"), BatchBinding)
    return {} if binding is None else binding.table_ids


def _find_tables(folder: DataFolder, bound: Mapping[str, str]) -> dict[str, str]:
    """Return the id of each table of silver and gold that is there; none contradicts the bound."""
    opened = {table.name: open_table(folder.lake, table) for table in (*BATCH_TABLES, GOLD_RUN)}
    found = {name: str(one.metadata().id) for name, one in opened.items() if one is not None}
    for name, table_id in found.items():
        if bound.get(name, table_id) != table_id:
            what = f"The table {name} is not the one that batch has made in {folder.lake}."
            raise LakeError(what, _PUT_BACK)
    return found


def _refuse_other_topic(bound: str, found: str, query: str) -> None:
    if bound != found:
        what = f"The topic that the {query} has read (id {bound}) was deleted and made anew."
        raise LakeError(what, "Its offsets mean other records now. Start a new data folder.")


def _path(folder: DataFolder, query: str) -> Path:
    return folder.checkpoints / f"{query}.binding.json"


def _read(path: Path, kind: type[_Binding]) -> _Binding | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        what = f"Cannot read {path}: {error}."
        raise LakeError(what, "Restore it from a backup.") from None
