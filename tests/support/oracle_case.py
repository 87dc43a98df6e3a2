"""A correct lake with Kafka's two logs as lists, for tests of the oracle to damage."""

import atexit
import shutil
import tempfile
from collections import Counter
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import msgspec

from crossfade.clock import DAY_MS, HOUR_MS, MINUTE_MS
from crossfade.config import load_settings
from crossfade.contract.decode import Rejection, decode_play, encode_play
from crossfade.contract.play import Play
from crossfade.folder import DataFolder, open_folder
from crossfade.kafka.window_log import Grain, Marker, WindowKey, WindowValue
from crossfade.lake.tables import GOLD_RUN, TABLES, open_table
from faults.oracle import Logs, Oracle
from faults.oracle_findings import Judgement
from faults.oracle_kafka import Log, LogRecord
from support.handmade_lake import NOON, HandmadeLake, Record, Row, a_lake, a_play, write_table

GRAIN = 10 * MINUTE_MS
BOUNDARY = NOON + 2 * DAY_MS + 30 * MINUTE_MS
NEAR = BOUNDARY - 2 * GRAIN
OPEN = BOUNDARY + MINUTE_MS


@dataclass
class OracleCase:
    """A correct lake and Kafka's two logs as lists; a test damages one of them."""

    folder: DataFolder
    records: list[Record]
    lake: HandmadeLake
    log: list[LogRecord]
    speed_log: list[LogRecord]
    starts: dict[int, int] = field(default_factory=dict)

    def rows(self, table: str, **where: object) -> list[Row]:
        return [
            row
            for row in self.lake.tables[table]
            if all(row[name] == value for name, value in where.items())
        ]

    def remove(self, table: str, row: Row) -> None:
        self.lake.tables[table].remove(row)

    def add(self, table: str, row: Row, **changes: object) -> None:
        self.lake.tables[table].append(row | changes)

    def oracle(self) -> Oracle:
        return Oracle(
            self.folder.root, Logs("", as_log(self.log, self.starts), as_log(self.speed_log))
        )

    def judge(self) -> Judgement:
        self.write()
        return self.oracle().check_all()

    def write(self) -> None:
        """Write the tables that the test changed, and pin their current versions."""
        for name, rows in self.lake.tables.items():
            if name != GOLD_RUN.name and rows != a_right_lake().tables[name]:
                write_table(self.folder, name, rows)
        for run in self.lake.tables[GOLD_RUN.name]:
            run["pins"] = {
                table.name: opened.version()
                for table in TABLES.values()
                if (opened := open_table(self.folder.lake, table)) is not None
            }
        write_table(self.folder, GOLD_RUN.name, self.lake.tables[GOLD_RUN.name])


@cache
def a_right_lake() -> HandmadeLake:
    return a_lake(right_records(), boundary=BOUNDARY)


@cache
def a_right_folder() -> DataFolder:
    """Write the correct lake, once for all tests of a process."""
    root = Path(tempfile.mkdtemp(prefix="right-")) / "data"
    atexit.register(shutil.rmtree, root.parent, ignore_errors=True)
    return deepcopy(a_right_lake()).write(open_folder(load_settings(data=root)))


def a_right_case(root: Path) -> OracleCase:
    """Copy the correct lake and logs to a test's folder."""
    records = right_records()
    written = a_right_folder()
    folder = DataFolder(shutil.copytree(written.root, root), written.identity)
    log = [as_logged(record) for record in records]
    return OracleCase(folder, records, deepcopy(a_right_lake()), log, speed_records(records))


def right_records() -> list[Record]:
    """Return records on time and late, broken and repeated, and one song above the daily cap."""
    records: list[Record] = []
    ends: Counter[int] = Counter()

    def log(value: bytes, event_time: int, *, partition: int = 0, after: int = 1_000) -> None:
        headers = [{"key": "source", "value": b"test"}] if len(records) == 3 else []
        offset = ends[partition]
        records.append(Record(partition, offset, value, event_time + after, headers=headers))
        ends[partition] += 1

    for number in range(12):
        play = a_play(number, album="Album" if number % 2 else None)
        log(encode_play(play), play.event_time, partition=number % 2)
    for number in range(20, 33):
        play = a_play(number, user_id="fan", song_id="loved", event_time=NOON + number * MINUTE_MS)
        log(encode_play(play), play.event_time)
    for number in (5, 5, 21):
        play = a_play(number, user_id="fan", song_id="loved") if number == 21 else a_play(5)
        log(encode_play(play), NOON, partition=1, after=5_000)
    log(b"not json", NOON)
    log(b"[]", NOON, partition=1)
    log(encode_play(a_play(40)), NOON, after=3 * HOUR_MS)
    for number, event_time in enumerate((NEAR, NEAR, NEAR + GRAIN, OPEN, OPEN), 50):
        play = a_play(number, event_time=event_time, country="NO", ms_played=number * 700)
        log(encode_play(play), event_time, partition=number % 2)
    log(encode_play(a_play(50, event_time=NEAR, country="NO", ms_played=35_000)), NEAR + 1)
    return records


def as_logged(record: Record) -> LogRecord:
    headers = tuple((one["key"], one["value"]) for one in record.headers)
    place = record.partition, record.offset, record.log_time
    return LogRecord(*place, 1, record.key, record.value, headers)


def as_log(records: list[LogRecord], starts: dict[int, int] | None = None) -> Log:
    ends: dict[int, int] = {}
    for one in records:
        ends[one.partition] = max(ends.get(one.partition, 0), one.offset + 1)
    begins = dict.fromkeys(ends, 0) | (starts or {})
    return Log(begins, ends, [one for one in records if one.offset >= begins[one.partition]])


def speed_records(records: list[Record], *, also: int = -1) -> list[LogRecord]:
    """Return speed's records for the plays on time, each counted once.

    The record with the number `also` is counted again.
    """
    sums: dict[tuple[int, Grain], Counter[str]] = {}
    seen: set[object] = set()
    ends: dict[int, int] = {}
    for number, record in enumerate(sorted(records, key=lambda one: (one.partition, one.offset))):
        ends[record.partition] = record.offset + 1
        play = decode_play(record.value, record.log_time)
        if isinstance(play, Rejection) or record.log_time - play.event_time > 30 * MINUTE_MS:
            continue
        if play.identity in seen and number != also:
            continue
        seen.add(play.identity)
        window = play.event_time // GRAIN * GRAIN
        counts = sums.setdefault((window, _grain_of(play)), Counter())
        counts.update(plays=1, counted_plays=play.is_counted, ms_played=play.ms_played or 0)
    marker = Marker("first", 1, 1, ends, sent_at=0)
    values = [
        (WindowKey("first", 1, window, grain), WindowValue(1, listeners=b"", **counts))
        for (window, grain), counts in sums.items()
    ]
    pairs = [(msgspec.json.encode(key), msgspec.json.encode(value)) for key, value in values]
    pairs += [(marker.encode_key(), marker.encode()), (b'{"probe":"run"}', b"{}")]
    return [LogRecord(0, offset, OPEN, 1, *pair) for offset, pair in enumerate(pairs)]


def _grain_of(play: Play) -> Grain:
    return Grain(*(getattr(play, name) for name in Grain._fields))
