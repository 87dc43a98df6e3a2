"""The lake's tables: their columns, where they lie, and how to read a pinned version of one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from crossfade.contract.boundary import NO_BOUNDARY as NO_BOUNDARY
from crossfade.errors import LakeError

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, slots=True)
class Table:
    """A Delta table: its columns as Spark DDL, and what it is partitioned by."""

    name: str
    columns: str
    partitioned_by: tuple[str, ...] = ()


_SONG = "country STRING, song_id STRING, title STRING, artist STRING, album STRING, genre STRING"
_LOG_POSITION = "`partition` INT, `offset` BIGINT, log_time TIMESTAMP"

BRONZE_SONG_PLAYS = Table(
    "bronze/song_plays",
    f"{_LOG_POSITION}, topic STRING, timestamp_type INT, `key` BINARY, "
    "headers ARRAY<STRUCT<key: STRING, value: BINARY>>, value BINARY, date DATE, hour STRING",
    ("date", "hour"),
)
SILVER_PLAYS = Table(
    "silver/plays",
    f"{_LOG_POSITION}, event_time TIMESTAMP, event_id STRING, user_id STRING, {_SONG}, "
    "album_artist STRING, city STRING, device STRING, tier STRING, kind STRING, source STRING, "
    "ms_played BIGINT, is_counted BOOLEAN, payload_hash BIGINT, date DATE, month STRING",
    ("month",),
)
SILVER_REJECTED = Table(
    "silver/rejected", f"{_LOG_POSITION}, reason STRING, value BINARY, date DATE", ("date",)
)
SILVER_DUPLICATES = Table(
    "silver/duplicates",
    f"{_LOG_POSITION}, event_time TIMESTAMP, winner_partition INT, winner_offset BIGINT, "
    "payload_hash BIGINT, is_same_payload BOOLEAN, date DATE",
    ("date",),
)
SILVER_ERASED = Table("silver/erased", f"{_LOG_POSITION}, date DATE", ("date",))
GOLD_SONG_WINDOW = Table(
    "gold/song_window",
    f"window_start TIMESTAMP, {_SONG}, plays BIGINT, counted_plays BIGINT, ms_played BIGINT, "
    "date DATE",
    ("date",),
)
GOLD_SONG_DAY = Table(
    "gold/song_day",
    f"{_SONG}, plays BIGINT, counted_plays BIGINT, charted_plays BIGINT, ms_played BIGINT, "
    "date DATE",
)
GOLD_ACTIVITY_HOUR = Table(
    "gold/activity_hour",
    "hour_start TIMESTAMP, country STRING, plays BIGINT, counted_plays BIGINT, "
    "charted_plays BIGINT, ms_played BIGINT, date DATE",
)
GOLD_LISTENERS = Table(
    "gold/listeners",
    "grain STRING, period_start TIMESTAMP, kind STRING, `key` STRING, listeners BINARY, date DATE",
)
GOLD_SONG = Table(
    "gold/song",
    "song_id STRING, title STRING, artist STRING, album STRING, event_time TIMESTAMP, "
    "event_id STRING",
)
GOLD_CHART = Table(
    "gold/chart",
    "period_start DATE, revision INT, `rank` INT, id STRING, title STRING, artist STRING, "
    "charted_plays BIGINT, counted_plays BIGINT, plays BIGINT, ms_played BIGINT, "
    "listeners BIGINT, chart STRING, period STRING",
    ("chart", "period"),
)
GOLD_RUN = Table(
    "gold/run",
    "run INT, run_uuid STRING, pins MAP<STRING, BIGINT>, start_offsets MAP<INT, BIGINT>, "
    "end_offsets MAP<INT, BIGINT>, last_log_times MAP<INT, BIGINT>, "
    "next_log_times MAP<INT, BIGINT>, log_time BIGINT, boundary BIGINT, "
    "gaps ARRAY<STRUCT<partition: INT, begin_offset: BIGINT, end_offset: BIGINT>>, "
    "bronze_rows BIGINT, accepted BIGINT, rejected BIGINT, duplicates BIGINT, erased BIGINT, "
    "rejected_by_reason MAP<STRING, BIGINT>, late BIGINT, counted_plays BIGINT, "
    "ms_played BIGINT, revised_charts BIGINT, rules STRING, code_version STRING, "
    "started_at TIMESTAMP, published_at TIMESTAMP",
)
OPS_HANDOVER = Table(
    "ops/handover",
    "run INT, window_start TIMESTAMP, speed_plays BIGINT, batch_plays BIGINT, "
    "repeated_plays BIGINT, verdict STRING, compared_at TIMESTAMP",
)

BATCH_TABLES = (
    SILVER_PLAYS,
    SILVER_REJECTED,
    SILVER_DUPLICATES,
    SILVER_ERASED,
    GOLD_SONG_WINDOW,
    GOLD_SONG_DAY,
    GOLD_ACTIVITY_HOUR,
    GOLD_LISTENERS,
    GOLD_SONG,
    GOLD_CHART,
)
"""The tables that a run of batch writes and pins; gold/run itself is the publication."""

ADDED_TABLES = frozenset({SILVER_ERASED.name})
"""Tables of batch that runs of an earlier release do not pin: to them they were empty."""

TABLES = {table.name: table for table in (BRONZE_SONG_PLAYS, *BATCH_TABLES, GOLD_RUN, OPS_HANDOVER)}


@dataclass(frozen=True, slots=True)
class Run:
    """A published run of batch: what it pinned, what it covers and what it counted.

    Offsets are exclusive ends; times are milliseconds since the epoch. The counts are of the
    positions from `start_offsets` to `end_offsets`, which this run judged. In `next_log_times` a
    partition with nothing beyond its end is absent: infinite. `gaps` are offsets that Kafka never
    gave to a record.
    """

    run: int
    run_uuid: str
    pins: Mapping[str, int]
    start_offsets: Mapping[int, int]
    end_offsets: Mapping[int, int]
    last_log_times: Mapping[int, int]
    next_log_times: Mapping[int, int]
    log_time: int
    boundary: int
    gaps: Sequence[Mapping[str, int]]
    bronze_rows: int
    accepted: int
    rejected: int
    duplicates: int
    erased: int
    rejected_by_reason: Mapping[str, int]
    late: int
    counted_plays: int
    ms_played: int
    revised_charts: int
    rules: str
    code_version: str
    started_at_ms: int
    published_at_ms: int

    def covers(self, ends: Mapping[int, int]) -> bool:
        """Tell whether everything below some exclusive end offsets is in this run."""
        return all(self.end_offsets.get(partition, 0) >= end for partition, end in ends.items())


def table_path(lake: Path, table: Table) -> Path:
    """Give the folder of a table."""
    return lake / table.name


def open_table(lake: Path, table: Table, version: int | None = None) -> DeltaTable | None:
    """Open a table at a version (the newest if None); None when it was not made yet."""
    try:
        return DeltaTable(table_path(lake, table), version=version)
    except TableNotFoundError:
        return None


def list_files(lake: Path, table: Table, version: int | None = None) -> list[str]:
    """List the data files of a table at a version; empty when it was not made yet."""
    opened = open_table(lake, table, version)
    # Delta names them as addresses: a space of a folder's name comes as %20.
    return [] if opened is None else [unquote(uri) for uri in opened.file_uris()]


def connect() -> "duckdb.DuckDBPyConnection":
    """Open an in-memory DuckDB that shows every time in UTC and loads nothing from outside."""
    import duckdb

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


def split_columns(ddl: str) -> list[tuple[str, str]]:
    """Split Spark DDL into (column, type); commas inside <> belong to the type."""
    columns, depth, begin = [], 0, 0
    for at, letter in enumerate(ddl + ","):
        depth += (letter == "<") - (letter == ">")
        if letter == "," and depth == 0:
            name, kind = ddl[begin:at].strip().split(" ", 1)
            columns.append((f'"{name.strip("`")}"' if "`" in name else name, kind))
            begin = at + 1
    return columns


def read_newest_run(lake: Path, version: int | None = None) -> Run | None:
    """Read the newest run published in a version of gold/run; None before batch was ever set up."""
    files = list_files(lake, GOLD_RUN, version)
    if not files:
        return None
    import duckdb

    connection = connect()
    query = (
        "SELECT * REPLACE (epoch_ms(started_at) AS started_at, "
        "epoch_ms(published_at) AS published_at) FROM gold_run ORDER BY run DESC LIMIT 1"
    )
    try:
        register_table(connection, GOLD_RUN, files)
        row = connection.execute(query).fetchone()
    except duckdb.Error as error:
        what = f"Cannot read {GOLD_RUN.name}: {str(error).splitlines()[0]}"
        raise LakeError(what, "Restore that file from a backup.") from None
    return None if row is None else Run(*row)


def require_run(lake: Path) -> Run:
    """Read the newest published run, or say how to get one."""
    run = read_newest_run(lake)
    if run is None:
        what = f"No batch run was published in {lake}."
        raise LakeError(what, 'Run "crossfade batch --once" first.')
    return run


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
