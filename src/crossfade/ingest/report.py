"""What an import did: how many plays went in, what was rejected and where, what stayed unread."""

from collections import Counter

import msgspec

from crossfade.contract.play import Play
from crossfade.contract.reasons import Reason, Rejection
from crossfade.ingest.rows import BrokenFileError, Row

PROBLEMS_KEPT = 1_000
"""Rejected rows that are reported one by one; the others are only counted."""


class Problem(msgspec.Struct, frozen=True):
    """A row that was rejected, and what its file should have there."""

    file: str
    line: int
    reason: Reason
    expected: str


class Break(msgspec.Struct, frozen=True):
    """A file that could not be read beyond a line, and what was expected there."""

    file: str
    line: int
    expected: str


class ImportReport(msgspec.Struct):
    """The outcome of one import; `accepted` plays that are not `undelivered` are in Kafka."""

    accepted: int = 0
    counted: int = 0
    ms_played: int = 0
    rejected: int = 0
    reasons: Counter[Reason] = msgspec.field(default_factory=Counter)
    problems: list[Problem] = msgspec.field(default_factory=list)
    breaks: list[Break] = msgspec.field(default_factory=list)
    undelivered: int = 0
    undelivered_why: str = ""

    @property
    def is_whole(self) -> bool:
        """Check whether every file was read to its end and every accepted play delivered."""
        return not self.breaks and not self.undelivered

    def add_play(self, play: Play) -> None:
        """Count a play that obeys the contract."""
        self.accepted += 1
        self.counted += play.is_counted
        self.ms_played += play.ms_played or 0

    def add_rejection(self, file: str, row: Row, rejection: Rejection) -> None:
        """Count a row that does not, and note where it stands."""
        self.rejected += 1
        self.reasons[rejection.reason] += 1
        if len(self.problems) < PROBLEMS_KEPT:
            self.problems.append(Problem(file, row.line, rejection.reason, rejection.detail))

    def add_break(self, file: str, error: BrokenFileError) -> None:
        """Note a file that broke off."""
        self.breaks.append(Break(file, error.line, error.expected))
