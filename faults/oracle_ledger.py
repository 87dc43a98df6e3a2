"""Ledgers to Kafka: what was acknowledged is in the log, where and as it was sent."""

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
from faults.oracle_places import NOWHERE, Indexes, Places, name_place
from faults.oracle_plays import event_id_of

CHECK = "ledger to Kafka"
NO_ANSWER = 0
ANSWERS = ("", "accepted", "rejected", "duplicate")
"""What a ledger says that an exact system makes of a record; by number, 0: nothing."""

_UNNUMBERED = -1
_COLUMNS = [
    *("number", "partition", "offset", "answer", "reason", "copy_of"),
    *("event_id", "user_id", "song_id", "event_time", "country", "ms_played"),
]
_WHO = ("event_id", "user_id", "song_id")
_ALL = (*_WHO, "event_time", "country", "ms_played")


class Sent:
    """What all ledgers say of each position; `answer` and `reason` are numbers of texts.

    Attributes:
        answer: of `ANSWERS`; `NO_ANSWER` where no ledger has a record, or none can be demanded: of
            the first copy after a record that was not acknowledged nobody knows.
        reason: of `reasons`, for a rejected one.
        unknown: how many records were not acknowledged; they may be in the log or not.
    """

    def __init__(self, folders: Sequence[Path], places: Places, findings: Findings) -> None:
        self._places, self._folders, self._findings = places, list(folders), findings
        size = places.size if folders else 0
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
        """Write where a position is, and which record of which ledger it holds."""
        place = name_place(*self._places.locate(index))
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
                self.unknown[_who(row)] += 1
        if unknown_numbers:
            self._excuse_copies(folder, unknown_numbers)
        self._check_seal(folder, rows)

    def _take_acked(self, ledger: int, batch: pa.RecordBatch) -> None:
        at = self._places.find(batch["partition"], batch["offset"])
        columns = {name: batch[name].to_pylist() for name in _COLUMNS}
        inside = at != NOWHERE
        where = at[inside]
        taken = np.flatnonzero((self._number[where] != _UNNUMBERED) | _repeated(where))
        self._findings.add(
            Kind.WRONG,
            CHECK,
            (f"{self.name(where[one])}: acknowledged twice" for one in taken[:NAMED_AT_MOST]),
            total=len(taken),
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
            if offset >= self._places.ends.get(partition, 0):
                event = columns["event_id"][one]
                self._beyond.add(f"{name_place(partition, offset)} (event {event})")

    def _number_reason(self, reason: str | None) -> int:
        if reason is None:
            return 0
        if reason not in self.reasons:
            self.reasons.append(reason)
        return self.reasons.index(reason)

    def _excuse_copies(self, folder: Path, unknown: set[int]) -> None:
        """Demand no answer of copies of a record that may not be in the log."""
        for batch in _read(folder):
            is_copy = np.array([one in unknown for one in batch["copy_of"].to_pylist()], np.bool_)
            copies = batch.filter(pa.array(is_copy & np.asarray(batch["offset"].is_valid())))
            at = self._places.find(copies["partition"], copies["offset"])
            self.answer[at[at != NOWHERE]] = NO_ANSWER

    def _check_seal(self, folder: Path, rows: int) -> None:
        told = json.loads((folder / "ledger.json").read_bytes())["records"]
        if told != rows:
            what = f"{folder.name}: {told} records by ledger.json, {rows} rows"
            self._findings.add(Kind.WRONG, CHECK, [what], total=1)


class SentCheck:
    """Takes Kafka's records as they come, and compares them with what the ledgers say.

    Args:
        sent: all ledgers.
        places: the positions of Kafka's log.
        others_allowed: others may have written to the topic, too.
    """

    def __init__(self, sent: Sent, places: Places, *, others_allowed: bool) -> None:
        self._sent, self._places, self._others_allowed = sent, places, others_allowed
        self._seen = np.zeros(len(sent._number), np.bool_)
        self._left = Counter(sent.unknown)
        self._found = 0
        self._strangers, self._differing = Tally(), Tally()

    def take(self, chunk: list[LogRecord]) -> None:
        """Compare some records."""
        at = self._places.find([one.partition for one in chunk], [one.offset for one in chunk])
        self._seen[at[at != NOWHERE]] = True
        for record, index in zip(chunk, at.tolist(), strict=True):
            if index == NOWHERE:
                continue
            if self._sent._number[index] == _UNNUMBERED:
                self._take_stranger(record)
            elif (wanted := self._sent._content[index]) and wanted != self._read(record, index):
                self._differing.add(f"{self._sent.name(index)}: another play than was sent")

    def finish(self, log: Log, findings: Findings) -> None:
        """Say what is missing, what differs and what nobody sent."""
        sent = self._sent
        known = sent._number != _UNNUMBERED
        missing = np.flatnonzero(known & ~self._seen & ~self._places.below(log.starts))
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
            findings.add(Kind.WRONG, CHECK, self._strangers.names, total=self._strangers.total)
        if unknown := sum(sent.unknown.values()):
            findings.note(f"{self._found} of {unknown} records without an answer are in the log")
        findings.looked_at("acknowledged records in Kafka", int((known & self._seen).sum()))

    def _read(self, record: LogRecord, index: int) -> int:
        row = _open(record.value)
        return _hash_row(row, _ALL if self._sent._is_whole[index] else _WHO)

    def _take_stranger(self, record: LogRecord) -> None:
        for who in (_who(_open(record.value)), 0) if self._left else ():
            if self._left[who] > 0:
                self._left[who] -= 1
                self._found += 1
                return
        place = name_place(record.partition, record.offset)
        self._strangers.add(f"{place} (event {event_id_of(record.value)}): in no ledger")


def _read(folder: Path) -> Iterator[pa.RecordBatch]:
    if not (folder / "ledger.json").exists():
        what = f"{folder} holds no ledger that was closed."
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


def _who(row: dict[str, Any]) -> int:
    """Return what tells a play from others; records that are no play are all alike."""
    return _hash_row(row, _WHO) if isinstance(row.get("event_id"), str) else 0


def _hashable(value: Any) -> Any:
    return repr(value) if isinstance(value, list | dict) else value


def _repeated(at: Indexes) -> "np.ndarray[Any, np.dtype[np.bool_]]":
    """Mark the positions that come a second time."""
    marked = np.ones(len(at), np.bool_)
    marked[np.unique(at, return_index=True)[1]] = False
    return marked
