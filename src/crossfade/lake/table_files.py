"""A table's files as Delta's own log has them: rows and days of each, and none is opened."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from crossfade.clock import Range
from crossfade.errors import LakeError
from crossfade.lake.tables import Table, open_table, table_path

_TIMES = ("window_start", "hour_start", "period_start", "event_time")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class TableFile:
    """A data file: where it lies, how many rows it has, and the days between which they are.

    `grain` is that of all its rows, where the table has one and they are of one.
    """

    path: str
    rows: int
    first_day: date
    last_day: date
    first_time: datetime | None
    last_time: datetime | None
    grain: str | None

    def may_hold(self, days: Sequence[date]) -> bool:
        """Check whether a row of one of the days can be in the file; the days are in order."""
        return bool(days) and self.first_day <= days[-1] and days[0] <= self.last_day

    def may_lie_in(self, ranges: Sequence[Range]) -> bool:
        """Check whether a row with a time in one of the ranges can be in the file."""
        if self.first_time is None or self.last_time is None:
            return True
        first, last = _to_ms(self.first_time), _to_ms(self.last_time)
        return any(first < end and begin <= last for begin, end in ranges)


def read_files(lake: Path, table: Table, version: int | None = None) -> list[TableFile]:
    """Read which files a version of a table has (the newest if None).

    Raises:
        LakeError: the table is not there.
    """
    opened = open_table(lake, table, version)
    if opened is None:
        what = f"The table {table.name} is gone from {lake}."
        raise LakeError(what, 'Put the folder back, or start anew with "crossfade reset".')
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
    """Add up the rows of files."""
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
