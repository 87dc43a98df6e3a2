"""The lake's tables: their columns, their folders, and the files of a version."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from crossfade.errors import LakeError
from crossfade.kafka.window_log import Grain


@dataclass(frozen=True, slots=True)
class Table:
    """A Delta table: its columns as Spark DDL, its partition columns, and the columns added later.

    Tables of an earlier release lack the `added` columns until the next run of batch adds them.
    """

    name: str
    columns: str
    partitioned_by: tuple[str, ...] = ()
    added: tuple[str, ...] = ()


_SONG = ", ".join(f"{name} STRING" for name in Grain._fields)
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
    "ms_played BIGINT, is_counted BOOLEAN, payload_hash BIGINT, date DATE, month STRING, "
    "artist_key STRING",
    ("month",),
    added=("artist_key",),
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
    "date DATE, artist_key STRING",
    ("date",),
    added=("artist_key",),
)
GOLD_SONG_DAY = Table(
    "gold/song_day",
    f"{_SONG}, plays BIGINT, counted_plays BIGINT, charted_plays BIGINT, ms_played BIGINT, "
    "date DATE, artist_key STRING",
    added=("artist_key",),
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
    "started_at TIMESTAMP, published_at TIMESTAMP, dropped_by_field MAP<STRING, BIGINT>",
    added=("dropped_by_field",),
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
"""The tables that a run of batch writes and pins; gold/run publishes them."""

ADDED_TABLES = frozenset({SILVER_ERASED.name})
"""Tables of batch that runs of an earlier release do not pin, and count as empty for them."""

CLASSIC_TABLE = "song_plays"
"""The folder of the classic lake: plain Parquet with the log of Spark's own file sink."""

TABLES = {table.name: table for table in (BRONZE_SONG_PLAYS, *BATCH_TABLES, GOLD_RUN, OPS_HANDOVER)}


def table_path(lake: Path, table: Table) -> Path:
    """Return the folder of a table."""
    return lake / table.name


def open_table(lake: Path, table: Table, version: int | None = None) -> DeltaTable | None:
    """Open a table at a version (the newest if None); None if it does not exist."""
    try:
        return DeltaTable(table_path(lake, table), version=version)
    except TableNotFoundError:
        return None


def require_table(lake: Path, table: Table, version: int | None = None) -> DeltaTable:
    """Open a table at a version (the newest if None).

    Raises:
        LakeError: the table does not exist.
    """
    opened = open_table(lake, table, version)
    if opened is None:
        what = f"The table {table.name} is gone from {lake}."
        raise LakeError(what, 'Put the folder back, or start again with "crossfade reset".')
    return opened


def list_files(lake: Path, table: Table, version: int | None = None) -> list[str]:
    """List the data files of a table at a version; empty if it does not exist."""
    opened = open_table(lake, table, version)
    # They are URIs: a space in a folder's name is written %20.
    return [] if opened is None else [unquote(uri) for uri in opened.file_uris()]


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
