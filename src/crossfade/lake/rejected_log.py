"""The rejected records of a published run, each with its reason and its bytes."""

import codecs
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from crossfade.clock import format_time
from crossfade.contract.decode import MAX_PLAY_BYTES, decode_play
from crossfade.contract.reasons import MEANINGS, Reason, Rejection
from crossfade.lake.connection import connect, register_table
from crossfade.lake.runs import Run
from crossfade.lake.tables import SILVER_REJECTED, list_files

_ROWS_A_FETCH = 256
_READ_BYTES = MAX_PLAY_BYTES + 1
"""This many bytes of a value show that it is too large."""

_OF_NO_VALUE = (Reason.NOT_OBJECT, Reason.LOG_TIME_UNKNOWN)
"""A Kafka record without a value is rejected for one of these."""

Position = tuple[int, int]
"""Topic partition and offset."""


@dataclass(frozen=True, slots=True)
class RejectedRecord:
    """A record that is not a play.

    `log_time` is in milliseconds since the epoch. `value` is None if the record had none, or its
    bytes were erased. `size` counts all its bytes, even if `value` has only the first ones.
    """

    partition: int
    offset: int
    log_time: int
    reason: str
    value: bytes | None
    size: int

    @property
    def is_whole(self) -> bool:
        """Check whether `value` holds every byte."""
        return self.value is None or len(self.value) == self.size


class Known(NamedTuple):
    """The log time and reason of a rejected position."""

    log_time: int
    reason: str


class RejectedLog:
    """silver/rejected at the version that a run pinned; a context manager."""

    def __init__(self, lake: Path, run: Run) -> None:
        files = list_files(lake, SILVER_REJECTED, run.pins.get(SILVER_REJECTED.name))
        self._connection = connect()
        register_table(self._connection, SILVER_REJECTED, files)

    def __enter__(self) -> "RejectedLog":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def count_by_reason(self) -> dict[str, int]:
        """Count the rejected records of each reason, the most frequent first."""
        counted = "SELECT reason, count(*) AS n FROM silver_rejected GROUP BY reason"
        return dict(self._connection.execute(f"{counted} ORDER BY n DESC, reason").fetchall())

    def read(
        self,
        reason: Reason | None = None,
        *,
        limit: int | None = None,
        is_newest_first: bool = True,
        is_whole: bool = False,
    ) -> Iterator[RejectedRecord]:
        """Yield records in the order of their log time, sorting one UTC day at a time.

        Args:
            reason: only those rejected for it.
            limit: the most records to yield; None for all.
            is_newest_first: else the oldest first.
            is_whole: read every byte of records that are too large, else only their beginning.
        """
        order = "DESC" if is_newest_first else "ASC"
        value = "value" if is_whole else f"value[:{_READ_BYTES}]"
        of_reason, asked = ("AND reason = ?", [str(reason)]) if reason is not None else ("", [])
        days = self._connection.execute(
            f"SELECT DISTINCT date FROM silver_rejected ORDER BY date {order}"
        ).fetchall()
        left = limit
        for (day,) in days:
            if left == 0:
                return
            cut = f"LIMIT {left}" if left is not None else ""
            rows = self._connection.cursor().execute(
                f'SELECT "partition", "offset", epoch_ms(log_time), reason, {value}, '
                "coalesce(octet_length(value), 0) FROM silver_rejected "
                f"WHERE date = ? {of_reason} "
                f'ORDER BY log_time {order}, "partition" {order}, "offset" {order} {cut}',
                [day, *asked],
            )
            while some := rows.fetchmany(_ROWS_A_FETCH):
                yield from (RejectedRecord(*row) for row in some)
                left = None if left is None else left - len(some)

    def find(self, positions: Sequence[Position]) -> dict[Position, Known]:
        """Look up positions; one without a rejected record is absent from the result."""
        partitions, offsets = [p for p, _ in positions], [offset for _, offset in positions]
        rows = self._connection.execute(
            'SELECT "partition", "offset", epoch_ms(log_time), reason FROM silver_rejected '
            'SEMI JOIN (SELECT unnest(?::INT[]) AS "partition", unnest(?::BIGINT[]) AS "offset") '
            'USING ("partition", "offset")',
            [partitions, offsets],
        ).fetchall()
        return {(row[0], row[1]): Known(row[2], row[3]) for row in rows}


def explain(record: RejectedRecord) -> str:
    """Explain a rejection: judge the record's bytes again at its own log time."""
    if record.value is None:
        erased = "its bytes were erased."
        had_no_value = record.reason in _OF_NO_VALUE
        return f"It has no value, or {erased}" if had_no_value else erased.capitalize()
    has_log_time = record.reason != Reason.LOG_TIME_UNKNOWN
    if has_log_time and not record.is_whole:
        return MEANINGS[Reason.EVENT_TOO_LARGE]
    verdict = decode_play(record.value, record.log_time if has_log_time else None)
    if not isinstance(verdict, Rejection):
        return "The current rules accept it."
    if verdict.reason != record.reason:
        return f"{verdict.detail} ({verdict.reason} by the current rules)"
    return verdict.detail


def describe(record: RejectedRecord, first_bytes: int | None = None) -> dict[str, Any]:
    """Return a record for JSON: bytes as text if they are UTF-8, else as base64.

    Args:
        record: the record.
        first_bytes: the most bytes to return; None for all that were read.
    """
    shown = {
        "partition": record.partition,
        "offset": record.offset,
        "log_time": format_time(record.log_time),
        "reason": record.reason,
        "detail": explain(record),
        "bytes": record.size,
    }
    if record.value is None:
        return {**shown, "value": None}
    value = record.value[:first_bytes]
    try:
        # A truncated value may end inside a character.
        decoder = codecs.getincrementaldecoder("utf-8")()
        return {**shown, "value": decoder.decode(value, final=len(value) == record.size)}
    except UnicodeDecodeError:
        return {**shown, "value_base64": msgspec.to_builtins(value)}
