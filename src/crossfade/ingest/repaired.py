"""Reader of repaired records: edited lines of `crossfade rejected --json`."""

from collections.abc import Iterator
from typing import Annotated, BinaryIO

import msgspec
from msgspec import Meta

from crossfade.clock import format_time
from crossfade.contract.reasons import Reason
from crossfade.ingest.files import READ_ERRORS
from crossfade.ingest.replay import cut_batches
from crossfade.ingest.replay_report import Candidate, ReplayReport
from crossfade.ingest.report import BrokenFile
from crossfade.kafka.topics import MAX_RECORD_BYTES
from crossfade.lake.rejected_log import Known, Position, RejectedLog

_MAX_LINE = 8 * MAX_RECORD_BYTES
"""Enough for the largest record with every byte escaped, and for its position."""


class _Line(msgspec.Struct, frozen=True):
    """The fields of a line that are read; the others are only for the user."""

    partition: Annotated[int, Meta(ge=0, le=2**31 - 1)]
    offset: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    log_time: str = ""
    value: str | None = None
    value_base64: bytes | None = None


_read_line = msgspec.json.Decoder(_Line).decode


def read_repaired(
    name: str, file: BinaryIO, log: RejectedLog, report: ReplayReport, reason: Reason | None = None
) -> Iterator[list[Candidate]]:
    """Yield the records of a file in batches; refuse lines that match no rejected record.

    Args:
        name: the file's name, for the report.
        file: its uncompressed content.
        log: the rejected records of the lake; a line's position must be one of theirs.
        report: gets the refused lines, and the error if the file cannot be read to its end.
        reason: yield only records that were rejected for this reason.
    """
    for batch in cut_batches(_read_candidates(name, file, report)):
        known = log.find([candidate.position for candidate in batch])
        selected = []
        for candidate in batch:
            found = known.get(candidate.position)
            if why := _find_mismatch(candidate, found):
                report.refuse(candidate.line or 0, why)
            elif found is not None and reason in (None, found.reason):
                selected.append(candidate)
        yield selected


def _find_mismatch(candidate: Candidate, found: Known | None) -> str:
    """Return why a line does not belong to this lake; empty if it does."""
    partition, offset = candidate.position
    if found is None:
        return f"No record was rejected at partition {partition}, offset {offset}."
    log_time = format_time(found.log_time)
    if candidate.log_time not in ("", log_time):
        return (
            f"The record at its position has log time {log_time}: it is from another data folder."
        )
    return ""


def _read_candidates(name: str, file: BinaryIO, report: ReplayReport) -> Iterator[Candidate]:
    """Yield the lines that are valid; refuse a second line with the same position."""
    lines: dict[Position, int] = {}
    number = 0
    try:
        while text := file.readline(_MAX_LINE):
            number += 1
            if not text.endswith(b"\n") and len(text) == _MAX_LINE:
                report.torn = BrokenFile(name, number, f"a line of less than {_MAX_LINE} bytes")
                return
            if not text.strip():
                continue
            candidate = _read_candidate(number, text)
            if isinstance(candidate, str):
                report.refuse(number, candidate)
            elif (first := lines.setdefault(candidate.position, number)) != number:
                report.refuse(number, f"Line {first} has the same position.")
            else:
                yield candidate
    except READ_ERRORS as error:
        report.torn = BrokenFile(name, number + 1, f"more of the file ({error})")


def _read_candidate(number: int, text: bytes) -> Candidate | str:
    """Return the record of a line, or why the line is refused."""
    try:
        line = _read_line(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return f"It is not a line of crossfade rejected --json: {error}."
    value = line.value_base64 if line.value is None else line.value.encode()
    if value is None:
        return "It has no value."
    return Candidate((line.partition, line.offset), value, number, line.log_time)
