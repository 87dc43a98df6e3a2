"""What batch published, as of one run: opened at its pins, built once, never changed."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

import duckdb
from deltalake.exceptions import DeltaError

from crossfade.errors import LakeError
from crossfade.folder import DataFolder
from crossfade.lake import (
    GOLD_ACTIVITY_HOUR,
    GOLD_CHART,
    GOLD_LISTENERS,
    GOLD_RUN,
    GOLD_SONG_DAY,
    GOLD_SONG_WINDOW,
    NO_BOUNDARY,
    OPS_HANDOVER,
    Run,
    connect,
    list_files,
    open_table,
    read_newest_run,
    register_table,
    table_path,
)
from crossfade.telemetry import get_logger

RECENT_WINDOWS = 6
"""Windows below the boundary that are kept in memory: what trending may need of batch."""

_PINNED = (GOLD_SONG_WINDOW, GOLD_SONG_DAY, GOLD_ACTIVITY_HOUR, GOLD_LISTENERS, GOLD_CHART)
_POLL_S = 1.0

_log = get_logger("serve")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One published run and its tables, as views named `gold_song_day` and so on.

    The last few windows below the boundary are tables in memory: `recent_window` and
    `recent_listeners`, from `recent_from` on. `run` is None before batch published anything.
    """

    run: Run | None
    connection: duckdb.DuckDBPyConnection
    recent_from: int

    @property
    def boundary(self) -> int:
        """Give the time boundary; minus infinity before the first run."""
        return self.run.boundary if self.run is not None else NO_BOUNDARY

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Open a connection of one request's own: it must close it."""
        return self.connection.cursor()


def build_snapshot(folder: DataFolder) -> Snapshot:
    """Open every table at the newest run's pins.

    Raises:
        LakeError: a pinned version cannot be read any more.
    """
    run = read_newest_run(folder.lake)
    connection = connect()
    connection.execute("SET parquet_metadata_cache = true")
    for table in _PINNED:
        version = run.pins.get(table.name) if run is not None else None
        try:
            files = list_files(folder.lake, table, version) if version is not None else []
        except DeltaError as error:
            what = f"{table.name} has no version {version} any more: {error}."
            raise LakeError(what, 'See "crossfade reconcile".') from None
        register_table(connection, table, files)
    register_table(connection, OPS_HANDOVER, list_files(folder.lake, OPS_HANDOVER))
    boundary = run.boundary if run is not None else NO_BOUNDARY
    recent_from = boundary - RECENT_WINDOWS * folder.time_rules.grain_ms
    _keep_recent(connection, boundary, recent_from)
    return Snapshot(run, connection, recent_from)


def _keep_recent(connection: duckdb.DuckDBPyConnection, boundary: int, recent_from: int) -> None:
    """Read the last windows into memory; days are named so that files of others stay shut."""
    span = {"since": max(recent_from, 0), "until": max(boundary, 0)}
    of_days = (
        "date BETWEEN CAST(make_timestamp($since * 1000) AS DATE) "
        "AND CAST(make_timestamp($until * 1000) AS DATE)"
    )
    inside = "epoch_ms({0}) >= $since AND epoch_ms({0}) < $until"
    connection.execute(
        "CREATE TABLE recent_window AS SELECT * FROM gold_song_window "
        f"WHERE {of_days} AND {inside.format('window_start')}",
        span,
    )
    connection.execute(
        "CREATE TABLE recent_listeners AS SELECT * FROM gold_listeners "
        f"WHERE grain = 'window' AND {of_days} AND {inside.format('period_start')}",
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
        self._thread = threading.Thread(target=self._watch, name="gold-run", daemon=True)
        self._current = _build_empty()

    @property
    def current(self) -> Snapshot:
        """Give the snapshot to answer one whole request from."""
        return self._current

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
        self._on_poll(before)

    def try_refresh(self) -> None:
        """Look for a new run; where gold cannot be read, keep the snapshot and say so."""
        try:
            self.refresh()
        except (LakeError, DeltaError, duckdb.Error, OSError) as error:
            _log.warning("snapshot_failed", error=str(error))

    def _is_newer(self) -> bool:
        """Tell whether gold/run has a commit after the one last seen, without opening it."""
        log = table_path(self._folder.lake, GOLD_RUN) / "_delta_log"
        if self._version < 0:
            return log.exists()
        return (log / f"{self._version + 1:020}.json").exists()

    def _watch(self) -> None:
        self.try_refresh()
        while not self._stop.wait(_POLL_S):
            self.try_refresh()


def _build_empty() -> Snapshot:
    connection = connect()
    for table in (*_PINNED, OPS_HANDOVER):
        register_table(connection, table, [])
    _keep_recent(connection, NO_BOUNDARY, NO_BOUNDARY)
    return Snapshot(None, connection, NO_BOUNDARY)
