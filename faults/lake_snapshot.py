"""Read the files, versions and runs of a lake, so that a case can check whether they changed."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

GROUPS = ("bronze", "silver", "gold", "ops")

Snapshot = Mapping[str, str]
"""The digest of each file, by its path in the lake."""


def take_snapshot(data: Path, *groups: str) -> Snapshot:
    """Return the digests of all files of the tables, or of the tables of some groups."""
    lake = data / "datalake"
    return {
        str(path.relative_to(lake)): hashlib.sha256(path.read_bytes()).hexdigest()
        for group in groups or GROUPS
        for path in sorted((lake / group).rglob("*"))
        if path.is_file()
    }


def list_changes(before: Snapshot, after: Snapshot) -> list[str]:
    """List the files that were added, removed or changed."""
    both = {**before, **after}
    return [path for path in sorted(both) if before.get(path) != after.get(path)]


def version_of(data: Path, table: str) -> int:
    """Return a table's newest version; -1 if there is none."""
    log = data / "datalake" / table / "_delta_log"
    found = [int(path.stem) for path in log.glob("*.json") if path.stem.isdigit()]
    return max(found, default=-1)


def versions(data: Path) -> dict[str, int]:
    """Return the newest version of each table."""
    lake = data / "datalake"
    logs = (path for group in GROUPS for path in sorted((lake / group).glob("*/_delta_log")))
    names = [str(path.parent.relative_to(lake)) for path in logs]
    return {name: version_of(data, name) for name in names}


def live_files(data: Path, table: str, version: int | None = None) -> list[Path]:
    """List the data files of a table at a version (the newest if None)."""
    try:
        opened = DeltaTable(data / "datalake" / table, version)
    except TableNotFoundError:
        return []
    return sorted(Path(unquote(uri.removeprefix("file://"))) for uri in opened.file_uris())


def newest_run(data: Path) -> tuple[int, dict[str, int]]:
    """Return the number of the newest published run and its pins; -1 if there is none."""
    import pyarrow.parquet as pq

    rows = [
        row
        for path in live_files(data, "gold/run")
        for row in pq.read_table(path, columns=["run", "pins"], partitioning=None).to_pylist()
    ]
    newest = max(rows, key=lambda row: row["run"], default=None)
    return (-1, {}) if newest is None else (newest["run"], dict(newest["pins"]))


def snapshot_published(data: Path) -> Snapshot:
    """Return the digests of the files that the newest published run pins, which readers see."""
    _, pins = newest_run(data)
    lake = data / "datalake"
    return {
        str(path.relative_to(lake)): hashlib.sha256(path.read_bytes()).hexdigest()
        for table, version in pins.items()
        for path in live_files(data, table, version)
    }


def generation_of(data: Path) -> str:
    """Return speed's current generation, the id of its checkpoint."""
    binding = data / "datalake" / "_checkpoint" / "speed.binding.json"
    return str(json.loads(binding.read_bytes())["generation"])


def newest_number(folder: Path) -> int:
    """Return the greatest number among a checkpoint log's file names; -1 if there is none."""
    numbers = [int(path.name) for path in folder.glob("*") if path.name.isdigit()]
    return max(numbers, default=-1)
