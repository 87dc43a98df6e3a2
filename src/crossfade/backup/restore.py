"""Restore of a backup; every file is verified before the data folder appears."""

from pathlib import Path

from crossfade.backup.copier import Copier
from crossfade.backup.draft import open_draft, require_empty
from crossfade.backup.manifest import Manifest, StoredFile, read_manifest
from crossfade.backup.take import ReportProgress
from crossfade.errors import LakeError, MisuseError
from crossfade.folder import FORMAT_VERSION, check_path
from crossfade.stack.disk_space import LEAST_FREE, require_disk_space


def restore_backup(backup: Path, root: Path, report: ReportProgress) -> Manifest:
    """Create a data folder from a backup: copy to a draft, verify each file, rename the draft.

    Args:
        backup: a folder that `take_backup` wrote.
        root: the data folder to create; it is empty or new.
        report: called after each piece; an error that it raises ends the restore without a trace.

    Raises:
        MisuseError: it is not a backup, has another format, or the data folder is not empty or has
            a path that no stack can use.
        LakeError: a file is missing or has changed; the message names it.
        StackError: the data folder cannot be written.
        MachineError: its disk has too little room.
    """
    root = root.absolute()
    check_path(root)
    manifest = read_manifest(backup)
    if manifest.folder_format != FORMAT_VERSION:
        what = (
            f"{backup} has a data folder of format {manifest.folder_format}; "
            f"this Crossfade reads format {FORMAT_VERSION}."
        )
        raise MisuseError(what, f"Restore it with release {manifest.code_version}, which wrote it.")
    require_empty(root)
    require_disk_space(root, manifest.size + LEAST_FREE)
    with open_draft(root) as draft:
        copier = Copier(backup, draft, lambda piece: report(piece, manifest.size))
        for file in manifest.files:
            _restore_file(copier, file)
    return manifest


def _restore_file(copier: Copier, file: StoredFile) -> None:
    copied = copier.copy_if_there(file.path)
    if copied == file:
        return
    path = copier.source / file.path
    if copied is None:
        what = f"{path} is missing."
    elif copied.size != file.size:
        what = f"{path} has {copied.size:,} bytes; {file.size:,} were written."
    else:
        what = f"{path} has changed: its SHA-256 differs."
    raise LakeError(what, "Nothing was restored: use another backup.")
