"""A data folder whose bronze a test fills, processed by the real batch job and read by DuckDB."""

import random
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
from datasketches import hll_sketch
from deltalake import write_deltalake

from crossfade.clock import DAY_MS, HOUR_MS, MINUTE_MS, utc_date
from crossfade.config import Settings
from crossfade.contract.decode import encode_play
from crossfade.contract.play import Play
from crossfade.folder import DataFolder, write_atomically
from crossfade.lake.binding import ArchiveBinding
from crossfade.lake.connection import connect, register_table
from crossfade.lake.runs import Run, require_run
from crossfade.lake.tables import (
    BATCH_TABLES,
    BRONZE_SONG_PLAYS,
    list_files,
    open_table,
    split_columns,
    table_path,
)
from crossfade.processing.batch.job import run_once
from crossfade.processing.new_table import create_table
from support.handmade_lake import NOON, Record, Row, a_lake, a_play

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def a_history(seed: int = 3) -> list[Record]:
    """Return three days of records in log order: on time, late, repeated, moved and broken ones."""
    chance = random.Random(seed)
    ends = [0, 0, 0]
    records: list[Record] = []
    plays: list[Play] = []

    def log(value: bytes, partition: int, at: int) -> None:
        records.append(Record(partition, ends[partition], value, at))
        ends[partition] += 1

    for number in range(120):
        at = NOON + number * 40 * MINUTE_MS
        if plays and chance.random() < 0.2:
            log(encode_play(chance.choice(plays)), chance.randrange(3), at)
        if plays and chance.random() < 0.1:
            again = chance.choice(plays)
            changed = a_play(900 + number, event_id=again.event_id, user_id=again.user_id)
            moved = again.event_time // DAY_MS * DAY_MS + chance.randrange(DAY_MS // 2)
            changes = {name: getattr(changed, name) for name in changed.__struct_fields__}
            log(encode_play(Play(**(changes | {"event_time": moved}))), chance.randrange(3), at)
        if chance.random() < 0.1:
            log(b"not json", chance.randrange(3), at)
        late = chance.choice([0, 0, 0, 2 * HOUR_MS, 26 * HOUR_MS, 900 * DAY_MS])
        play = a_play(
            number,
            event_time=at - late - chance.randrange(20 * MINUTE_MS),
            ms_played=chance.choice([None, 10_000, 60_000]),
            country=chance.choice(["SE", "NO"]),
            city=chance.choice([None, "Oslo"]),
            album=chance.choice([None, "Album"]),
        )
        plays.append(play)
        log(encode_play(play), chance.randrange(3), at)
    return records


def closing_records(first_offsets: list[int], at: int) -> list[Record]:
    """Return one more play per topic partition, so that the boundary passes all earlier records."""
    return [
        Record(p, offset, encode_play(a_play(9_000 + p, event_time=at)), at)
        for p, offset in enumerate(first_offsets)
    ]


