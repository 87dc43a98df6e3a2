"""The lake as the newest published run pinned it, opened in DuckDB."""

from collections.abc import Mapping
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

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class PinnedLake:
    """Every table as a view at its pin, `gold_run` whole, `bounds` and `gaps`.

    `bounds` has a row for each topic partition: [first_offset, end_offset) is what the run covers,
    from the first offset that the archive ever read. `gaps` are offsets without a record.
    """

    folder: DataFolder
    run: Run
    connection: duckdb.DuckDBPyConnection

    def ask(self, query: str, **values: object) -> list[Row]:
        """Return all rows of a query file of this package; `$name` stands for a value."""
        return self.open(query, **values).fetchall()

    def open(self, query: str, **values: object) -> duckdb.DuckDBPyConnection:
        """Run a query file on a cursor of its own, to fetch from step by step."""
        cursor = self.connection.cursor()
        cursor.execute("SET TimeZone = 'UTC'")
        return cursor.execute(read_query(query), values or None)

    def prepare(self, query: str, **values: object) -> None:
        """Run a query file that makes a table for later ones."""
        self.connection.execute(read_query(query), values or None)


def read_query(name: str) -> str:
    """Read a query file of this package."""
    return files("crossfade.proof").joinpath("queries", f"{name}.sql").read_text(encoding="utf-8")


def open_pinned_lake(folder: DataFolder, run: Run | None = None) -> PinnedLake:
    """Open the tables of a published run, the newest one unless told.

    Raises:
        LakeError: nothing was published yet, or a table is not pinned, or is another stack's.
    """
    run = run or require_run(folder.lake)
    connection = connect()
    for table, paths in list_pinned_files(folder, run).items():
        register_table(connection, table, paths)
    pinned = PinnedLake(folder, run, connection)
    for query in ("bounds", "gaps"):
        pinned.prepare(query)
    return pinned


def list_pinned_files(folder: DataFolder, run: Run) -> dict[Table, list[str]]:
    """List the data files of every table at its pin, and those of gold/run as it is now.

    Raises:
        LakeError: a table is not pinned, or is another stack's.
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
