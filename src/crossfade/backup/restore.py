"""Restore a backup: every file is verified before any of it is used."""

from pathlib import Path

from crossfade.backup.copier import Copier
from crossfade.backup.draft import drafted, require_empty
from crossfade.backup.manifest import Manifest, StoredFile, read_manifest
from crossfade.backup.take import Tell
from crossfade.errors import LakeError, MisuseError
from crossfade.folder import FORMAT_VERSION, refuse_strange_path
from crossfade.stack.disk_space import LEAST_FREE, require_room


def restore_backup(backup: Path, root: Path, tell: Tell) -> Manifest:
    """Make a data folder of a backup: copied beside its place, verified, moved there whole.

    Args:
        backup: a folder that `take_backup` wrote.
        root: the data folder to make; it is empty or new.
        tell: told of each piece; what it raises ends the restore, and nothing is left of it.

    Raises:
        MisuseError: it is no backup, is of another format, or the data folder is not empty or has
            a path that no stack can use.
        LakeError: a file is missing or is not as it was written; it is named.
        StackError: the data folder cannot be written.
        MachineError: its disk has too little room.
    """
    root = root.absolute()
    refuse_strange_path(root)
    manifest = read_manifest(backup)
    if manifest.folder_format != FORMAT_VERSION:
        what = (
            f"{backup} is of a data folder of format {manifest.folder_format}; "
            f"this Crossfade reads format {FORMAT_VERSION}."
        )
        raise MisuseError(what, f"Restore it with release {manifest.code_version}, which took it.")
    require_empty(root)
    require_room(root, manifest.size + LEAST_FREE)
    with drafted(root) as draft:
        copier = Copier(backup, draft, lambda piece: tell(piece, manifest.size))
        for file in manifest.files:
            _restore_file(copier, file)
    return manifest


def _restore_file(copier: Copier, file: StoredFile) -> None:
    found = copier.copy_if_there(file.path)
    if found == file:
        return
    path = copier.source / file.path
    if found is None:
        what = f"{path} is missing."
    elif found.size != file.size:
        what = f"{path} has {found.size:,} bytes; {file.size:,} were written."
    else:
        what = f"{path} is not as it was written: its SHA-256 is another one."
    raise LakeError(what, "Nothing was restored: use another backup.")
