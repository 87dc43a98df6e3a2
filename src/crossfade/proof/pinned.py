"""The lake as the newest published run pinned it, opened in DuckDB."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import duckdb

from crossfade.errors import LakeError
from crossfade.folder import DataFolder
from crossfade.lake.binding import refuse_other_tables
from crossfade.lake.connection import connect, register_table
from crossfade.lake.runs import Run, require_run
from crossfade.lake.tables import (
    ADDED_TABLES,
    BATCH_TABLES,
    BRONZE_SONG_PLAYS,
    GOLD_RUN,
    Table,
    list_files,
)

SqlRow = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class PinnedLake:
    """DuckDB with a view of every table at its pin, of all of `gold_run`, and two tables.

    `bounds` has a row for each topic partition: the run covers [first_offset, end_offset), where
    first_offset is the first that the archive read. `gaps` are offsets without a record.
    """

    folder: DataFolder
    run: Run
    connection: duckdb.DuckDBPyConnection

    def fetch(self, query: str, **values: object) -> list[SqlRow]:
        """Return all rows of a query file; `values` are its parameters, written `$name` there."""
        with self.open_cursor(query, **values) as cursor:
            return cursor.fetchall()

    def open_cursor(self, query: str, **values: object) -> duckdb.DuckDBPyConnection:
        """Run a query file on a new cursor, from which the caller fetches and which it closes."""
        cursor = self.connection.cursor()
        cursor.execute("SET TimeZone = 'UTC'")
        return cursor.execute(read_query(query), values or None)

    def prepare(self, query: str, **values: object) -> None:
        """Run a query file that creates a table or view for later queries."""
        self.connection.execute(read_query(query), values or None)


def read_query(name: str) -> str:
    """Read a query file of this package."""
    return files("crossfade.proof").joinpath("queries", f"{name}.sql").read_text(encoding="utf-8")


@contextmanager
def open_pinned_lake(folder: DataFolder, run: Run | None = None) -> Iterator[PinnedLake]:
    """Open the tables of a published run, by default the newest, until the block ends.

    Raises:
        LakeError: nothing was published yet, a table is not pinned, or belongs to another stack.
    """
    run = run or require_run(folder.lake)
    with connect() as connection:
        for table, paths in list_pinned_files(folder, run).items():
            register_table(connection, table, paths)
        pinned = PinnedLake(folder, run, connection)
        for query in ("bounds", "gaps"):
            pinned.prepare(query)
        yield pinned


def list_pinned_files(folder: DataFolder, run: Run) -> dict[Table, list[str]]:
    """List the data files of every table at its pin, and of gold/run at its newest version.

    Raises:
        LakeError: a table is not pinned, or belongs to another stack.
    """
    refuse_other_tables(folder)
    tables = (BRONZE_SONG_PLAYS, *BATCH_TABLES)
    pinned = {table: _list_pinned(folder, table, run.pins) for table in tables}
    return pinned | {GOLD_RUN: list_files(folder.lake, GOLD_RUN)}


def _list_pinned(folder: DataFolder, table: Table, pins: Mapping[str, int]) -> list[str]:
    if table.name in ADDED_TABLES and table.name not in pins:
        return []
    return list_files(folder.lake, table, _pin(pins, table.name))


def _pin(pins: Mapping[str, int], name: str) -> int:
    try:
        return pins[name]
    except KeyError:
        what = f"The newest run of gold/run does not pin {name}."
        raise LakeError(
            what, 'Run "crossfade batch --once", which publishes a whole run.'
        ) from None
