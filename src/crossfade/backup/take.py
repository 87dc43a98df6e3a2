"""Take a backup: choose a point, copy its files, verify the copy, rename it to the target."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import crossfade
from crossfade.backup.backup_point import (
    BackupPoint,
    choose_point,
    list_backup_files,
    verify_copies,
)
from crossfade.backup.broker_files import copy_broker, holds_topic, measure_broker
from crossfade.backup.copier import Copier
from crossfade.backup.draft import open_draft, require_empty
from crossfade.backup.manifest import BACKUP_FORMAT, Manifest, StoredFile, write_manifest
from crossfade.backup.version_files import count_records
from crossfade.clock import format_time, now_ms
from crossfade.errors import MisuseError
from crossfade.folder import DataFolder
from crossfade.lake.tables import BRONZE_SONG_PLAYS
from crossfade.stack.disk_space import LEAST_FREE, require_disk_space
from crossfade.stack.hold import hold_maintenance_lock

ReportProgress = Callable[[int, int], None]
"""Called with the bytes of each piece copied, and the estimated bytes of all."""


def take_backup(folder: DataFolder, target: Path, report: ReportProgress) -> Manifest:
    """Copy a data folder's lake, the archive's checkpoint and Kafka's data while they are in use.

    Speed's checkpoint is left out: after a restore, speed begins a new generation.

    Args:
        folder: the data folder; a stack may run on it.
        target: an empty or new folder outside the data folder; it appears when it is complete.
        report: called after each piece; an error that it raises ends the backup without a trace.

    Raises:
        MisuseError: the target is not empty, or inside the data folder.
        StackError: another backup or an erasure is running, or the target cannot be written.
        LakeError: the lake's parts do not match, or the copy is incomplete.
        MachineError: the target's disk has too little room.
    """
    target = target.absolute()
    require_empty(target)
    if target.resolve().is_relative_to(folder.root.resolve()):
        what = f"{target} is inside the data folder {folder.root}."
        raise MisuseError(what, "Name a folder outside it, better on another disk.")
    with hold_maintenance_lock(folder):
        taken_at = format_time(now_ms())
        point = choose_point(folder)
        paths = list_backup_files(folder, point)
        has_kafka = holds_topic(folder, point.archive.topic_id)
        size = _measure(folder, paths) + (measure_broker(folder) if has_kafka else 0)
        require_disk_space(target, size + LEAST_FREE, "Free space there, or use another disk.")
        with open_draft(target) as draft:
            copier = Copier(folder.root, draft, lambda piece: report(piece, size))
            for path in paths:
                copier.copy_if_there(path)
            if has_kafka:
                copy_broker(folder, copier)
            copy = DataFolder(draft, folder.identity)
            verify_copies(copy, point)
            files = copier.copied
            manifest = _describe(copy, point, files, taken_at=taken_at, has_kafka=has_kafka)
            write_manifest(draft, manifest)
    return manifest


def _describe(
    copy: DataFolder, point: BackupPoint, files: list[StoredFile], *, taken_at: str, has_kafka: bool
) -> Manifest:
    archive = point.archive
    bronze = archive.version
    records = 0 if bronze is None else count_records(copy.lake, BRONZE_SONG_PLAYS, bronze)
    return Manifest(
        backup_format=BACKUP_FORMAT,
        taken_at=taken_at,
        code_version=crossfade.__version__,
        folder_id=copy.identity.folder_id,
        folder_format=copy.identity.format_version,
        run=None if point.run is None else point.run.run,
        tables=dict(point.tables),
        records=records,
        micro_batch=archive.micro_batch,
        end_offsets=dict(archive.end_offsets),
        topic_id=archive.topic_id,
        has_kafka=has_kafka,
        files=files,
    )


def _measure(folder: DataFolder, paths: list[str]) -> int:
    size = 0
    for path in paths:
        with suppress(FileNotFoundError):
            size += (folder.root / path).stat().st_size
    return size
