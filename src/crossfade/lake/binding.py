"""Bindings: which topic and table a query's checkpoint belongs to, and which tables are batch's.

Spark does not notice that a topic was deleted and created again, or that an output was replaced
under its checkpoint: it would silently lose records. A binding file beside the checkpoint names
both; a start refuses if one is missing or differs. Batch's checkpoint is gold/run, whose pins are
version numbers that another stack's tables could have as well.
"""

import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from crossfade.contract.counting import RULES_VERSION
from crossfade.errors import DamagedError, LakeError
from crossfade.folder import ARCHIVE, SPEED, DataFolder, write_atomically
from crossfade.lake.checkpoint import read_query_id
from crossfade.lake.tables import BATCH_TABLES, GOLD_RUN, open_table


class ArchiveBinding(msgspec.Struct, frozen=True):
    """The archive's binding: the topic it reads, from which offsets, and the table it writes."""

    topic_id: str
    table_id: str
    first_offsets: dict[int, int]


class SpeedBinding(msgspec.Struct, frozen=True):
    """Speed's binding: its generation (one life of the checkpoint) and epoch (one driver start).

    The generation reads from `first_offsets` (empty: Kafka's first records), so its windows from
    `windows_from` on are complete (None: all). `query` is the id in its checkpoint (empty: never
    started, or started by an earlier release). `rules` is the version that it counts by.
    """

    topic_id: str
    generation: str
    epoch: int
    first_offsets: dict[int, int] = {}
    windows_from: int | None = None
    query: str = ""
    rules: str = "1"


class BatchBinding(msgspec.Struct, frozen=True):
    """Batch's binding: the id of each table of silver and gold that it has created."""

    table_ids: dict[str, str]


class Beginning(NamedTuple):
    """Where a new generation of speed begins to read."""

    first_offsets: dict[int, int]
    windows_from: int | None


_FROM_KAFKAS_FIRST = Beginning({}, None)
_PUT_BACK = "Put it back, or restore all of the lake from one backup."

_Binding = TypeVar("_Binding", ArchiveBinding, SpeedBinding, BatchBinding)


def read_archive_binding(folder: DataFolder) -> ArchiveBinding | None:
    """Read the archive's binding; None before its first start."""
    return _read(_path(folder, ARCHIVE), ArchiveBinding)


def bind_archive(
    folder: DataFolder, found: ArchiveBinding, *, has_data: bool, query: str = ARCHIVE
) -> ArchiveBinding:
    """Check that the archive's checkpoint, topic and table belong together; bind them at first.

    Args:
        folder: the data folder.
        found: the topic and table as they are now; its offsets are used only at the first start.
        has_data: whether the table holds any record.
        query: the name of the query, and of its checkpoint.

    Raises:
        LakeError: one of them is missing or is not the bound one.
    """
    path = _path(folder, query)
    checkpoint = folder.checkpoints / query
    has_checkpoint = (checkpoint / "metadata").exists()
    bound = _read(path, ArchiveBinding)
    if bound is None:
        if has_data or has_checkpoint:
            what = f"{path} is missing, but the {query} has run."
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
    """Return the generation and epoch of this driver start; the caller holds speed's lock.

    Without a checkpoint this is a new generation; readers use the old one until the new one has
    caught up with it.

    Args:
        folder: the data folder.
        topic_id: the topic's present id.
        find_beginning: returns where a new generation begins to read.

    Raises:
        LakeError: the topic was deleted and created again, or the checkpoint has no binding.
        DamagedError: the checkpoint is not the bound one, or cannot be read.
    """
    path = _path(folder, SPEED)
    checkpoint = folder.checkpoint(SPEED)
    has_checkpoint = (checkpoint / "metadata").exists()
    bound = _read(path, SpeedBinding)
    if bound is None and has_checkpoint:
        what = f"{path} is missing, but the speed layer has run."
        raise LakeError(what, f"Restore it from a backup, or remove {checkpoint} as well.")
    if bound is not None and has_checkpoint and bound.query not in ("", read_query_id(checkpoint)):
        what = f"The checkpoint {checkpoint} is not the one that {path.name} names."
        raise DamagedError(what, "Restore both from one backup, or remove both.")
    if bound is None or not has_checkpoint:
        generation = uuid.uuid4().hex[:12]
        bound = SpeedBinding(topic_id, generation, 0, *find_beginning(), rules=RULES_VERSION)
    _refuse_other_topic(bound.topic_id, topic_id, SPEED)
    bound = msgspec.structs.replace(bound, epoch=bound.epoch + 1)
    write_atomically(path, msgspec.json.encode(bound))
    return bound


def has_other_rules(folder: DataFolder, topic_id: str) -> bool:
    """Check whether speed's generation counts by other rules than this release.

    Raises:
        LakeError: it has read another topic of that name.
    """
    bound = _read(_path(folder, SPEED), SpeedBinding)
    if bound is None or bound.rules == RULES_VERSION:
        return False
    _refuse_other_topic(bound.topic_id, topic_id, SPEED)
    return True


def tie_speed(folder: DataFolder, query: str) -> None:
    """Store the id that Spark gave to speed's checkpoint; the caller holds speed's lock."""
    path = _path(folder, SPEED)
    bound = _read(path, SpeedBinding)
    if bound is not None and bound.query != query:
        write_atomically(path, msgspec.json.encode(msgspec.structs.replace(bound, query=query)))


def refuse_other_tables(folder: DataFolder) -> None:
    """Check that the tables of silver and gold are those that batch has created.

    Missing tables are ignored, and so are tables without a binding, as in a folder of an earlier
    release.

    Raises:
        LakeError: a table is not the bound one.
    """
    _find_tables(folder, _read_table_ids(folder))


def bind_batch(folder: DataFolder, pinned: Iterable[str]) -> None:
    """Check batch's tables, and bind those that a published run pins; the caller holds its lock.

    Raises:
        LakeError: a table is not the bound one.
    """
    bound = _read_table_ids(folder)
    found = _find_tables(folder, bound)
    known = {**bound, **{name: found[name] for name in {*pinned, GOLD_RUN.name} & found.keys()}}
    if known != bound:
        write_atomically(_path(folder, "batch"), msgspec.json.encode(BatchBinding(known)))


def begin_batch(folder: DataFolder) -> None:
    """Remove batch's binding, because it creates all tables again; the caller holds its lock.

    Raises:
        LakeError: only gold/run is missing, so which versions of the others count is unknown.
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
    """Return the id of each existing table of silver and gold, after comparing it with `bound`."""
    opened = {table.name: open_table(folder.lake, table) for table in (*BATCH_TABLES, GOLD_RUN)}
    found = {name: str(one.metadata().id) for name, one in opened.items() if one is not None}
    for name, table_id in found.items():
        if bound.get(name, table_id) != table_id:
            what = f"The table {name} is not the one that batch has created in {folder.lake}."
            raise LakeError(what, _PUT_BACK)
    return found


def _refuse_other_topic(bound: str, found: str, query: str) -> None:
    if bound != found:
        what = f"The topic that the {query} has read (id {bound}) was deleted and created again."
        raise LakeError(what, "Its offsets now mean other records. Start a new data folder.")


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
