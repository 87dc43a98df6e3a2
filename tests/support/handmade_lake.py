"""A tiny lake: every table is derived from a list of records in plain Python.

It shares no code with the layers or the proof, except the contract's decoder. A test changes a
row before `write`, so that the proof has something to find.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
from deltalake import write_deltalake

from crossfade.clock import DAY_MS, HOUR_MS, utc_date
from crossfade.contract.counting import RULES_VERSION
from crossfade.contract.decode import Rejection, decode_play, encode_play
from crossfade.contract.play import Play
from crossfade.folder import DataFolder
from crossfade.lake.tables import GOLD_RUN, TABLES, open_table, split_columns, table_path
from support.handmade_gold import derive_gold

Row = dict[str, Any]

NOON = 1_767_268_800_000
"""2026-01-01T12:00:00Z, a Thursday."""

_SILVER_TEXTS = (
    *("event_id", "user_id", "country", "song_id", "title", "artist", "album", "genre"),
    *("album_artist", "city", "device", "tier", "kind", "source"),
)
_ARROW = {
    "STRING": pa.string(),
    "INT": pa.int32(),
    "BIGINT": pa.int64(),
    "BOOLEAN": pa.bool_(),
    "BINARY": pa.binary(),
    "DATE": pa.date32(),
    "TIMESTAMP": pa.timestamp("us", tz="UTC"),
    "MAP<STRING, BIGINT>": pa.map_(pa.string(), pa.int64()),
    "MAP<INT, BIGINT>": pa.map_(pa.int32(), pa.int64()),
    "ARRAY<STRUCT<key: STRING, value: BINARY>>": pa.list_(
        pa.struct([("key", pa.string()), ("value", pa.binary())])
    ),
    "ARRAY<STRUCT<partition: INT, begin_offset: BIGINT, end_offset: BIGINT>>": pa.list_(
        pa.struct(
            [("partition", pa.int32()), ("begin_offset", pa.int64()), ("end_offset", pa.int64())]
        )
    ),
}


def a_play(number: int = 0, **changes: object) -> Play:
    """Build a play that is accepted and counted; its ids derive from the number."""
    fields: dict[str, Any] = {
        "event_id": f"event-{number:05}",
        "user_id": f"user-{number % 3}",
        "song_id": f"song-{number % 4}",
        "title": f"Title {number % 4}",
        "artist": f"Artist {number % 2}",
        "event_time": NOON + number * 1_000,
        "schema_version": 1,
        "ms_played": 60_000,
        "country": "SE",
    }
    return Play(**(fields | changes))


@dataclass
class Record:
    """A record of `song-plays`."""

    partition: int
    offset: int
    value: bytes
    log_time: int
    key: bytes = b"user"
    headers: list[Row] = field(default_factory=list)


def records_of(*plays: Play, partitions: int = 2, log_times: int | None = None) -> list[Record]:
    """Spread plays over partitions as records, in order, each logged a second after its play."""
    ends: Counter[int] = Counter()
    records = []
    for number, play in enumerate(plays):
        partition = number % partitions
        log_time = play.event_time + 1_000 if log_times is None else log_times
        records.append(Record(partition, ends[partition], encode_play(play), log_time))
        ends[partition] += 1
    return records


@dataclass
class HandmadeLake:
    """Rows of every table by name."""

    tables: dict[str, list[Row]]

    def write(self, folder: DataFolder) -> DataFolder:
        """Write every table as Delta; every run pins the versions that this makes."""
        for name, rows in self.tables.items():
            if name == GOLD_RUN.name:
                continue
            write_table(folder, name, rows)
        pins = {
            name: opened.version()
            for name, table in TABLES.items()
            if (opened := open_table(folder.lake, table)) is not None
        }
        for run in self.tables[GOLD_RUN.name]:
            run["pins"] = pins
        write_table(folder, GOLD_RUN.name, self.tables[GOLD_RUN.name])
        return folder


def write_table(folder: DataFolder, name: str, rows: list[Row]) -> None:
    """Replace a table with rows of Python values; times in milliseconds."""
    table = TABLES[name]
    schema = pa.schema(
        [(column.strip('"'), _ARROW[kind]) for column, kind in split_columns(table.columns)]
    )
    given = [
        {column.name: _convert(column.type, row.get(column.name)) for column in schema}
        for row in rows
    ]
    write_deltalake(
        table_path(folder.lake, table),
        pa.Table.from_pylist(given, schema),
        partition_by=list(table.partitioned_by),
        mode="overwrite",
    )


def a_lake(
    records: list[Record],
    *,
    boundary: int,
    grain_ms: int = 600_000,
    is_erased: Callable[[Record], bool] = lambda _: False,
) -> HandmadeLake:
    """Derive every table from records that one run with this boundary processed."""
    silver, rejected, duplicates = _refine([one for one in records if not is_erased(one)])
    erased = [
        {
            "partition": one.partition,
            "offset": one.offset,
            "log_time": one.log_time,
            "date": utc_date(one.log_time),
        }
        for one in records
        if is_erased(one)
    ]
    ends: dict[int, int] = {}
    for record in records:
        ends[record.partition] = max(ends.get(record.partition, 0), record.offset + 1)
    runs = [
        a_run(0, {}, boundary=-(2**53)),
        a_run(
            1,
            ends,
            boundary=boundary,
            bronze_rows=len(records),
            accepted=len(silver),
            rejected=len(rejected),
            duplicates=len(duplicates),
        ),
    ]
    return HandmadeLake(
        {
            "bronze/song_plays": [_bronze_row(record) for record in records],
            "silver/plays": silver,
            "silver/rejected": rejected,
            "silver/duplicates": duplicates,
            "silver/erased": erased,
            **derive_gold(silver, boundary=boundary, grain_ms=grain_ms),
            "gold/run": runs,
        }
    )


def a_run(run: int, end_offsets: dict[int, int], *, boundary: int, **counts: int) -> Row:
    """Build a row of gold/run."""
    return {
        "run": run,
        "run_uuid": f"uuid-{run}",
        "start_offsets": {},
        "end_offsets": end_offsets,
        "last_log_times": {},
        "next_log_times": {},
        "log_time": boundary,
        "boundary": boundary,
        "gaps": [],
        "rejected_by_reason": {},
        "dropped_by_field": {},
        "rules": RULES_VERSION,
        "code_version": "0",
        "started_at": NOON,
        "published_at": NOON,
        **dict.fromkeys(("bronze_rows", "accepted", "rejected", "duplicates", "erased", "late"), 0),
        **dict.fromkeys(("counted_plays", "ms_played", "revised_charts"), 0),
        **counts,
    }


def _bronze_row(record: Record) -> Row:
    day = utc_date(record.log_time)
    return {
        **vars(record),
        "topic": "song-plays",
        "timestamp_type": 1,
        "date": day,
        "hour": f"{record.log_time % DAY_MS // HOUR_MS:02}",
    }


def _refine(records: list[Record]) -> tuple[list[Row], list[Row], list[Row]]:
    silver, rejected, duplicates = [], [], []
    winners: dict[tuple[str, str, int], Record] = {}
    for record in sorted(records, key=lambda one: (one.partition, one.offset)):
        position = {
            "partition": record.partition,
            "offset": record.offset,
            "log_time": record.log_time,
        }
        verdict = decode_play(record.value, record.log_time)
        log_date = {"date": utc_date(record.log_time)}
        if isinstance(verdict, Rejection):
            reason = str(verdict.reason)
            rejected.append({**position, "reason": reason, "value": record.value, **log_date})
            continue
        winner = winners.setdefault(verdict.identity, record)
        play = {**position, "event_time": verdict.event_time}
        if winner is not record:
            copy = {
                "winner_partition": winner.partition,
                "winner_offset": winner.offset,
                "is_same_payload": winner.value == record.value,
            }
            duplicates.append({**play, **copy, **log_date})
            continue
        silver.append(
            {
                **play,
                **{name: getattr(verdict, name) for name in _SILVER_TEXTS},
                "ms_played": verdict.ms_played,
                "is_counted": verdict.is_counted,
                "artist_key": " ".join(verdict.artist.casefold().split()),
                "date": utc_date(verdict.event_time),
                "month": f"{utc_date(verdict.event_time):%Y-%m}",
            }
        )
    return silver, rejected, duplicates


def _convert(kind: pa.DataType, value: Any) -> Any:
    if pa.types.is_timestamp(kind) and isinstance(value, int):
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=value)
    if pa.types.is_map(kind) and value is not None:
        return list(value.items())
    return value
