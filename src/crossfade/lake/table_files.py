"""A table's data files as its Delta log lists them, with row counts and time ranges."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from crossfade.clock import Range
from crossfade.lake.tables import Table, require_table, table_path

_TIMES = ("window_start", "hour_start", "period_start", "event_time")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class TableFile:
    """A data file: its path, its number of rows, and the days and times that they span.

    `grain` is the grain of all its rows, where the table has that column and it is the same.
    """

    path: str
    rows: int
    first_day: date
    last_day: date
    first_time: datetime | None
    last_time: datetime | None
    grain: str | None

    def may_hold(self, days: Sequence[date]) -> bool:
        """Check whether the file may hold a row of one of the days, which are sorted."""
        return bool(days) and self.first_day <= days[-1] and days[0] <= self.last_day

    def may_lie_in(self, ranges: Sequence[Range]) -> bool:
        """Check whether the file may hold a row with a time in one of the ranges."""
        if self.first_time is None or self.last_time is None:
            return True
        first, last = _to_ms(self.first_time), _to_ms(self.last_time)
        return any(first < end and begin <= last for begin, end in ranges)


def read_files(lake: Path, table: Table, version: int | None = None) -> list[TableFile]:
    """List the files of a version of a table (the newest if None), without opening any.

    Raises:
        LakeError: the table does not exist.
    """
    opened = require_table(lake, table, version)
    root = table_path(lake, table)
    return [
        TableFile(
            path=str(root / row["path"]),
            rows=row["num_records"],
            first_day=row.get("min.date") or _partition_day(row),
            last_day=row.get("max.date") or _partition_day(row),
            first_time=_statistic(row, "min"),
            last_time=_statistic(row, "max"),
            grain=row.get("min.grain") if row.get("min.grain") == row.get("max.grain") else None,
        )
        for row in pa.table(opened.get_add_actions(flatten=True)).to_pylist()
    ]


def count_rows(files: Sequence[TableFile]) -> int:
    """Return the total number of rows."""
    return sum(file.rows for file in files)


def count_rows_on(lake: Path, table: Table, days: Iterable[date]) -> int:
    """Return about how many rows a table's newest version has on some days: those of its files."""
    among = sorted(days)
    return count_rows([file for file in read_files(lake, table) if file.may_hold(among)])


def _to_ms(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def _statistic(row: dict[str, Any], end: str) -> datetime | None:
    found = [row[f"{end}.{name}"] for name in _TIMES if f"{end}.{name}" in row]
    return found[0] if found else None


def _partition_day(row: dict[str, Any]) -> date:
    return date.fromisoformat(str(row["partition.date"]))
