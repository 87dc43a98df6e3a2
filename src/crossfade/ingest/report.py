"""The report of an import."""

from collections import Counter

import msgspec

from crossfade.contract.play import Play
from crossfade.contract.reasons import Reason, Rejection
from crossfade.ingest.rows import BrokenFileError, Row

PROBLEMS_KEPT = 1_000
"""The number of rejected rows that are reported in detail; further ones are only counted."""


class RejectedRow(msgspec.Struct, frozen=True):
    """A row that was rejected, and what was expected instead."""

    file: str
    line: int
    reason: Reason
    expected: str


class BrokenFile(msgspec.Struct, frozen=True):
    """A file that cannot be read beyond a line, and what was expected there."""

    file: str
    line: int
    expected: str


class ImportReport(msgspec.Struct):
    """The outcome of an import: `accepted` minus `undelivered` plays are in Kafka."""

    accepted: int = 0
    counted: int = 0
    ms_played: int = 0
    rejected: int = 0
    reasons: Counter[Reason] = msgspec.field(default_factory=Counter)
    problems: list[RejectedRow] = msgspec.field(default_factory=list)
    breaks: list[BrokenFile] = msgspec.field(default_factory=list)
    undelivered: int = 0
    undelivered_why: str = ""

    @property
    def is_whole(self) -> bool:
        """Check whether every file was read to its end and every accepted play delivered."""
        return not self.breaks and not self.undelivered

    def add_play(self, play: Play) -> None:
        """Count an accepted play."""
        self.accepted += 1
        self.counted += play.is_counted
        self.ms_played += play.ms_played or 0

    def add_rejection(self, file: str, row: Row, rejection: Rejection) -> None:
        """Count a rejected row, and record its line and reason."""
        self.rejected += 1
        self.reasons[rejection.reason] += 1
        if len(self.problems) < PROBLEMS_KEPT:
            self.problems.append(RejectedRow(file, row.line, rejection.reason, rejection.detail))

    def add_broken_file(self, file: str, error: BrokenFileError) -> None:
        """Record that a file could not be read to its end."""
        self.breaks.append(BrokenFile(file, error.line, error.expected))
