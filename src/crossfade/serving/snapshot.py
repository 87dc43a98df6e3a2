"""What batch published, as of one run: opened at its pins, built once, never changed."""

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import duckdb
from deltalake.exceptions import DeltaError

from crossfade.clock import utc_date
from crossfade.contract.boundary import NO_BOUNDARY, RECENT_WINDOWS
from crossfade.errors import LakeError
from crossfade.folder import DataFolder
from crossfade.lake.binding import refuse_other_tables
from crossfade.lake.connection import connect, register_table
from crossfade.lake.runs import Run, read_newest_run
from crossfade.lake.tables import (
    GOLD_CHART,
    GOLD_LISTENERS,
    GOLD_RUN,
    GOLD_SONG_DAY,
    GOLD_SONG_WINDOW,
    Table,
    list_files,
    open_table,
    table_path,
)
from crossfade.telemetry import get_logger

"""Windows below the boundary that are kept in memory: what trending may need of batch."""

_PINNED = (GOLD_SONG_WINDOW, GOLD_SONG_DAY, GOLD_LISTENERS, GOLD_CHART)
_PARTITION_VALUE = re.compile(r"([a-z]+)=([^/]+)/")
_POLL_S = 1.0

_log = get_logger("serve")


class PinnedFile(NamedTuple):
    """A data file of a pinned table, with the lake partition that it lies in."""

    path: str
    partition: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One published run and the files of its tables, at the versions that it pinned.

    The last few windows below the boundary are tables in memory: `recent_window` and
    `recent_listeners`, from `recent_from` on. `run` is None before batch published anything.
    """

    run: Run | None
    connection: duckdb.DuckDBPyConnection
    files: Mapping[str, Sequence[PinnedFile]]
    recent_from: int

    @property
    def boundary(self) -> int:
        """Return the time boundary; minus infinity before the first run."""
        return self.run.boundary if self.run is not None else NO_BOUNDARY

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Open a connection of one request's own: it must close it."""
        return self.connection.cursor()

    def files_on(self, table: Table, first: date, last: date) -> list[str]:
        """Return the files that may hold a table's days, both included: DuckDB opens no others."""
        found = self.files[table.name]
        if "date" not in table.partitioned_by:
            return [path for path, _ in found]
        days = str(first), str(last)
        return [path for path, partition in found if days[0] <= partition["date"] <= days[1]]

    def files_of_chart(self, chart: str, period: str) -> list[str]:
        """Return the files of one chart and kind of period."""
        wanted = {"chart": chart, "period": period}
        return [path for path, partition in self.files[GOLD_CHART.name] if partition == wanted]


def scan(table: Table) -> str:
    """Return the SQL that reads the files of a table; the list of files is its one parameter."""
    if not table.partitioned_by:
        return "read_parquet(?, union_by_name = true)"
    types = {"date": "DATE"}
    hive = ", ".join(f"'{name}': {types.get(name, 'VARCHAR')}" for name in table.partitioned_by)
    return (
        f"read_parquet(?, union_by_name = true, hive_partitioning = true, hive_types = {{{hive}}})"
    )


def build_snapshot(folder: DataFolder) -> Snapshot:
    """Open every table at the newest run's pins.

    Raises:
        LakeError: a pinned version cannot be read any more, or is of another stack's table.
    """
    refuse_other_tables(folder)
    run = read_newest_run(folder.lake)
    files = {table.name: _list_pinned(folder, table, run) for table in _PINNED}
    boundary = run.boundary if run is not None else NO_BOUNDARY
    recent_from = boundary - RECENT_WINDOWS * folder.time_rules.grain_ms
    snapshot = Snapshot(run, connect(), files, recent_from)
    _keep_recent(snapshot)
    return snapshot


def _list_pinned(folder: DataFolder, table: Table, run: Run | None) -> list[PinnedFile]:
    version = run.pins.get(table.name) if run is not None else None
    if version is None:
        return []
    try:
        paths = list_files(folder.lake, table, version)
    except DeltaError as error:
        what = f"{table.name} has no version {version} any more: {error}."
        raise LakeError(what, 'See "crossfade reconcile".') from None
    inner = f"/{table.name}/"
    found = ((path, _PARTITION_VALUE.findall(path.rpartition(inner)[2])) for path in paths)
    return [
        PinnedFile(path, dict(values))
        for path, values in found
        # Of a partitioned table, only a file without rows lies outside every lake partition.
        if values or not table.partitioned_by
    ]


def _keep_recent(snapshot: Snapshot) -> None:
    """Read the last windows into memory."""
    span = max(snapshot.recent_from, 0), max(snapshot.boundary, 0)
    days = utc_date(span[0]), utc_date(span[1])
    for name, table, time in (
        ("recent_window", GOLD_SONG_WINDOW, "window_start"),
        ("recent_listeners", GOLD_LISTENERS, "period_start"),
    ):
        files = snapshot.files_on(table, *days)
        register_table(snapshot.connection, table, files)
        of_windows = "" if table is GOLD_SONG_WINDOW else "AND grain = 'window' "
        snapshot.connection.execute(
            f"CREATE TABLE {name} AS SELECT * FROM {table.name.replace('/', '_')} "
            f"WHERE epoch_ms({time}) >= ? {of_windows}AND epoch_ms({time}) < ?",
            span,
        )


class SnapshotWatcher:
    """Polls gold/run alone, and swaps in a new snapshot when a run was published."""

    def __init__(self, folder: DataFolder, on_poll: Callable[[Snapshot], None]) -> None:
        self._folder = folder
        self._on_poll = on_poll
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._version = -1
        self._has_looked = False
        self._thread = threading.Thread(target=self._watch, name="gold-run", daemon=True)
        self._current = _build_empty()

    @property
    def current(self) -> Snapshot:
        """Return the snapshot to answer one whole request from."""
        return self._current

    @property
    def has_looked(self) -> bool:
        """Check whether gold was read, or found not to be there yet."""
        return self._has_looked

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Stop watching, and let go of the tables."""
        self._stop.set()
        self._thread.join(_POLL_S * 3)
        self._current.connection.close()

    def refresh(self) -> None:
        """Look for a new run now, and let the snapshot before it be forgotten."""
        with self._lock:
            before = self._current
            if self._is_newer():
                runs = open_table(self._folder.lake, GOLD_RUN)
                self._current = build_snapshot(self._folder)
                self._version = runs.version() if runs is not None else -1
                run = self._current.run
                _log.info("snapshot", run=run.run if run is not None else None)
        self._has_looked = True
        self._on_poll(before)

    def try_refresh(self) -> None:
        """Look for a new run; where gold cannot be read, keep the snapshot and say so."""
        try:
            self.refresh()
        except (LakeError, DeltaError, duckdb.Error, OSError) as error:
            _log.warning("snapshot_failed", error=str(error))

    def _is_newer(self) -> bool:
        """Check whether gold/run has a commit after the one last seen, without opening it."""
        log = table_path(self._folder.lake, GOLD_RUN) / "_delta_log"
        if self._version < 0:
            return log.exists()
        return (log / f"{self._version + 1:020}.json").exists()

    def _watch(self) -> None:
        self.try_refresh()
        while not self._stop.wait(_POLL_S):
            self.try_refresh()


def _build_empty() -> Snapshot:
    files: dict[str, list[PinnedFile]] = {table.name: [] for table in _PINNED}
    snapshot = Snapshot(None, connect(), files, NO_BOUNDARY)
    _keep_recent(snapshot)
    return snapshot
