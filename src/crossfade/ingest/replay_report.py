"""The input of a replay, and its report."""

from collections import Counter
from typing import NamedTuple

import msgspec

from crossfade.contract.reasons import Reason, Rejection
from crossfade.ingest.report import PROBLEMS_KEPT, BrokenFile
from crossfade.lake.rejected_log import Position


class Candidate(NamedTuple):
    """A rejected record to judge again.

    A repaired record has the number of its line in the file (None: the record comes from the
    lake), and the log time that the line states, as text (empty: none).
    """

    position: Position
    value: bytes
    line: int | None = None
    log_time: str = ""


class StillRejected(msgspec.Struct, frozen=True):
    """A line whose record is still not a play, and what was expected instead."""

    line: int
    partition: int
    offset: int
    reason: Reason
    expected: str


class RefusedLine(msgspec.Struct, frozen=True):
    """A line that is invalid, or matches no rejected record of this lake."""

    line: int
    why: str


class ReplayReport(msgspec.Struct):
    """The outcome of a replay: `sent` minus `undelivered` plays are in Kafka.

    `erased` counts records of erased listeners, and those whose bytes are gone. Each list has at
    most `PROBLEMS_KEPT` entries. In a dry run, `sent` counts the plays that would be sent.
    """

    dry_run: bool = False
    judged: int = 0
    sent: int = 0
    already_counted: int = 0
    rejected: int = 0
    reasons: Counter[Reason] = msgspec.field(default_factory=Counter)
    problems: list[StillRejected] = msgspec.field(default_factory=list)
    refused: int = 0
    refusals: list[RefusedLine] = msgspec.field(default_factory=list)
    erased: int = 0
    torn: BrokenFile | None = None
    undelivered: int = 0
    undelivered_why: str = ""

    def add_rejection(self, candidate: Candidate, rejection: Rejection) -> None:
        """Count a record that is still rejected; if it was repaired, record its line and reason."""
        self.rejected += 1
        self.reasons[rejection.reason] += 1
        if candidate.line is not None and len(self.problems) < PROBLEMS_KEPT:
            problem = StillRejected(candidate.line, *candidate.position, *rejection)
            self.problems.append(problem)

    def refuse(self, line: int, why: str) -> None:
        """Count a refused line, and record why it was refused."""
        self.refused += 1
        if len(self.refusals) < PROBLEMS_KEPT:
            self.refusals.append(RefusedLine(line, why))