class BatchBench:
    """A data folder whose archive part is written by the test."""

    def __init__(self, spark: "SparkSession", folder: DataFolder, *, partitions: int = 3) -> None:
        self.spark = spark
        self.folder = folder
        self.lake = folder.lake
        self.settings = Settings(data=folder.root)
        self.archived: list[Record] = []
        self.runs: list[Run] = []
        create_table(folder.lake, BRONZE_SONG_PLAYS, "crossfade archive")
        binding = ArchiveBinding("topic", "table", dict.fromkeys(range(partitions), 0))
        path = folder.checkpoints / "archive.binding.json"
        write_atomically(path, msgspec.json.encode(binding))

    def archive(self, records: Iterable[Record], *, timestamp_type: int = 1) -> None:
        """Append records to bronze in one commit, as the archive does."""
        given = list(records)
        self.archived += given
        opened = open_table(self.lake, BRONZE_SONG_PLAYS)
        assert opened is not None
        schema = pa.schema(opened.schema().to_arrow())
        rows = [_bronze_row(record, timestamp_type) for record in given]
        columns = [_column([row[field.name] for row in rows], field.type) for field in schema]
        write_deltalake(
            table_path(self.lake, BRONZE_SONG_PLAYS),
            pa.Table.from_arrays(columns, schema=schema),
            mode="append",
            partition_by=list(BRONZE_SONG_PLAYS.partitioned_by),
        )

    def run(self) -> Run | None:
        """Run batch once, without Kafka: the boundary follows bronze."""
        return run_once(self.spark, self.folder, self.settings, None)

    def published(self) -> Run:
        """Run batch once, assert that it publishes, and return the run."""
        run = self.run()
        assert run is not None
        assert run == require_run(self.lake)
        self.runs.append(run)
        return run

    def rows(self, name: str) -> list[Row]:
        """Read a table at the newest run's pin; times in milliseconds."""
        return self.ask(f"SELECT * FROM {name.replace('/', '_')}")

    def ask(self, query: str) -> list[Row]:
        """Query the tables at the newest run's pins with DuckDB."""
        pins = require_run(self.lake).pins
        connection = connect()
        for table in BATCH_TABLES:
            register_table(connection, table, list_files(self.lake, table, pins[table.name]))
        asked = connection.execute(query)
        names = [column[0] for column in asked.description or []]
        kinds = {column[0]: str(column[1]) for column in asked.description or []}
        times = [name for name in names if "TIMESTAMP" in kinds[name].upper()]
        shown = ", ".join(f"epoch_ms({n}) AS {n}" if n in times else f'"{n}"' for n in names)
        found = connection.execute(f"SELECT {shown} FROM ({query})").fetchall()
        return [dict(zip(names, row, strict=True)) for row in found]

    def versions(self) -> dict[str, int]:
        """Return the newest version of every table of batch."""
        return {
            table.name: opened.version()
            for table in BATCH_TABLES
            if (opened := open_table(self.lake, table)) is not None
        }

    def assert_as_by_hand(self, is_erased: Callable[[Record], bool] = lambda _: False) -> None:
        """Assert that every table equals what plain Python derives from the archived records."""
        run = require_run(self.lake)
        by_hand = a_lake(self.archived, boundary=run.boundary, is_erased=is_erased)
        for table in BATCH_TABLES:
            found, expected = self.rows(table.name), by_hand.tables[table.name]
            if table.name == "gold/chart":
                found = newest_entries(found)
            columns = {name.strip('"') for name, _ in split_columns(table.columns)}
            names = sorted(columns & expected[0].keys() - {"revision"}) if expected else []
            assert _canonical(found, names) == _canonical(expected, names), table.name


def newest_entries(entries: list[Row]) -> list[Row]:
    """Keep the newest revision of each chart and period."""
    newest: dict[tuple[Any, ...], int] = {}
    for row in entries:
        key = row["chart"], row["period"], row["period_start"]
        newest[key] = max(newest.get(key, 0), row["revision"])
    return [
        row
        for row in entries
        if row["revision"] == newest[row["chart"], row["period"], row["period_start"]]
    ]


def _canonical(rows: list[Row], names: list[str]) -> list[str]:
    return sorted(repr([_plain(name, row[name]) for name in names]) for row in rows)


def _plain(name: str, value: Any) -> Any:
    if name == "listeners":
        return round(hll_sketch.deserialize(bytes(value)).get_estimate())
    return bytes(value) if isinstance(value, bytearray) else value


def _bronze_row(record: Record, timestamp_type: int) -> Row:
    return {
        **vars(record),
        "topic": "song-plays",
        "timestamp_type": timestamp_type,
        "date": utc_date(record.log_time),
        "hour": f"{record.log_time % DAY_MS // HOUR_MS:02}",
    }


def _column(values: list[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_timestamp(kind):
        return pa.array(values, pa.timestamp("ms", tz="UTC")).cast(kind)
    return pa.array(values, kind)
