"""The manifest of a backup: its point in time, and every file with its size and hash."""

import hashlib
from pathlib import Path, PurePosixPath

import msgspec

from crossfade.errors import LakeError, MisuseError
from crossfade.folder import write_atomically

MANIFEST = "backup.json"
BACKUP_FORMAT = 1


class StoredFile(msgspec.Struct, frozen=True):
    """A file of the backup; `path` is relative to the backup, as it was to the data folder."""

    path: str
    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """The contents of a backup.

    Attributes:
        backup_format: the format of this file and of the backup's layout.
        taken_at: when copying began, RFC 3339.
        code_version: the release that wrote it.
        folder_id: the id of the data folder.
        folder_format: the format of the data folder.
        run: the published run at whose pins silver and gold are; None: no run yet.
        tables: the version of each table.
        records: the number of records in bronze.
        micro_batch: the archive's newest micro-batch in bronze and checkpoint; -1: none.
        end_offsets: the next offset of the archive, by partition of `song-plays`.
        topic_id: the topic that the archive reads; None: it never ran.
        has_kafka: whether the embedded broker's data are included.
        files: all files.
        checksum: SHA-256 of this file with an empty checksum.
    """

    backup_format: int
    taken_at: str
    code_version: str
    folder_id: str
    folder_format: int
    run: int | None
    tables: dict[str, int]
    records: int
    micro_batch: int
    end_offsets: dict[int, int]
    topic_id: str | None
    has_kafka: bool
    files: list[StoredFile]
    checksum: str = ""

    @property
    def size(self) -> int:
        """Return the total bytes of all files."""
        return sum(file.size for file in self.files)


def write_manifest(backup: Path, manifest: Manifest) -> None:
    """Write the manifest into the backup, with its own checksum."""
    whole = msgspec.structs.replace(manifest, checksum=_checksum(manifest))
    write_atomically(backup / MANIFEST, msgspec.json.format(msgspec.json.encode(whole)))


def read_manifest(backup: Path) -> Manifest:
    """Read a backup's manifest.

    Raises:
        MisuseError: the folder is not a backup, or has another format.
        LakeError: the manifest is damaged.
    """
    path = backup / MANIFEST
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        what = f"{backup} is not a backup: it has no {MANIFEST}."
        raise MisuseError(what, 'Name a folder that "crossfade backup" wrote.') from None
    try:
        found = msgspec.json.decode(content, type=_Format).backup_format
        if found != BACKUP_FORMAT:
            what = f"{backup} has backup format {found}; this Crossfade reads {BACKUP_FORMAT}."
            raise MisuseError(what, "Restore it with the release that wrote it.")
        manifest = msgspec.json.decode(content, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _damaged(path, str(error)) from None
    unsigned = msgspec.structs.replace(manifest, checksum="")
    if manifest.checksum != _checksum(unsigned):
        raise _damaged(path, "its checksum differs")
    for file in manifest.files:
        if ".." in PurePosixPath(file.path).parts or PurePosixPath(file.path).is_absolute():
            raise _damaged(path, f"it names {file.path}, which is outside the backup")
    return manifest


class _Format(msgspec.Struct):
    backup_format: int


def _checksum(manifest: Manifest) -> str:
    return hashlib.sha256(msgspec.json.encode(manifest)).hexdigest()


def _damaged(path: Path, why: str) -> LakeError:
    return LakeError(f"{path} is damaged: {why}.", "Use another backup.")
