"""The consistent point of a backup: versions of tables and checkpoint that belong together."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from crossfade.backup.version_files import list_version_files, verify_table_copy
from crossfade.errors import LakeError
from crossfade.folder import ARCHIVE, DataFolder
from crossfade.lake.archived import newest_archived, read_archived_ends
from crossfade.lake.binding import read_archive_binding, refuse_other_tables
from crossfade.lake.checkpoint import (
    NO_BATCH,
    newest_committed,
    newest_planned,
)
from crossfade.lake.runs import Run, read_newest_run
from crossfade.lake.tables import BRONZE_SONG_PLAYS, GOLD_RUN, TABLES, open_table

_BINDINGS = ("archive.binding.json", "batch.binding.json")
_ERASURE_FOLDERS = ("suppression", "erasures")
"""Folders that erasure writes in a data folder; they may be absent."""


@dataclass(frozen=True, slots=True)
class ArchivePoint:
    """A version of bronze, and the archive's micro-batch that is the last in it."""

    version: int | None
    micro_batch: int
    end_offsets: Mapping[int, int]
    topic_id: str | None


@dataclass(frozen=True, slots=True)
class BackupPoint:
    """The newest published run, a version of each table, and the archive's state in bronze."""

    run: Run | None
    tables: Mapping[str, int]
    archive: ArchivePoint

    def pin(self, table: str) -> int | None:
        """Return the version of a table that the run pins; None where it pins none."""
        return None if self.run is None else self.run.pins.get(table)


def choose_point(folder: DataFolder) -> BackupPoint:
    """Choose a version of each table, in an order that is consistent while the stack writes.

    First come the hand-overs, so that each is of a run in the backup. Then comes the newest
    published run, whose pins never change. Then comes bronze, which is at the run's pin or beyond.
    Kafka is copied after the lake, so that it still has what the archive has not read.

    Raises:
        LakeError: the archive's checkpoint and bronze do not match, or a table of silver or gold
            is another stack's.
    """
    refuse_other_tables(folder)
    tables = {}
    for name, table in TABLES.items():
        if name.startswith("ops/") and (opened := open_table(folder.lake, table)) is not None:
            tables[name] = opened.version()
    run = None
    if (published := open_table(folder.lake, GOLD_RUN)) is not None:
        run = read_newest_run(folder.lake, published.version())
        if run is not None:
            tables |= {GOLD_RUN.name: published.version(), **run.pins}
    archive = _read_archive(folder)
    if archive.version is not None:
        tables[BRONZE_SONG_PLAYS.name] = archive.version
    _refuse_cut_bronze(run, archive.version)
    return BackupPoint(run, tables, archive)


def list_backup_files(folder: DataFolder, point: BackupPoint) -> list[str]:
    """List all files of the point except Kafka's data, by path below the data folder.

    The files that a running stack deletes soonest come first: Spark keeps 100 micro-batches.
    """
    paths = [*_list_checkpoint(folder, point.archive.micro_batch), folder.identity_file]
    for name in _ERASURE_FOLDERS:
        paths += sorted(path for path in (folder.root / name).rglob("*") if path.is_file())
    named = [str(path.relative_to(folder.root)) for path in paths]
    lake = folder.lake.relative_to(folder.root)
    for name, version in point.tables.items():
        files = list_version_files(folder.lake, TABLES[name], version, point.pin(name))
        named += [str(lake / path) for path in files]
    return named


def verify_copies(copy: DataFolder, point: BackupPoint) -> None:
    """Check that each table and the checkpoint in a copy is complete and at the point.

    Raises:
        LakeError: one is not: something deleted files while they were copied.
    """
    for name, version in point.tables.items():
        verify_table_copy(copy.lake, TABLES[name], version, point.pin(name))
    batch = point.archive.micro_batch
    if newest_planned(copy.checkpoints / ARCHIVE) != batch:
        what = f"The copy of the {ARCHIVE}'s checkpoint lacks micro-batch {batch}."
        raise LakeError(what, "Back up again.")


def _read_archive(folder: DataFolder) -> ArchivePoint:
    """Read bronze's newest version and, from its log, the micro-batch: so the two match."""
    binding = read_archive_binding(folder)
    topic_id = None if binding is None else binding.topic_id
    checkpoint = folder.checkpoints / ARCHIVE
    committed = newest_committed(checkpoint)
    bronze = open_table(folder.lake, BRONZE_SONG_PLAYS)
    if bronze is None:
        return ArchivePoint(None, NO_BATCH, {}, topic_id)
    batch = newest_archived(checkpoint, bronze)
    if batch < committed:
        what = f"Bronze ends with micro-batch {batch}, but {checkpoint} is at {committed}."
        raise LakeError(what, "Restore both from one backup.")
    ends = read_archived_ends(checkpoint, bronze)
    if not ends and binding is not None:
        ends = binding.first_offsets
    return ArchivePoint(bronze.version(), batch, ends, topic_id)


def _refuse_cut_bronze(run: Run | None, version: int | None) -> None:
    pin = -1 if run is None else run.pins.get(BRONZE_SONG_PLAYS.name, -1)
    if (-1 if version is None else version) < pin:
        what = f"Bronze is at version {version}, but the newest run pins version {pin}."
        raise LakeError(what, "Its log was cut: restore an older backup.")


def _list_checkpoint(folder: DataFolder, batch: int) -> list[Path]:
    """List the files of the archive's checkpoint up to a micro-batch."""
    root = folder.checkpoints / ARCHIVE
    numbered = [
        path
        for log in ("offsets", "commits")
        for path in sorted((root / log).glob("*"))
        if path.name.isdecimal() and int(path.name) <= batch
    ]
    fixed = [*(folder.checkpoints / name for name in _BINDINGS), root / "metadata"]
    fixed += sorted(path for path in (root / "sources").rglob("*") if path.is_file())
    listed = [path for path in (*numbered, *fixed) if path.exists() and path.suffix != ".crc"]
    sidecars = [path.with_name(f".{path.name}.crc") for path in listed]
    return [*listed, *(path for path in sidecars if path.exists())]
