"""A table's files as Delta's own log has them: rows and days of each, and none is opened."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa

from crossfade.errors import LakeError
from crossfade.lake import Table, open_table, table_path


@dataclass(frozen=True, slots=True)
class TableFile:
    """A data file: where it lies, how many rows it has, and the days between which they are."""

    path: str
    rows: int
    first_day: date
    last_day: date

    def may_hold(self, days: Sequence[date]) -> bool:
        """Tell whether a row of one of the days can be in the file; the days are in order."""
        return bool(days) and self.first_day <= days[-1] and days[0] <= self.last_day


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
        )
        for row in pa.table(opened.get_add_actions(flatten=True)).to_pylist()
    ]


def count_rows(files: Sequence[TableFile]) -> int:
    """Add up the rows of files."""
    return sum(file.rows for file in files)


def count_rows_on(lake: Path, table: Table, days: Iterable[date]) -> int:
    """Give about how many rows a table's newest version has on some days: those of its files."""
    among = sorted(days)
    return count_rows([file for file in read_files(lake, table) if file.may_hold(among)])


def _partition_day(row: dict[str, object]) -> date:
    return date.fromisoformat(str(row["partition.date"]))
