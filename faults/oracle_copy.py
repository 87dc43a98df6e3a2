"""Kafka to bronze: check that bronze has every record exactly once, byte for byte, and no other."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from faults.oracle_findings import NAMED_AT_MOST, Findings, Kind
from faults.oracle_kafka import SONG_PLAYS, Log, LogRecord
from faults.oracle_lake import BRONZE, Lake, Run, hash_rows
from faults.oracle_plays import event_id_of
from faults.oracle_positions import NOWHERE, Positions, format_position

CHECK = "Kafka to bronze"

_COLUMNS = [
    *("partition", "offset", "topic", "log_time", "timestamp_type"),
    *("key", "value", "headers"),
]
_Mask = NDArray[np.bool_]


class CopyCheck:
    """Reads bronze first, then compares Kafka's records chunk by chunk.

    Args:
        lake: the newest version of its bronze is read when the check is created.
        positions: the positions to check.
        erased: a mask of the positions whose key, headers and value may be null.
        is_whole: all of bronze is checked, so no row may lie outside the positions.
    """

    def __init__(self, lake: Lake, positions: Positions, erased: _Mask, *, is_whole: bool) -> None:
        self._positions, self._erased, self._lake = positions, erased, lake
        self._copies = np.zeros(positions.size, np.uint16)
        self._content = np.zeros(positions.size, np.int64)
        self._in_kafka = np.zeros(positions.size, np.bool_)
        self._differing: list[LogRecord] = []
        self._lost: list[LogRecord] = []
        self._lost_count = self._differing_count = 0
        self._outside: list[tuple[int, int]] = []
        if positions.size or is_whole:
            self._read_bronze(is_whole=is_whole)

    def take(self, chunk: list[LogRecord]) -> None:
        """Compare records of Kafka with their copies."""
        at = self._positions.find([one.partition for one in chunk], [one.offset for one in chunk])
        asked = at != NOWHERE
        content = np.fromiter(map(_content_of, chunk), np.int64, len(chunk))
        self._in_kafka[at[asked]] = True
        missing = asked & (self._copies[at] == 0)
        differing = asked & ~missing & (self._content[at] != content)
        for number in np.flatnonzero(differing & self._erased[at]).tolist():
            blank = chunk[number]._replace(key=None, value=None, headers=())
            differing[number] = self._content[at[number]] != _content_of(blank)
        self._lost_count += int(missing.sum())
        self._differing_count += int(differing.sum())
        for number in np.flatnonzero(missing)[: NAMED_AT_MOST - len(self._lost)].tolist():
            self._lost.append(chunk[number])
        for number in np.flatnonzero(differing)[: NAMED_AT_MOST - len(self._differing)].tolist():
            self._differing.append(chunk[number])

    def finish(
        self, log: Log, ends_now: Mapping[int, int], runs: Sequence[Run], findings: Findings
    ) -> None:
        """Report what was lost, repeated or changed.

        Where retention has deleted records from Kafka, only check that bronze has each offset once.

        Args:
            log: the log that the records came from.
            ends_now: the current ends of Kafka's log; newer records may be in bronze.
            runs: the runs of batch; they note the offsets that no record has.
            findings: collects the results.
        """
        retained = ~self._positions.below(log.starts)
        gone = ~retained & (self._copies == 0) & ~mark_gaps(self._positions, runs)
        outsiders = [
            (p, offset)
            for p, offset in self._outside
            if offset >= ends_now.get(p, 0) or offset < self._positions.firsts.get(p, 0)
        ]
        extra = retained & ~self._in_kafka & (self._copies > 0)
        repeats = np.flatnonzero(self._copies > 1)
        findings.add(
            Kind.LOST,
            CHECK,
            (_name(one, "in Kafka, not in bronze") for one in self._lost),
            total=self._lost_count,
        )
        self._add_positions(Kind.LOST, np.flatnonzero(gone), "not in bronze", findings)
        self._add_positions(Kind.REPEATED, repeats, "more than once in bronze", findings)
        self._add_positions(Kind.WRONG, np.flatnonzero(extra), "in bronze, not in Kafka", findings)
        findings.add(
            Kind.WRONG,
            CHECK,
            (_name(one, f"other {self._name_fields(one)}") for one in self._differing),
            total=self._differing_count,
        )
        findings.add(
            Kind.WRONG,
            CHECK,
            (f"{format_position(*one)}: in bronze, outside Kafka's log" for one in outsiders),
            total=len(outsiders),
        )
        findings.note_checked("records of Kafka in bronze", int(self._in_kafka.sum()))
        findings.note_checked("records that only bronze still has", int((~retained).sum()))

    def _read_bronze(self, *, is_whole: bool) -> None:
        span = None
        if not is_whole:
            span = min(self._positions.firsts.values()), max(self._positions.ends.values())
        for batch in self._lake.rows(BRONZE, _COLUMNS, offsets=span):
            at = self._positions.find(batch["partition"], batch["offset"])
            inside = at != NOWHERE
            np.add.at(self._copies, at[inside], 1)
            self._content[at[inside]] = _hash_bronze(batch)[inside]
            if is_whole:
                self._outside += positions_of(batch.filter(pa.array(~inside)))

    def _add_positions(
        self, kind: Kind, at: NDArray[np.int64], what: str, findings: Findings
    ) -> None:
        if not len(at):
            return
        first = [self._positions.locate(index) for index in at[:NAMED_AT_MOST].tolist()]
        ids = name_events(self._lake, first)
        names = (f"{format_position(*place)}{ids.get(place, '')}: {what}" for place in first)
        total = int((self._copies[at] - 1).sum()) if kind is Kind.REPEATED else len(at)
        findings.add(kind, CHECK, names, total=total)

    def _name_fields(self, record: LogRecord) -> str:
        """Read the copy again, and name the fields that differ."""
        span = record.offset, record.offset + 1
        wanted = _fields_of(record)
        for batch in self._lake.rows(BRONZE, _COLUMNS, offsets=span):
            for row in zip(*_bronze_columns(batch), strict=True):
                if row[:2] == wanted[:2] and row != wanted:
                    both = zip(_COLUMNS, wanted, row, strict=True)
                    return ", ".join(name for name, one, other in both if one != other)
        return "content"


def name_events(lake: Lake, positions: list[tuple[int, int]]) -> dict[tuple[int, int], str]:
    """Return bronze's event ids at some positions, in brackets for a message."""
    if not positions:
        return {}
    wanted = set(positions)
    offsets = [offset for _, offset in positions]
    found = {}
    for batch in lake.rows(
        BRONZE, ["partition", "offset", "value"], offsets=(min(offsets), max(offsets) + 1)
    ):
        for number, place in enumerate(positions_of(batch)):
            if place in wanted:
                found[place] = _in_brackets(event_id_of(batch["value"][number].as_py()))
    return found


