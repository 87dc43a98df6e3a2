"""DuckDB over the lake: connections that read in UTC, and views of a table's files."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from crossfade.lake.tables import Table, split_columns

if TYPE_CHECKING:
    import duckdb


def connect() -> "duckdb.DuckDBPyConnection":
    """Open an in-memory DuckDB that shows every time in UTC and loads nothing from outside."""
    import duckdb  # the streaming driver reads runs without ever needing it

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
    """Make a view (named `silver_plays` for silver/plays unless told) over a table's files.

    The view has every column of the table, also when it holds no file yet.
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
    selected = ", ".join(col for col, _ in columns)
    connection.execute(
        f"CREATE OR REPLACE VIEW {name} AS SELECT {selected} "
        f"FROM read_parquet([{listed}], union_by_name = true{partitioning})"
    )


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
