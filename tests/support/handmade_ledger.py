"""A tiny ledger written by a test: what was sent, judged in plain Python.

The rows share no code with the generator or the proof. A test changes one before `write`.
"""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from crossfade.clock import DAY_MS, HOUR_MS
from crossfade.contract.counting import COUNTED_AFTER_MS
from crossfade.contract.decode import encode_play
from crossfade.contract.ledger import (
    COUNT_SCHEMA,
    COUNTS,
    RECORD_SCHEMA,
    RECORDS,
    SEAL,
    Ledger,
    open_ledger,
)
from crossfade.contract.play import Play
from crossfade.folder import DataFolder
from crossfade.lake.findings import Finding, Reconciliation
from crossfade.proof.reconcile import prove_lake
from support.handmade_lake import NOON, HandmadeLake, Record, a_lake, a_play

Row = dict[str, Any]

BOUNDARY = NOON + 9 * DAY_MS + HOUR_MS // 2
"""In the middle of an hour: its day and its hour are open, its windows are handed over."""
NEAR = NOON + 8 * DAY_MS
"""In the last closed day, whose windows are kept."""

MALFORMED, COPY, UNKNOWN = 16, 18, 19
"""Record numbers; for records in Kafka they are also the offsets."""


@dataclass
class HandmadeLedger:
    """Rows of a ledger in the order of sending, and the records that Kafka has of them."""

    run: str
    rows: list[Row] = field(default_factory=list)
    log: list[Record] = field(default_factory=list)

    def send(self, play: Play, *, is_lost: bool = False, **changes: object) -> None:
        """Send a play and note its acknowledgement; with `is_lost`, it never reached Kafka."""
        error = "timed out" if is_lost else None
        row = {**_describe(play), "kind": "play", "answer": "accepted", "error": error, **changes}
        self._add(row, encode_play(play), play.event_time + 1_000, is_logged=not is_lost)

    def send_again(self, number: int, play: Play) -> None:
        """Send a copy of the record with this number."""
        self.send(play, kind="copy", answer="duplicate", fault="copy", copy_of=number)

    def send_malformed(self, value: bytes, reason: str, log_time: int) -> None:
        """Send a record that is not a play."""
        row = {"kind": "malformed", "answer": "rejected", "reason": reason, "fault": "malformed"}
        self._add(row, value, log_time)

    def lose_acknowledgement(self, number: int) -> None:
        """Remove a record's position: it is in Kafka, but its acknowledgement was lost."""
        self.rows[number].update(partition=None, offset=None, error="timed out")

    def log_unlisted(self, play: Play) -> None:
        """Put a play that is not in this ledger into Kafka, in partition 1."""
        self._log(1, encode_play(play), play.event_time + 1_000)

    def write(self, folder: Path) -> Ledger:
        """Write the files, the seal last; the counts and the seal match the current rows."""
        self.write_records(folder)
        self.write_counts(folder)
        return self.close(folder)

    def write_records(self, folder: Path) -> None:
        """Write the rows in two files."""
        (folder / RECORDS).mkdir(parents=True, exist_ok=True)
        half = len(self.rows) // 2
        for name, rows in (("0", self.rows[:half]), ("1", self.rows[half:])):
            table = pa.Table.from_pylist(rows, RECORD_SCHEMA)
            pq.write_table(table, folder / RECORDS / f"{name}.parquet")

    def write_counts(self, folder: Path, *, without: int = -1) -> None:
        """Write the counts of accepted plays; `without` leaves one row out."""
        counts: dict[tuple[int, str, str], Counter[str]] = {}
        for row in self._accepted():
            hour = row["event_time"] // HOUR_MS * HOUR_MS
            sums = counts.setdefault((hour, row["song_id"], row["country"]), Counter())
            sums.update(
                plays=1, counted_plays=int(row["is_counted"]), ms_played=row["ms_played"] or 0
            )
        rows = [
            dict(zip(("hour", "song_id", "country"), grain, strict=True)) | dict(sums)
            for grain, sums in counts.items()
        ]
        if without >= 0:
            del rows[without]
        pq.write_table(pa.Table.from_pylist(rows, COUNT_SCHEMA), folder / COUNTS)

    def close(self, folder: Path, **changes: object) -> Ledger:
        """Write the seal."""
        unknown = sum(row["error"] is not None for row in self.rows)
        accepted = self._accepted()
        seal = {
            "run": self.run,
            "seed": 1,
            "records": len(self.rows),
            "acknowledged": sum(row["offset"] is not None for row in self.rows),
            "unknown": unknown,
            "answers": Counter(row["answer"] for row in self.rows),
            "reasons": Counter(row["reason"] for row in self.rows if row["reason"]),
            "faults": Counter(row["fault"] for row in self.rows if row["fault"]),
            "counted_plays": sum(row["is_counted"] for row in accepted),
            "ms_played": sum(row["ms_played"] or 0 for row in accepted),
        }
        (folder / SEAL).write_text(json.dumps(seal | changes), encoding="utf-8")
        return open_ledger(folder)

    def _accepted(self) -> list[Row]:
        return [row for row in self.rows if row["answer"] == "accepted"]

    def _add(self, row: Row, value: bytes, log_time: int, *, is_logged: bool = True) -> None:
        position: Row = {"partition": None, "offset": None}
        if is_logged:
            position = self._log(0, value, log_time)
        empty = dict.fromkeys(RECORD_SCHEMA.names)
        self.rows.append({**empty, **position, "number": len(self.rows), **row})

    def _log(self, partition: int, value: bytes, log_time: int) -> Row:
        offset = sum(record.partition == partition for record in self.log)
        self.log.append(Record(partition, offset, value, log_time))
        return {"partition": partition, "offset": offset}


