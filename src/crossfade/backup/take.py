"""Take a backup: choose a moment, copy what is of it, prove the copy, put it in its place."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import crossfade
from crossfade.backup.backup_point import Moment, check_copies, choose_moment, list_files
from crossfade.backup.broker_files import copy_broker, holds_topic, measure_broker
from crossfade.backup.copier import Copier
from crossfade.backup.draft import drafted, require_empty
from crossfade.backup.manifest import BACKUP_FORMAT, Manifest, StoredFile, write_manifest
from crossfade.backup.version_files import count_records
from crossfade.clock import format_time, now_ms
from crossfade.errors import MisuseError
from crossfade.folder import DataFolder
from crossfade.lake.tables import BRONZE_SONG_PLAYS
from crossfade.stack.disk_space import LEAST_FREE, require_room
from crossfade.stack.hold import hold_maintenance

Tell = Callable[[int, int], None]
"""Told of bytes copied, and of all there are to copy, as far as known."""


def take_backup(folder: DataFolder, target: Path, tell: Tell) -> Manifest:
    """Copy a data folder's lake, the archive's checkpoint and Kafka's data while they are used.

    Speed's checkpoint is left out: after a restore speed begins a new generation.

    Args:
        folder: the data folder; a stack may run on it.
        target: an empty or new folder outside of it; written beside its place, moved there whole.
        tell: told of each piece; what it raises ends the backup, and nothing is left of it.

    Raises:
        MisuseError: the target is not empty, or inside the data folder.
        StackError: another backup or an erasure is at work, or the target cannot be written.
        LakeError: the lake's parts do not belong together.
        MachineError: the target's disk has too little room.
    """
    target = target.absolute()
    require_empty(target)
    if target.resolve().is_relative_to(folder.root.resolve()):
        what = f"{target} is inside the data folder {folder.root}."
        raise MisuseError(what, "Name a folder outside, better on another disk.")
    with hold_maintenance(folder):
        taken_at = format_time(now_ms())
        moment = choose_moment(folder)
        paths = list_files(folder, moment)
        has_kafka = holds_topic(folder, moment.archive.topic_id)
        size = _measure(folder, paths) + (measure_broker(folder) if has_kafka else 0)
        require_room(target, size + LEAST_FREE, "Make room there, or name a place on another disk.")
        with drafted(target) as draft:
            copier = Copier(folder.root, draft, lambda piece: tell(piece, size))
            for path in paths:
                copier.copy_if_there(path)
            if has_kafka:
                copy_broker(folder, copier)
            copy = DataFolder(draft, folder.identity)
            check_copies(copy, moment)
            files = copier.copied
            manifest = _describe(copy, moment, files, taken_at=taken_at, has_kafka=has_kafka)
            write_manifest(draft, manifest)
    return manifest


def _describe(
    copy: DataFolder, moment: Moment, files: list[StoredFile], *, taken_at: str, has_kafka: bool
) -> Manifest:
    archive = moment.archive
    bronze = archive.version
    records = 0 if bronze is None else count_records(copy.lake, BRONZE_SONG_PLAYS, bronze)
    return Manifest(
        backup_format=BACKUP_FORMAT,
        taken_at=taken_at,
        code_version=crossfade.__version__,
        folder_id=copy.identity.folder_id,
        folder_format=copy.identity.format_version,
        run=None if moment.run is None else moment.run.run,
        tables=dict(moment.tables),
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
