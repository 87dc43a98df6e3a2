"""Immutable snapshots of what batch published: the tables at the pins of one run."""

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

_PINNED = (GOLD_SONG_WINDOW, GOLD_SONG_DAY, GOLD_LISTENERS, GOLD_CHART)
_PARTITION_VALUE = re.compile(r"([a-z]+)=([^/]+)/")
_POLL_S = 1.0

_log = get_logger("serve")


class PinnedFile(NamedTuple):
    """A data file of a pinned table, and the values of its lake partition."""

    path: str
    partition: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One published run and the files of its tables, at the versions that it pinned.

    The windows from `recent_from` to the boundary, which trending may need, are tables in memory:
    `recent_window` and `recent_listeners`. `run` is None before batch published anything.
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
        """Open a cursor for one request, which must close it."""
        return self.connection.cursor()

    def files_on(self, table: Table, first: date, last: date) -> list[str]:
        """Return a table's files that may hold days from first to last, both inclusive."""
        found = self.files[table.name]
        if "date" not in table.partitioned_by:
            return [path for path, _ in found]
        days = str(first), str(last)
        return [path for path, partition in found if days[0] <= partition["date"] <= days[1]]

    def files_of_chart(self, chart: str, period: str) -> list[str]:
        """Return the files of one chart and one kind of period."""
        wanted = {"chart": chart, "period": period}
        return [path for path, partition in self.files[GOLD_CHART.name] if partition == wanted]


def scan_sql(table: Table) -> str:
    """Return the SQL that reads a table's files; its one parameter is the list of files."""
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
        LakeError: a pinned version is gone, or the tables are another stack's.
    """
    refuse_other_tables(folder)
    run = read_newest_run(folder.lake)
    files = {table.name: _list_pinned(folder, table, run) for table in _PINNED}
    boundary = run.boundary if run is not None else NO_BOUNDARY
    recent_from = boundary - RECENT_WINDOWS * folder.time_rules.grain_ms
    snapshot = Snapshot(run, connect(), files, recent_from)
    _load_recent(snapshot)
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


def _load_recent(snapshot: Snapshot) -> None:
    """Read the windows from `recent_from` to the boundary into memory."""
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
    """Polls only gold/run, and replaces the snapshot when a run was published."""

    def __init__(self, folder: DataFolder, on_poll: Callable[[Snapshot], None]) -> None:
        self._folder = folder
        self._on_poll = on_poll
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._version = -1
        self._has_polled = False
        self._thread = threading.Thread(target=self._watch, name="gold-run", daemon=True)
        self._current = _build_empty()

    @property
    def current(self) -> Snapshot:
        """Return the newest snapshot; a request uses one throughout."""
        return self._current

    @property
    def has_polled(self) -> bool:
        """Check whether gold was polled at least once, even if it does not exist yet."""
        return self._has_polled

    def start(self) -> None:
        """Start the thread that polls."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread and close the snapshot."""
        self._stop.set()
        self._thread.join(_POLL_S * 3)
        self._current.connection.close()

    def refresh(self) -> None:
        """Poll for a new run now, then call `on_poll` with the snapshot held before."""
        with self._lock:
            before = self._current
            if self._is_newer():
                runs = open_table(self._folder.lake, GOLD_RUN)
                self._current = build_snapshot(self._folder)
                self._version = runs.version() if runs is not None else -1
                run = self._current.run
                _log.info("snapshot", run=run.run if run is not None else None)
        self._has_polled = True
        self._on_poll(before)

    def try_refresh(self) -> None:
        """Poll for a new run; if gold cannot be read, log it and keep the snapshot."""
        try:
            self.refresh()
        except (LakeError, DeltaError, duckdb.Error, OSError) as error:
            _log.warning("snapshot_failed", error=str(error))

    def _is_newer(self) -> bool:
        """Check whether gold/run has a commit after the last one read, without opening it."""
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
    _load_recent(snapshot)
    return snapshot
