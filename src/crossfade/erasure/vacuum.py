"""Remove the files of old versions that no published version needs."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from crossfade.clock import DAY_MS, now_ms
from crossfade.lake.runs import Run
from crossfade.lake.tables import (
    BATCH_TABLES,
    BRONZE_SONG_PLAYS,
    Table,
    list_files,
    open_table,
    table_path,
)

_AS_LOGGED: dict[str, Any] = {
    "retention_hours": 0,
    "enforce_retention_duration": False,
    "dry_run": True,
}
"""Arguments that list the files marked as removed in the log, and delete nothing."""


def vacuum_bronze(lake: Path, run: Run) -> int:
    """Remove the files that bronze's log marks as removed and that the run does not need.

    A file that the log does not name is kept: the archive may be about to commit it.
    """
    bronze = open_table(lake, BRONZE_SONG_PLAYS)
    pin = run.pins.get(BRONZE_SONG_PLAYS.name)
    if bronze is None or pin is None:
        return 0
    old = _names(bronze.vacuum(**_AS_LOGGED, keep_versions=[pin]))
    if not old:
        return 0
    return _remove(path for path in _on_disk(lake, BRONZE_SONG_PLAYS) if path.name in old)


def vacuum_batch_tables(lake: Path, run: Run) -> int:
    """Remove every file of silver and gold that is not in the run's version or the newest one.

    The caller holds batch's lock, so no other process is about to commit one.
    """
    removed = 0
    for table in BATCH_TABLES:
        opened = open_table(lake, table)
        if opened is None:
            continue
        needed = _names([*opened.file_uris(), *list_files(lake, table, run.pins[table.name])])
        removed += _remove(path for path in _on_disk(lake, table) if path.name not in needed)
    return removed


def vacuum_abandoned(lake: Path, *, has_writer: bool) -> int:
    """Remove the files of bronze that its log does not name, left by a killed driver.

    While a writer runs, only files older than any micro-batch can be: a day.
    """
    bronze = open_table(lake, BRONZE_SONG_PLAYS)
    if bronze is None:
        return 0
    named = _names([*bronze.file_uris(), *bronze.vacuum(**_AS_LOGGED)])
    before = now_ms() - DAY_MS if has_writer else now_ms() + DAY_MS
    return _remove(
        path
        for path in _on_disk(lake, BRONZE_SONG_PLAYS)
        if path.name not in named and path.stat().st_mtime_ns < before * 1_000_000
    )


def _names(paths: Iterable[str]) -> set[str]:
    """Return the names of data files, which are unique."""
    return {path.rpartition("/")[2] for path in paths}


def _on_disk(lake: Path, table: Table) -> list[Path]:
    found = table_path(lake, table).rglob("*.parquet")
    return [path for path in found if "_delta_log" not in path.parts]


def _remove(paths: Iterable[Path]) -> int:
    removed = 0
    for path in list(paths):
        path.unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            path.with_name(f".{path.name}.crc").unlink()
        removed += 1
    return removed
