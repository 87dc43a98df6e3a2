"""Find the rows of silver that belong to erased listeners, by hashes: ids are not kept."""

from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from crossfade.erasure.suppression import Suppression
from crossfade.lake.connection import connect, register_table
from crossfade.lake.tables import (
    BRONZE_SONG_PLAYS,
    SILVER_DUPLICATES,
    SILVER_PLAYS,
    SILVER_REJECTED,
    list_files,
)

_CHUNK = 10_000
_TABLES = (SILVER_PLAYS, SILVER_DUPLICATES, SILVER_REJECTED)
_PLACE = '"partition", "offset"'
_THEIRS = f"""
CREATE OR REPLACE TABLE theirs AS
WITH heard AS (SELECT {_PLACE} FROM silver_plays SEMI JOIN listeners USING (user_id))
FROM heard
UNION
SELECT {_PLACE} FROM bronze_song_plays SEMI JOIN listener_keys USING ("key")
UNION
SELECT copies."partition", copies."offset" FROM silver_duplicates AS copies
SEMI JOIN heard ON copies.winner_partition = heard."partition"
  AND copies.winner_offset = heard."offset"
UNION
SELECT {_PLACE} FROM listener_rejected
"""
_ORPHANED = f"""
SELECT {_PLACE}, log_time, date FROM silver_duplicates AS copies
WHERE (winner_partition, winner_offset) IN (SELECT ("partition", "offset") FROM theirs)
  AND NOT EXISTS (
    FROM theirs
    WHERE theirs."partition" = copies."partition" AND theirs."offset" = copies."offset"
  )
ORDER BY ALL
"""


@dataclass(frozen=True, slots=True)
class ListenerRows:
    """Rows of silver to remove, by position, with log time and the date of their table.

    Plays also have `event_ms` and `song_id`. `orphaned` are duplicates that stay although their
    winner is removed, because they were sent under another listener's key.
    """

    plays: pa.Table
    duplicates: pa.Table
    rejected: pa.Table
    orphaned: pa.Table

    def __bool__(self) -> bool:
        """Check whether there is a row to remove."""
        return any(map(len, (self.plays, self.duplicates, self.rejected)))


def find_rows(lake: Path, bronze_files: list[str], listeners: Suppression) -> ListenerRows | None:
    """Find the listeners' rows in silver's newest versions; None if `listeners` is empty.

    Reads `key` of all bronze files, `user_id` of all plays and the bytes of all rejected records.
    """
    if not listeners:
        return None
    with connect() as connection:
        register_table(connection, BRONZE_SONG_PLAYS, bronze_files)
        for table in _TABLES:
            register_table(connection, table, list_files(lake, table))
        _create_listener_tables(connection, listeners)
        connection.execute(_THEIRS)
        return ListenerRows(
            plays=_select(connection, "silver_plays", "epoch_ms(event_time) AS event_ms, song_id"),
            duplicates=_select(connection, "silver_duplicates"),
            rejected=_select(connection, "silver_rejected"),
            orphaned=connection.sql(_ORPHANED).to_arrow_table(),
        )


def _create_listener_tables(connection: duckdb.DuckDBPyConnection, listeners: Suppression) -> None:
    """Create the tables `listeners`, `listener_keys` and `listener_rejected`."""
    for name, column, table, kind in (
        ("listeners", "user_id", "silver_plays", pa.string()),
        ("listener_keys", "key", "bronze_song_plays", pa.binary()),
    ):
        cursor = connection.execute(f'SELECT DISTINCT "{column}" FROM {table}')
        found: set[str | bytes | None] = set()
        while rows := cursor.fetchmany(_CHUNK):
            found |= listeners.covers_any(value for (value,) in rows)
        _load(connection, name, pa.table({column: pa.array(list(found), kind)}))
    cursor = connection.execute(
        f'SELECT {_PLACE}, "value" FROM silver_rejected WHERE "value" IS NOT NULL'
    )
    places: list[tuple[int, int]] = []
    while rows := cursor.fetchmany(_CHUNK):
        places += [(row[0], row[1]) for row in rows if listeners.covers_value(row[2])]
    partitions, offsets = [place[0] for place in places], [place[1] for place in places]
    columns = {
        "partition": pa.array(partitions, pa.int32()),
        "offset": pa.array(offsets, pa.int64()),
    }
    _load(connection, "listener_rejected", pa.table(columns))


def _load(connection: duckdb.DuckDBPyConnection, name: str, rows: pa.Table) -> None:
    connection.register("loaded", rows)
    connection.execute(f"CREATE OR REPLACE TABLE {name} AS FROM loaded")
    connection.unregister("loaded")


def _select(connection: duckdb.DuckDBPyConnection, table: str, *more: str) -> pa.Table:
    columns = ", ".join((_PLACE, "log_time", "date", *more))
    query = (
        f'SELECT {columns} FROM {table} SEMI JOIN theirs USING ("partition", "offset") ORDER BY ALL'
    )
    return connection.sql(query).to_arrow_table()
