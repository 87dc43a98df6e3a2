"""What a backup says of itself: the moment that it holds, and every file with size and hash."""

import hashlib
from pathlib import Path, PurePosixPath

import msgspec

from crossfade.errors import LakeError, MisuseError
from crossfade.folder import write_atomically

MANIFEST = "backup.json"
BACKUP_FORMAT = 1


class StoredFile(msgspec.Struct, frozen=True):
    """A file of the backup; its path is below the backup as it was below the data folder."""

    path: str
    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """The moment that a backup holds.

    Attributes:
        backup_format: of this file and of the layout beside it.
        taken_at: when copying began, RFC 3339.
        code_version: the release that took it.
        folder_id: which data folder it is of.
        folder_format: that folder's format.
        run: the published run that every table of silver and gold is of; None: none yet.
        tables: the version of each table.
        records: how many records bronze holds.
        micro_batch: the archive's newest in bronze and checkpoint; -1: none.
        end_offsets: where the archive reads on, by partition of `song-plays`.
        topic_id: the topic that the archive reads; None: it never ran.
        has_kafka: whether the embedded broker's data are in it.
        files: all files.
        checksum: SHA-256 of this file as it is with an empty checksum.
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
        """Return the bytes of all files."""
        return sum(file.size for file in self.files)


def write_manifest(backup: Path, manifest: Manifest) -> None:
    """Write it into the backup, with its own checksum."""
    whole = msgspec.structs.replace(manifest, checksum=_checksum(manifest))
    write_atomically(backup / MANIFEST, msgspec.json.format(msgspec.json.encode(whole)))


def read_manifest(backup: Path) -> Manifest:
    """Read what a backup says of itself.

    Raises:
        MisuseError: the folder is no backup, or is of another format.
        LakeError: the file is damaged.
    """
    path = backup / MANIFEST
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        what = f"{backup} is no backup: it has no {MANIFEST}."
        raise MisuseError(what, 'Name a folder that "crossfade backup" wrote.') from None
    try:
        found = msgspec.json.decode(content, type=_Format).backup_format
        if found != BACKUP_FORMAT:
            what = f"{backup} has backup format {found}; this Crossfade reads {BACKUP_FORMAT}."
            raise MisuseError(what, "Restore it with the release that took it.")
        manifest = msgspec.json.decode(content, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _damaged(path, str(error)) from None
    unsigned = msgspec.structs.replace(manifest, checksum="")
    if manifest.checksum != _checksum(unsigned):
        raise _damaged(path, "its checksum is another one")
    for file in manifest.files:
        if ".." in PurePosixPath(file.path).parts or PurePosixPath(file.path).is_absolute():
            raise _damaged(path, f"it names {file.path}, which is outside")
    return manifest


class _Format(msgspec.Struct):
    backup_format: int


def _checksum(manifest: Manifest) -> str:
    return hashlib.sha256(msgspec.json.encode(manifest)).hexdigest()


def _damaged(path: Path, why: str) -> LakeError:
    return LakeError(f"{path} is damaged: {why}.", "Use another backup.")
