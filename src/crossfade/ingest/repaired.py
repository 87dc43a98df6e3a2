"""Repaired records: lines as `crossfade rejected --json` wrote them, each with its position."""

from collections.abc import Iterator
from typing import Annotated, BinaryIO

import msgspec
from msgspec import Meta

from crossfade.clock import format_time
from crossfade.contract.reasons import Reason
from crossfade.ingest.files import READ_ERRORS
from crossfade.ingest.replay import cut_batches
from crossfade.ingest.replay_report import Candidate, ReplayReport
from crossfade.ingest.report import Break
from crossfade.kafka.topics import MAX_RECORD_BYTES
from crossfade.lake.rejected_log import Known, Position, RejectedLog

_LONGEST_LINE = 8 * MAX_RECORD_BYTES
"""Room for the largest record with each byte escaped, and for its position."""


class _Line(msgspec.Struct, frozen=True):
    """What is read of a line; whatever else stands in it is for people."""

    partition: Annotated[int, Meta(ge=0, le=2**31 - 1)]
    offset: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    log_time: str = ""
    value: str | None = None
    value_base64: bytes | None = None


_read_line = msgspec.json.Decoder(_Line).decode


def read_repaired(
    name: str, file: BinaryIO, log: RejectedLog, report: ReplayReport, reason: Reason | None = None
) -> Iterator[list[Candidate]]:
    """Return the records of a file; a line that repairs no rejected record is refused.

    Args:
        name: the file's, for the report.
        file: its content, uncompressed.
        log: every position must be one of its.
        report: told of the lines that are refused, and of a file that breaks off.
        reason: only records that were rejected for it.
    """
    for batch in cut_batches(_read_candidates(name, file, report)):
        known = log.find([candidate.position for candidate in batch])
        taken = []
        for candidate in batch:
            found = known.get(candidate.position)
            if why := _say_why_foreign(candidate, found):
                report.refuse(candidate.line or 0, why)
            elif found is not None and reason in (None, found.reason):
                taken.append(candidate)
        yield taken


def _say_why_foreign(candidate: Candidate, found: Known | None) -> str:
    """Say why a line cannot be of this lake; empty if it is."""
    partition, offset = candidate.position
    if found is None:
        return f"No record was rejected at partition {partition}, offset {offset}."
    log_time = format_time(found.log_time)
    if candidate.log_time not in ("", log_time):
        return f"The record at its position has log time {log_time}: it is of another folder."
    return ""


def _read_candidates(name: str, file: BinaryIO, report: ReplayReport) -> Iterator[Candidate]:
    """Read the lines that can be read; the second one of a position is refused."""
    lines: dict[Position, int] = {}
    number = 0
    try:
        while text := file.readline(_LONGEST_LINE):
            number += 1
            if not text.endswith(b"\n") and len(text) == _LONGEST_LINE:
                report.torn = Break(name, number, "a line of fewer bytes")
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
        report.torn = Break(name, number + 1, f"more of the file ({error})")


def _read_candidate(number: int, text: bytes) -> Candidate | str:
    """Read a line, or say why it is none."""
    try:
        line = _read_line(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return f"It is no line of crossfade rejected --json: {error}."
    value = line.value_base64 if line.value is None else line.value.encode()
    if value is None:
        return "It has no value."
    return Candidate((line.partition, line.offset), value, number, line.log_time)
