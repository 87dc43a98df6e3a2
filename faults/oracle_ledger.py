"""Ledgers to Kafka: check that the log has each acknowledged record, unchanged, at its position."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from faults.oracle_findings import NAMED_AT_MOST, Findings, Kind, Tally
from faults.oracle_kafka import Log, LogRecord
from faults.oracle_lake import hash_rows
from faults.oracle_plays import event_id_of
from faults.oracle_positions import NOWHERE, Indexes, Positions, format_position

CHECK = "ledger to Kafka"
NO_ANSWER = 0
ANSWERS = ("", "accepted", "rejected", "duplicate")
"""The verdict that a ledger expects for a record, by number; 0 for none."""

_UNNUMBERED = -1
_COLUMNS = [
    *("number", "partition", "offset", "answer", "reason", "copy_of"),
    *("event_id", "user_id", "song_id", "event_time", "country", "ms_played"),
]
_WHO = ("event_id", "user_id", "song_id")
_ALL = (*_WHO, "event_time", "country", "ms_played")


class Sent:
    """The entries of all ledgers, by position; `answer` and `reason` are indexes of texts.

    Attributes:
        answer: an index of `ANSWERS`; `NO_ANSWER` where no ledger has a record, or where the right
            verdict is unknown, as for copies of a record that was not acknowledged.
        reason: an index of `reasons`, for a rejected record.
        unknown: the number of unacknowledged records by identity; the log may hold them or not.
    """

    def __init__(self, folders: Sequence[Path], positions: Positions, findings: Findings) -> None:
        self._positions, self._folders, self._findings = positions, list(folders), findings
        size = positions.size if folders else 0
        self.answer = np.zeros(size, np.int8)
        self.reason = np.zeros(size, np.int16)
        self.reasons = [""]
        self.unknown: Counter[int] = Counter()
        self._number = np.full(size, _UNNUMBERED, np.int64)
        self._ledger = np.zeros(size, np.int8)
        self._is_whole = np.zeros(size, np.bool_)
        self._content = np.zeros(size, np.int64)
        self._beyond = Tally()
        for ledger, folder in enumerate(folders):
            self._load(ledger, folder)

    def name(self, index: int) -> str:
        """Format a position, with its ledger and record number if known."""
        place = format_position(*self._positions.locate(index))
        if not len(self._number) or self._number[index] == _UNNUMBERED:
            return place
        folder = self._folders[self._ledger[index]].name
        return f"{place} (record {self._number[index]} of {folder})"

    def _load(self, ledger: int, folder: Path) -> None:
        unknown_numbers: set[int] = set()
        rows = 0
        for batch in _read(folder):
            rows += len(batch)
            is_known = np.asarray(batch["offset"].is_valid())
            acked = batch.filter(pa.array(is_known))
            self._take_acked(ledger, acked)
            for row in batch.filter(pa.array(~is_known)).to_pylist():
                unknown_numbers.add(row["number"])
                self.unknown[_hash_identity(row)] += 1
        if unknown_numbers:
            self._skip_copies(folder, unknown_numbers)
        self._check_record_count(folder, rows)

    def _take_acked(self, ledger: int, batch: pa.RecordBatch) -> None:
        at = self._positions.find(batch["partition"], batch["offset"])
        columns = {name: batch[name].to_pylist() for name in _COLUMNS}
        inside = at != NOWHERE
        where = at[inside]
        twice = np.flatnonzero((self._number[where] != _UNNUMBERED) | _repeated(where))
        self._findings.add(
            Kind.WRONG,
            CHECK,
            (f"{self.name(where[one])}: acknowledged twice" for one in twice[:NAMED_AT_MOST]),
            total=len(twice),
        )
        answers = [ANSWERS.index(one) for one in columns["answer"]]
        is_whole = np.array([one != "rejected" for one in columns["answer"]], np.bool_)
        content = np.where(is_whole, _hash(columns, _ALL), _hash(columns, _WHO))
        content[[one is None for one in columns["event_id"]]] = 0
        for array, values in (
            (self._number, columns["number"]),
            (self.answer, answers),
            (self.reason, [self._number_reason(one) for one in columns["reason"]]),
            (self._is_whole, is_whole),
            (self._content, content),
        ):
            array[where] = np.asarray(values)[inside]
        self._ledger[where] = ledger
        for one in np.flatnonzero(~inside).tolist():
            partition, offset = columns["partition"][one], columns["offset"][one]
            if offset >= self._positions.ends.get(partition, 0):
                event = columns["event_id"][one]
                self._beyond.add(f"{format_position(partition, offset)} (event {event})")

    def _number_reason(self, reason: str | None) -> int:
        if reason is None:
            return 0
        if reason not in self.reasons:
            self.reasons.append(reason)
        return self.reasons.index(reason)

    def _skip_copies(self, folder: Path, unknown: set[int]) -> None:
        """Expect no verdict for copies of a record that may be missing in the log."""
        for batch in _read(folder):
            is_copy = np.array([one in unknown for one in batch["copy_of"].to_pylist()], np.bool_)
            copies = batch.filter(pa.array(is_copy & np.asarray(batch["offset"].is_valid())))
            at = self._positions.find(copies["partition"], copies["offset"])
            self.answer[at[at != NOWHERE]] = NO_ANSWER

    def _check_record_count(self, folder: Path, rows: int) -> None:
        stated = json.loads((folder / "ledger.json").read_bytes())["records"]
        if stated != rows:
            what = f"{folder.name}: {stated} records by ledger.json, {rows} rows"
            self._findings.add(Kind.WRONG, CHECK, [what], total=1)


class SentCheck:
    """Compares Kafka's records with the ledgers, chunk by chunk.

    Args:
        sent: the entries of all ledgers.
        positions: the positions of Kafka's log.
        others_allowed: whether records without a ledger entry are allowed.
    """

    def __init__(self, sent: Sent, positions: Positions, *, others_allowed: bool) -> None:
        self._sent, self._positions, self._others_allowed = sent, positions, others_allowed
        self._seen = np.zeros(len(sent._number), np.bool_)
        self._left = Counter(sent.unknown)
        self._found = 0
        self._unlisted, self._differing = Tally(), Tally()

    def take(self, chunk: list[LogRecord]) -> None:
        """Compare a chunk of records."""
        at = self._positions.find([one.partition for one in chunk], [one.offset for one in chunk])
        self._seen[at[at != NOWHERE]] = True
        for record, index in zip(chunk, at.tolist(), strict=True):
            if index == NOWHERE:
                continue
            if self._sent._number[index] == _UNNUMBERED:
                self._take_unlisted(record)
            elif (wanted := self._sent._content[index]) and wanted != self._read(record, index):
                self._differing.add(f"{self._sent.name(index)}: another play than was sent")

    def finish(self, log: Log, findings: Findings) -> None:
        """Report missing and differing records, and those that are in no ledger."""
        sent = self._sent
        known = sent._number != _UNNUMBERED
        missing = np.flatnonzero(known & ~self._seen & ~self._positions.below(log.starts))
        names = [
            f"{sent.name(index)}: acknowledged, not in Kafka"
            for index in missing[:NAMED_AT_MOST].tolist()
        ]
        findings.add(Kind.LOST, CHECK, names, total=len(missing))
        names = [
            f"{one}: acknowledged, beyond the end of Kafka's log" for one in sent._beyond.names
        ]
        findings.add(Kind.LOST, CHECK, names, total=sent._beyond.total)
        findings.add(Kind.WRONG, CHECK, self._differing.names, total=self._differing.total)
        if not self._others_allowed:
            findings.add(Kind.WRONG, CHECK, self._unlisted.names, total=self._unlisted.total)
        if unknown := sum(sent.unknown.values()):
            findings.note(f"{self._found} of {unknown} records without an answer are in the log")
        findings.note_checked("acknowledged records in Kafka", int((known & self._seen).sum()))

    def _read(self, record: LogRecord, index: int) -> int:
        row = _open(record.value)
        return _hash_row(row, _ALL if self._sent._is_whole[index] else _WHO)

    def _take_unlisted(self, record: LogRecord) -> None:
        for who in (_hash_identity(_open(record.value)), 0) if self._left else ():
            if self._left[who] > 0:
                self._left[who] -= 1
                self._found += 1
                return
        place = format_position(record.partition, record.offset)
        self._unlisted.add(f"{place} (event {event_id_of(record.value)}): in no ledger")


def _read(folder: Path) -> Iterator[pa.RecordBatch]:
    if not (folder / "ledger.json").exists():
        what = f"{folder} holds no closed ledger."
        raise FileNotFoundError(what)
    for path in sorted((folder / "records").glob("*.parquet")):
        with pq.ParquetFile(path) as file:
            yield from file.iter_batches(columns=_COLUMNS)


def _open(value: bytes | None) -> dict[str, Any]:
    try:
        fields = json.loads(value or b"")
    except (ValueError, RecursionError):
        return {}
    if not isinstance(fields, dict):
        return {}
    return {**fields, "country": fields.get("country") or "ZZ"}


def _hash(columns: dict[str, list[Any]], names: Sequence[str]) -> Indexes:
    return hash_rows((columns[name] for name in names), len(columns["number"]))


def _hash_row(row: dict[str, Any], names: Sequence[str]) -> int:
    return hash(tuple(_hashable(row.get(name)) for name in names))


def _hash_identity(row: dict[str, Any]) -> int:
    """Return a hash that identifies a play; 0 for every record that is not a play."""
    return _hash_row(row, _WHO) if isinstance(row.get("event_id"), str) else 0


def _hashable(value: Any) -> Any:
    return repr(value) if isinstance(value, list | dict) else value


def _repeated(at: Indexes) -> "np.ndarray[Any, np.dtype[np.bool_]]":
    """Mark every occurrence of a position after its first."""
    marked = np.ones(len(at), np.bool_)
    marked[np.unique(at, return_index=True)[1]] = False
    return marked
