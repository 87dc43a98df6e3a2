"""Data folders to back up, and readers of the copies, for tests of backups."""

from pathlib import Path

import msgspec
import pyarrow as pa
from deltalake import CommitProperties, Transaction, write_deltalake

from crossfade.backup.manifest import Manifest
from crossfade.backup.restore import restore_backup
from crossfade.backup.take import take_backup
from crossfade.config import load_settings
from crossfade.folder import DataFolder, open_folder, write_atomically
from crossfade.lake.binding import ArchiveBinding, bind_batch
from crossfade.lake.connection import connect, register_table
from crossfade.lake.runs import require_run
from crossfade.lake.tables import BRONZE_SONG_PLAYS, TABLES, open_table, table_path
from support.handmade_lake import NOON, a_lake, a_play, records_of

QUERY_ID = "5d1f"
ENDS = {0: 10, 1: 10}


def a_backed_up_folder(root: Path, *, batch: int = 7) -> DataFolder:
    """Create a data folder with a published run; bronze and checkpoint are at a micro-batch."""
    folder = open_folder(load_settings(data=root))
    plays = [a_play(number) for number in range(20)]
    a_lake(records_of(*plays), boundary=NOON).write(folder)
    write_checkpoint(folder, batch)
    commit_micro_batch(folder, batch)
    binding = ArchiveBinding("topic", "table", {0: 0, 1: 0})
    write_atomically(folder.checkpoints / "archive.binding.json", msgspec.json.encode(binding))
    bind_batch(folder, require_run(folder.lake).pins)
    write_atomically(folder.checkpoints / "speed.binding.json", b"{}")
    write_atomically(folder.checkpoints / "speed" / "metadata", b"{}")
    return folder


def write_checkpoint(folder: DataFolder, newest: int, *, committed: int | None = None) -> None:
    """Write the archive's checkpoint in Spark's format, up to a micro-batch."""
    root = folder.checkpoints / "archive"
    write_atomically(root / "metadata", b'{"id":"%b"}' % QUERY_ID.encode())
    write_atomically(root / "sources" / "0" / "0", b'v1\n{"song-plays":{"0":0,"1":0}}')
    for number in range(newest + 1):
        plan = b'v1\n{"batchWatermarkMs":0}\n{"song-plays":{"0":10,"1":10}}'
        for name in (f"offsets/{number}", f"offsets/.{number}.crc"):
            write_atomically(root / name, plan)
    for number in range((newest if committed is None else committed) + 1):
        write_atomically(root / "commits" / str(number), b"v1\n{}")


def commit_micro_batch(folder: DataFolder, number: int) -> int:
    """Commit an empty micro-batch to bronze and return the version that it makes."""
    opened = open_table(folder.lake, BRONZE_SONG_PLAYS)
    assert opened is not None
    schema = pa.schema(opened.schema().to_arrow())
    write_deltalake(
        opened,
        schema.empty_table(),
        mode="append",
        commit_properties=CommitProperties(app_transactions=[Transaction(QUERY_ID, number)]),
    )
    return opened.version()


def ignore_progress(*_progress: object) -> None:
    """Ignore progress reports."""


def back_up(folder: DataFolder, target: Path) -> Manifest:
    return take_backup(folder, target, ignore_progress)


def restore(backup: Path, root: Path) -> DataFolder:
    restore_backup(backup, root, ignore_progress)
    return open_folder(load_settings(data=root), create=False)


def read_table(lake: Path, name: str, version: int | None = None) -> list[tuple[object, ...]]:
    """Read a table's rows at a version, sorted by their text."""
    opened = open_table(lake, TABLES[name], version)
    if opened is None:
        return []
    connection = connect()
    register_table(connection, TABLES[name], opened.file_uris(), view="rows")
    return sorted(connection.execute("SELECT * FROM rows").fetchall(), key=repr)


def log_of(lake: Path, name: str) -> list[str]:
    """List the file names of a table's Delta log."""
    return sorted(path.name for path in (table_path(lake, TABLES[name]) / "_delta_log").iterdir())
