"""DuckDB over the lake: connections in UTC, and views of a table's files."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from crossfade.lake.tables import Table, split_columns

if TYPE_CHECKING:
    import duckdb


def connect() -> "duckdb.DuckDBPyConnection":
    """Open an in-memory DuckDB with time zone UTC that never downloads extensions."""
    import duckdb  # lazily: the streaming driver never needs it

    connection = duckdb.connect(":memory:")
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET autoinstall_known_extensions = false")
    return connection


def register_table(
    connection: "duckdb.DuckDBPyConnection",
    table: Table,
    files: Sequence[str],
    view: str = "",
) -> None:
    """Create a view over a table's files; by default silver/plays becomes `silver_plays`.

    The view has every column of the table, even without files; columns that the files lack are
    NULL.
    """
    name = view or table.name.replace("/", "_")
    columns = split_columns(table.columns)
    if not files:
        empty = ", ".join(f"CAST(NULL AS {_duckdb_type(kind)}) AS {col}" for col, kind in columns)
        connection.execute(f"CREATE OR REPLACE VIEW {name} AS SELECT {empty} WHERE false")
        return
    types = dict(columns)
    hive = ", ".join(f"'{col}': {_duckdb_type(types[col])}" for col in table.partitioned_by)
    partitioning = f", hive_partitioning = true, hive_types = {{{hive}}}" if hive else ""
    listed = ", ".join("'" + path.replace("'", "''") + "'" for path in files)
    source = f"read_parquet([{listed}], union_by_name = true{partitioning})"
    missing = _find_missing(connection, table, source)
    selected = ", ".join(
        f"CAST(NULL AS {_duckdb_type(kind)}) AS {col}" if col in missing else col
        for col, kind in columns
    )
    connection.execute(f"CREATE OR REPLACE VIEW {name} AS SELECT {selected} FROM {source}")


def _find_missing(connection: "duckdb.DuckDBPyConnection", table: Table, source: str) -> set[str]:
    """Return the added columns that no file of the table has yet."""
    if not table.added:
        return set()
    described = connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
    return set(table.added) - {name for name, *_ in described}


def _duckdb_type(kind: str) -> str:
    fixed = {
        "STRING": "VARCHAR",
        "BINARY": "BLOB",
        "TIMESTAMP": "TIMESTAMPTZ",
        "INT": "INTEGER",
        "MAP<STRING, BIGINT>": "MAP(VARCHAR, BIGINT)",
        "MAP<INT, BIGINT>": "MAP(INTEGER, BIGINT)",
        "ARRAY<STRUCT<key: STRING, value: BINARY>>": 'STRUCT("key" VARCHAR, "value" BLOB)[]',
        "ARRAY<STRUCT<partition: INT, begin_offset: BIGINT, end_offset: BIGINT>>": (
            'STRUCT("partition" INTEGER, begin_offset BIGINT, end_offset BIGINT)[]'
        ),
    }
    return fixed.get(kind, kind)
