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
    """The outcome of an import: `accepted` minus `undelivered` plays are in Kafka.

    Of the accepted plays, `known` were there before the import, and `repeated` are in its files
    more than once; these do not count. `counted` and `ms_played` are of the others, as batch
    will count them. `erased` plays are of erased listeners, and are not sent.
    """

    accepted: int = 0
    known: int = 0
    repeated: int = 0
    counted: int = 0
    ms_played: int = 0
    erased: int = 0
    rejected: int = 0
    reasons: Counter[Reason] = msgspec.field(default_factory=Counter)
    dropped: Counter[str] = msgspec.field(default_factory=Counter)
    problems: list[RejectedRow] = msgspec.field(default_factory=list)
    breaks: list[BrokenFile] = msgspec.field(default_factory=list)
    left_out: list[str] = msgspec.field(default_factory=list)
    fruitless: list[str] = msgspec.field(default_factory=list)
    """The files with rows of which none was accepted."""
    unread: int = 0
    """The number of records in Kafka beyond the newest run, if too many to compare with."""
    undelivered: int = 0
    undelivered_why: str = ""

    @property
    def rows(self) -> int:
        """Return the number of rows that were judged."""
        return self.accepted + self.erased + self.rejected

    @property
    def is_whole(self) -> bool:
        """Check whether every file was read to its end and every accepted play delivered."""
        return not self.breaks and not self.undelivered

    def add_play(self, play: Play) -> None:
        """Count an accepted play, and the fields that were dropped from it."""
        self.accepted += 1
        self.dropped.update(play.dropped)

    def add_rejection(self, file: str, row: Row, rejection: Rejection) -> None:
        """Count a rejected row, and record its line and reason."""
        self.rejected += 1
        self.reasons[rejection.reason] += 1
        if len(self.problems) < PROBLEMS_KEPT:
            self.problems.append(RejectedRow(file, row.line, rejection.reason, rejection.detail))

    def add_broken_file(self, file: str, error: BrokenFileError) -> None:
        """Record that a file could not be read to its end."""
        self.breaks.append(BrokenFile(file, error.line, error.expected))