def _name(record: LogRecord, what: str) -> str:
    event = _in_brackets(event_id_of(record.value))
    return f"{format_position(record.partition, record.offset)}{event}: {what}"


def _in_brackets(event_id: str | None) -> str:
    return "" if event_id is None else f" (event {event_id})"


def _content_of(record: LogRecord) -> int:
    return hash(_fields_of(record))


def _fields_of(record: LogRecord) -> tuple[object, ...]:
    """Return the values that bronze must have, in the order of `_COLUMNS`."""
    time_us = record.log_time * 1_000
    place = record.partition, record.offset, SONG_PLAYS
    return (*place, time_us, record.timestamp_type, record.key, record.value, record.headers)


def _hash_bronze(batch: pa.RecordBatch) -> NDArray[np.int64]:
    return hash_rows(_bronze_columns(batch), len(batch))


def _bronze_columns(batch: pa.RecordBatch) -> list[list[object]]:
    plain = {name: batch[name] for name in _COLUMNS}
    plain["log_time"] = batch["log_time"].cast(pa.int64())
    columns = {name: column.to_pylist() for name, column in plain.items()}
    columns["headers"] = [
        tuple((header["key"], header["value"]) for header in headers or ())
        for headers in columns["headers"]
    ]
    return list(columns.values())


def mark_gaps(positions: Positions, runs: Sequence[Run]) -> _Mask:
    """Mark the offsets that runs of batch noted as never used by a record."""
    noted = np.zeros(positions.size, np.bool_)
    for partition, begin, end in (gap for run in runs for gap in run.gaps):
        at = positions.find(np.full(end - begin, partition), np.arange(begin, end))
        noted[at[at != NOWHERE]] = True
    return noted


def positions_of(batch: pa.RecordBatch) -> list[tuple[int, int]]:
    """Return the positions of some rows."""
    return list(zip(batch["partition"].to_pylist(), batch["offset"].to_pylist(), strict=True))