def a_sent_play(number: int, **changes: object) -> Play:
    """Build a play of the run, numbered like its record."""
    return a_play(number, event_id=f"run-{number:05}", **changes)


def sent() -> HandmadeLedger:
    """Return a ledger of 16 plays, 2 malformed records, a copy of play 5, and 2 unacknowledged.

    Of the unacknowledged records, one is in Kafka and one is lost.
    """
    ledger = HandmadeLedger("run")
    for number in range(12):
        ledger.send(a_sent_play(number))
    ledger.send(a_sent_play(12, ms_played=5_000, country="NO"))
    ledger.send(a_sent_play(13, ms_played=None, country="ZZ"))
    ledger.send(a_sent_play(14, event_time=NEAR), late_by_ms=1)
    ledger.send(a_sent_play(15, event_time=NEAR + 1_000))
    ledger.send_malformed(b"not json", "json_syntax", NOON)
    ledger.send_malformed(b"[]", "not_object", NOON)
    ledger.send_again(5, a_sent_play(5))
    ledger.send(a_sent_play(19))
    ledger.lose_acknowledgement(UNKNOWN)
    ledger.send(a_sent_play(20), is_lost=True)
    return ledger


def with_others(ledger: HandmadeLedger) -> HandmadeLedger:
    """Add plays of other producers for the same songs, in open periods too."""
    for number in (100, 104, 101):
        ledger.log_unlisted(a_play(number))
    for number, event_time in enumerate((NOON + 9 * DAY_MS - 1, BOUNDARY - 1, BOUNDARY), 105):
        ledger.log_unlisted(a_play(number, event_time=event_time))
    return ledger


def lake_of(ledger: HandmadeLedger) -> HandmadeLake:
    """Derive the lake of all records in Kafka."""
    return a_lake(ledger.log, boundary=BOUNDARY)


def prove(handmade: HandmadeLake, folder: DataFolder, *ledgers: Ledger) -> Reconciliation:
    """Write a lake and compare it with ledgers."""
    return prove_lake(handmade.write(folder), None, ledgers)


def about(proof: Reconciliation, check: str) -> list[Finding]:
    """Return a proof's findings about one law."""
    return [finding for finding in proof.findings if finding.check == check]


def _describe(play: Play) -> Row:
    names = ("event_id", "user_id", "event_time", "song_id", "country", "ms_played")
    heard = play.ms_played
    return {
        **{name: getattr(play, name) for name in names},
        "is_counted": heard is None or heard >= COUNTED_AFTER_MS,
    }
