"""What a replay judges, and what it did: sent, counted before, still rejected, refused."""

from collections import Counter
from typing import NamedTuple

import msgspec

from crossfade.contract.reasons import Reason, Rejection
from crossfade.ingest.report import PROBLEMS_KEPT, Break
from crossfade.lake.rejected_log import Position


class Candidate(NamedTuple):
    """A rejected record to judge anew; if it was repaired, the line that says so and its log time.

    `line` is None for a stored record; `log_time` is text, and empty where it is not said.
    """

    position: Position
    value: bytes
    line: int | None = None
    log_time: str = ""


class StillRejected(msgspec.Struct, frozen=True):
    """A line whose record is no play yet, and what is expected of it."""

    line: int
    partition: int
    offset: int
    reason: Reason
    expected: str


class RefusedLine(msgspec.Struct, frozen=True):
    """A line that repairs no rejected record of this lake."""

    line: int
    why: str


class ReplayReport(msgspec.Struct):
    """The outcome of one replay; `sent` plays that are not `undelivered` are in Kafka.

    `erased` are those of erased listeners, whose bytes may be gone. Of the lists, only the first
    `PROBLEMS_KEPT` are kept. In a dry run `sent` are those that would have been.
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
    torn: Break | None = None
    undelivered: int = 0
    undelivered_why: str = ""

    def add_rejection(self, candidate: Candidate, rejection: Rejection) -> None:
        """Count a record that is still rejected; of a repaired one, note where and why."""
        self.rejected += 1
        self.reasons[rejection.reason] += 1
        if candidate.line is not None and len(self.problems) < PROBLEMS_KEPT:
            problem = StillRejected(candidate.line, *candidate.position, *rejection)
            self.problems.append(problem)

    def refuse(self, line: int, why: str) -> None:
        """Count a line that cannot be judged, and note why."""
        self.refused += 1
        if len(self.refusals) < PROBLEMS_KEPT:
            self.refusals.append(RefusedLine(line, why))
