"""Counts of a run's new records, by topic partition and by outcome."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from pyspark.sql import Row

from crossfade.clock import HOUR_MS, floor_to
from crossfade.erasure.suppression import ERASED
from crossfade.lake.runs import Run


@dataclass(frozen=True, slots=True)
class Intake:
    """The new records by topic partition; `end_offsets` is V, where this run ends."""

    start_offsets: Mapping[int, int]
    end_offsets: Mapping[int, int]
    last_log_times: Mapping[int, int]
    bronze_rows: Mapping[int, int] = field(default_factory=dict)
    rejected_by_reason: Mapping[str, int] = field(default_factory=dict)
    dropped_by_field: Mapping[str, int] = field(default_factory=dict)
    erased: int = 0
    days: frozenset[date] = frozenset()
    rejected_bytes: int = 0

    @property
    def is_dense(self) -> bool:
        """Check whether every offset of the range has a record."""
        span = sum(self.end_offsets.values()) - sum(self.start_offsets.values())
        return span == sum(self.bronze_rows.values())


@dataclass(frozen=True, slots=True)
class Verdicts:
    """The outcome of the records that obey the contract; sums and `late` are of accepted ones."""

    accepted: int = 0
    duplicates: int = 0
    known: int = 0
    late: int = 0
    counted_plays: int = 0
    ms_played: int = 0
    touched: Mapping[int, Iterable[int]] = field(default_factory=dict)
    """The windows that accepted plays fell in, by hour (starts, ms since the epoch)."""

    def touching(self, times: Iterable[int], grain_ms: int) -> "Verdicts":
        """Return a copy with further times touched: those of plays that left silver."""
        touched = {hour: set(windows) for hour, windows in self.touched.items()}
        for time in times:
            touched.setdefault(floor_to(time, HOUR_MS), set()).add(floor_to(time, grain_ms))
        return replace(self, touched=touched)


def sum_intake(
    rows: Iterable[Row], previous: Run, archived: Mapping[int, int] | None = None
) -> Intake:
    """Add up the summary of the new records, by topic partition and reason.

    The run ends at the `archived` end offsets, and without them at the last records.
    """
    bronze_rows, reasons, dropped = Counter[int](), Counter[str](), Counter[str]()
    ends, last_log_times = dict(previous.end_offsets), dict(previous.last_log_times)
    for p, end in (archived or {}).items():
        ends[p] = max(ends.get(p, 0), end)
    days: set[date] = set()
    erased = rejected_bytes = 0
    for row in rows:
        p = row.partition
        bronze_rows[p] += row.records
        ends[p] = max(ends.get(p, 0), row.last_offset + 1)
        if row.last_log_time is not None:
            last_log_times[p] = max(last_log_times.get(p, row.last_log_time), row.last_log_time)
        if row.reason == ERASED:
            erased += row.records
        elif row.reason is not None:
            reasons[row.reason] += row.records
        for name in row.dropped.split(",") if row.dropped else ():
            dropped[name] += row.records
        days.update(row.days)
        rejected_bytes += row.rejected_bytes
    return Intake(
        start_offsets={p: previous.end_offsets.get(p, 0) for p in ends},
        end_offsets=ends,
        last_log_times=last_log_times,
        bronze_rows=dict(bronze_rows),
        rejected_by_reason=dict(reasons),
        dropped_by_field=dict(dropped),
        erased=erased,
        days=frozenset(days),
        rejected_bytes=rejected_bytes,
    )


def sum_verdicts(rows: Iterable[Row]) -> Verdicts:
    """Add up the summary of the judged candidates, by outcome and hour."""
    accepted, duplicates = [], 0
    for row in rows:
        if row.outcome == "accepted":
            accepted.append(row)
        else:
            duplicates += row.records
    return Verdicts(
        accepted=sum(row.records for row in accepted),
        duplicates=duplicates,
        known=sum(row.known for row in accepted),
        late=sum(row.late for row in accepted),
        counted_plays=sum(row.counted_plays for row in accepted),
        ms_played=sum(row.ms_played for row in accepted),
        touched={row.hour: tuple(row.windows) for row in accepted},
    )
