"""The files that one version of a Delta table needs."""

from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from crossfade.errors import LakeError
from crossfade.lake.tables import Table, table_path

_LOG = "_delta_log"
_VERSION_DIGITS = 20


def list_version_files(lake: Path, table: Table, version: int, pin: int | None = None) -> list[str]:
    """List the files of a table's version by path below the lake; the log comes first.

    `_last_checkpoint` is left out: it may point beyond the version, and a reader without it lists
    the folder. Hadoop's sidecar files, which hold checksums, are included.

    Args:
        lake: the lake's folder.
        table: the table.
        version: the newest version in the copy.
        pin: an earlier version that a published run pins; an erasure may have rewritten its files
            since.

    Raises:
        LakeError: a data file or the log of a version is gone.
    """
    root = table_path(lake, table)
    data = [root / path for path in sorted(_needed_files(lake, table, version, pin))]
    for path in data:
        if not path.exists():
            what = f"The file {path} of {table.name} is gone."
            raise LakeError(what, "The lake is damaged: restore an older backup.")
    listed = [*_list_log(root / _LOG, version), *data]
    sidecars = [path.with_name(f".{path.name}.crc") for path in listed]
    return [
        str(path.relative_to(lake))
        for path in (*listed, *(path for path in sidecars if path.exists()))
    ]


def count_records(lake: Path, table: Table, version: int) -> int:
    """Count the rows of a version from the table's log."""
    return sum(_actions(lake, table, version)["num_records"].to_pylist())


def verify_table_copy(lake: Path, table: Table, version: int, pin: int | None = None) -> None:
    """Check that a copied table is at its version and has every needed file at full size.

    Raises:
        LakeError: it is not.
    """
    root = table_path(lake, table)
    try:
        newest = DeltaTable(root).version()
        needed = _needed_files(lake, table, version, pin)
        wrong = [path for path, size in needed.items() if (root / path).stat().st_size != size]
    except (DeltaError, FileNotFoundError) as error:
        raise _incomplete(table, version, str(error)) from None
    if newest != version or wrong:
        raise _incomplete(table, version, f"at version {newest}; of other size: {wrong[:3]}")


def _needed_files(lake: Path, table: Table, version: int, pin: int | None) -> dict[str, int]:
    """Return the size of each data file by its path below the table."""
    needed: dict[str, int] = {}
    for one in {version, version if pin is None else pin}:
        actions = _actions(lake, table, one)
        both = (actions[name].to_pylist() for name in ("path", "size_bytes"))
        needed |= dict(zip(*both, strict=True))
    return needed


def _actions(lake: Path, table: Table, version: int) -> pa.Table:
    try:
        opened = DeltaTable(table_path(lake, table), version=version)
    except DeltaError as error:
        what = f"{table.name} cannot be read at version {version}: {error}."
        raise LakeError(what, "Its log was cut: restore an older backup.") from None
    return pa.table(opened.get_add_actions())


def _list_log(log: Path, version: int) -> list[Path]:
    """List a log's files up to a version: commits, checkpoints and Delta's checksums."""
    return [
        path
        for path in sorted(log.iterdir())
        if path.name[:_VERSION_DIGITS].isdecimal()
        and path.suffix in {".json", ".parquet", ".crc"}
        and ".compacted." not in path.name
        and int(path.name[:_VERSION_DIGITS]) <= version
    ]


def _incomplete(table: Table, version: int, why: str) -> LakeError:
    what = f"The copy of {table.name} at version {version} is incomplete: {why}."
    return LakeError(what, "Back up again: another process changed the lake's files.")
