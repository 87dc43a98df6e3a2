"""Read the lake with general libraries: Delta's file lists, Parquet with checksums verified."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError
from numpy.typing import NDArray

Hashes = NDArray[np.int64]

BRONZE = "bronze/song_plays"
FUTURE_MS = 5 * 60_000
"""A record whose event time is further ahead of log time is rejected."""
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": HOUR_MS, "d": DAY_MS}
_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class TimeRules:
    """The fixed time settings of a data folder, in milliseconds."""

    grain: int
    late_after: int
    clock_slack: int


@dataclass(frozen=True, slots=True)
class Run:
    """The columns of a published run of batch that the oracle needs."""

    number: int
    pins: Mapping[str, int]
    end_offsets: Mapping[int, int]
    boundary: int
    gaps: Sequence[tuple[int, int, int]]
    """Topic partition, first offset, exclusive end: offsets that no record has in Kafka."""


@dataclass(slots=True)
class Lake:
    """The lake of a data folder; `unreadable` maps each unreadable file to its error."""

    data: Path
    unreadable: dict[str, str] = field(default_factory=dict)

    def time_rules(self) -> TimeRules:
        """Read the time settings from `crossfade.json`."""
        fixed = json.loads((self.data / "crossfade.json").read_bytes())
        return TimeRules(*(_milliseconds(fixed[k]) for k in ("grain", "late_after", "clock_slack")))

    def first_offsets(self) -> dict[int, int]:
        """Read the archive's first offsets; a partition that is not listed begins at 0."""
        path = self.data / "datalake" / "_checkpoint" / "archive.binding.json"
        if not path.exists():
            return {}
        noted = json.loads(path.read_bytes())["first_offsets"]
        return {int(partition): offset for partition, offset in noted.items()}

    def runs(self) -> list[Run]:
        """Read every published run, in order of its number."""
        columns = ["run", "pins", "end_offsets", "boundary", "gaps"]
        rows = [row for batch in self.rows("gold/run", columns) for row in batch.to_pylist()]
        return [
            Run(
                row["run"],
                dict(row["pins"]),
                dict(row["end_offsets"]),
                row["boundary"],
                [tuple(gap.values()) for gap in row["gaps"] or ()],
            )
            for row in sorted(rows, key=lambda row: row["run"])
        ]

    def files(self, table: str, version: int | None = None) -> list[str]:
        """List the files of a table at a version (the newest if None); empty without a table."""
        try:
            opened = DeltaTable(self.data / "datalake" / table, version)
            return sorted(map(unquote, opened.file_uris()))
        except TableNotFoundError:
            return []

    def rows(
        self,
        table: str,
        columns: Sequence[str],
        version: int | None = None,
        *,
        offsets: tuple[int, int] | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """Yield columns of a table in batches; with `offsets`, skip files that cannot hold them."""
        for path in self.files(table, version):
            yield from self.read_file(path, columns, offsets=offsets)

    def read_file(
        self, path: str, columns: Sequence[str], *, offsets: tuple[int, int] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yield a file's batches; note a damaged or missing file in `unreadable` and stop."""
        try:
            with pq.ParquetFile(path, page_checksum_verification=True) as file:
                if offsets is None or _may_hold(file.metadata, offsets):
                    yield from file.iter_batches(_ROWS, columns=list(columns))
        except (OSError, pa.ArrowException) as error:
            self.unreadable[path] = str(error).splitlines()[0]


def partition_value(path: str, name: str) -> str:
    """Return a partition column's value from a file's path, such as `date=2026-01-01`."""
    found = re.findall(rf"/{name}=([^/]+)/", path)
    return found[-1] if found else ""


def hash_rows(columns: Iterable[Sequence[Any]], count: int) -> Hashes:
    """Return Python's hash of each row; two rows that differ collide once in 2^64."""
    return np.fromiter(map(hash, zip(*columns, strict=True)), np.int64, count)


def to_ms(times: pa.Array) -> Hashes:
    """Return timestamps as milliseconds since the epoch.

    Raises:
        pa.ArrowInvalid: a time is finer than a millisecond.
    """
    return np.asarray(times.cast(pa.timestamp("ms", tz="UTC")).cast(pa.int64()))


def _may_hold(metadata: pq.FileMetaData, offsets: tuple[int, int]) -> bool:
    """Check the least and the greatest offset in the file's footer against a range."""
    column = metadata.schema.names.index("offset")
    for number in range(metadata.num_row_groups):
        extent = metadata.row_group(number).column(column).statistics
        if extent is None or not extent.has_min_max:
            return True
        if extent.min < offsets[1] and offsets[0] <= extent.max:
            return True
    return False


def _milliseconds(text: str) -> int:
    number, unit = re.fullmatch(r"(\d+)(ms|s|m|h|d)", text).groups()  # type: ignore[union-attr]
    return int(number) * _UNITS[unit]
