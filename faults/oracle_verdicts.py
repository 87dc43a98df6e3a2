"""Bronze to silver: check each record's verdict, and that each play's first copy is accepted."""

from collections.abc import Callable, Iterable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from faults.oracle_copy import name_events
from faults.oracle_findings import NAMED_AT_MOST, Findings, Kind
from faults.oracle_lake import Lake, Run
from faults.oracle_ledger import ANSWERS, NO_ANSWER, Sent
from faults.oracle_plays import Decision
from faults.oracle_positions import NOWHERE, Indexes, Positions, format_position
from faults.oracle_truth import Truth, silver_rows

CHECK = "bronze to silver"
LEDGER_CHECK = "ledger to silver"

ACCEPTED, REJECTED, DUPLICATE, ERASED = 1, 2, 3, 4
_TABLES = {
    ACCEPTED: "silver/plays",
    REJECTED: "silver/rejected",
    DUPLICATE: "silver/duplicates",
    ERASED: "silver/erased",
}
_UNKNOWN_REASON = -1
_NAMES = ("nowhere", "accepted", "rejected", "duplicate", "erased")
_Mask = NDArray[np.bool_]


def read_erased(lake: Lake, positions: Positions, version: int | None = None) -> _Mask:
    """Mark the positions of erased listeners' records; none if the lake lacks the table."""
    erased = np.zeros(positions.size, np.bool_)
    for batch in lake.rows(_TABLES[ERASED], ["partition", "offset"], version):
        at = positions.find(batch["partition"], batch["offset"])
        erased[at[at != NOWHERE]] = True
    return erased


class Silver:
    """The verdicts of a run's silver, by position.

        Attributes:
    verdict: accepted, rejected, duplicate or erased; 0 for no verdict.
            times: how many rows all tables of silver have for the position.
            winner: for a duplicate, the number of the position that silver names as the winner.
    """

    def __init__(self, lake: Lake, run: Run, positions: Positions, findings: Findings) -> None:
        self._lake, self._run, self._positions, self._findings = lake, run, positions, findings
        self.verdict = np.zeros(positions.size, np.int8)
        self.times = np.zeros(positions.size, np.uint16)
        self.winner = np.full(positions.size, NOWHERE, np.int64)
        covered = positions.below(run.end_offsets)
        for answer, table in _TABLES.items():
            if answer == ERASED or table in run.pins:
                self._read(answer, table, covered)

    def _read(self, answer: int, table: str, covered: _Mask) -> None:
        columns = ["partition", "offset"]
        if answer == DUPLICATE:
            columns += ["winner_partition", "winner_offset"]
        for batch in self._lake.rows(table, columns, self._run.pins.get(table)):
            at = self._positions.find(batch["partition"], batch["offset"])
            is_wrong = np.array([one == NOWHERE or not covered[one] for one in at], np.bool_)
            outside = batch.filter(pa.array(is_wrong)).to_pylist()
            names = (
                f"{format_position(row['partition'], row['offset'])}: {_NAMES[answer]} "
                "in silver, beyond what the run covers"
                for row in outside
            )
            self._findings.add(Kind.WRONG, CHECK, names, total=len(outside))
            where = at[~is_wrong]
            self.verdict[where] = answer
            np.add.at(self.times, where, 1)
            if answer == DUPLICATE:
                winner = self._positions.find(batch["winner_partition"], batch["winner_offset"])
                self.winner[where] = winner[~is_wrong]


class VerdictCheck:
    """Compares silver with the verdicts that follow from the bytes and from the ledgers.

    Attributes:
        winner: for each position, the winning position of its play, within the run's range.
        is_play: the positions that hold a play, including those beyond the run's range.
        erased: the number of records of erased listeners.
    """

    def __init__(self, lake: Lake, run: Run, truth: Truth, sent: Sent, findings: Findings) -> None:
        self._lake, self._run, self._truth = lake, run, truth
        self._sent, self._findings = sent, findings
        self._positions = truth.positions
        self._silver = Silver(lake, run, self._positions, findings)
        covered = self._positions.below(run.end_offsets)
        self._covered = covered & (truth.decision != Decision.NOT_READ)
        self._missing = covered & (truth.decision == Decision.NOT_READ) & (self._silver.times > 0)
        verdict, decision = self._silver.verdict, truth.decision
        # An undecided record takes silver's verdict; beyond the run, only speed has judged it.
        taken = (verdict == ACCEPTED) | (verdict == DUPLICATE) | ~covered
        is_play = (decision == Decision.PLAY) | (
            (decision == Decision.UNDECIDED) & (truth.identity != 0) & taken
        )
        self.erased = int((verdict == ERASED).sum())
        self.is_play = is_play & (verdict != ERASED)
        self.winner = truth.choose_winners(self.is_play & covered)

    def check(self) -> None:
        """Report each record that silver lacks, repeats, or has with another verdict or content."""
        self._check_sets()
        self._check_verdicts()
        self._check_duplicates()
        self._check_rows()
        self._check_rejected()
        self._check_ledgers()

    def _check_sets(self) -> None:
        times = self._silver.times
        self._report(Kind.LOST, self._covered & (times == 0), lambda _: "in bronze, not in silver")
        more = self._covered & (times > 1)
        self._report(Kind.REPEATED, more, lambda at: f"{times[at]} times in silver")
        self._report(Kind.WRONG, self._missing, lambda _: "in silver, not in bronze")
        self._findings.note_checked("records judged", int(self._covered.sum()))

    def _check_verdicts(self) -> None:
        verdict, decision = self._silver.verdict, self._truth.decision
        once = self._covered & (self._silver.times == 1) & (verdict != ERASED)
        here = np.arange(len(verdict))
        wanted = np.where(self.winner == here, ACCEPTED, DUPLICATE)
        wanted[(decision == Decision.NOT_A_PLAY) | (self.winner == NOWHERE)] = REJECTED
        unreadable = (
            (decision == Decision.UNDECIDED) & (self._truth.identity == 0) & (verdict != REJECTED)
        )
        self._report(
            Kind.WRONG,
            once & unreadable,
            lambda at: f"{_NAMES[verdict[at]]}, though unreadable",
        )
        wrong = once & ~unreadable & (verdict != wanted)
        # A second accepted copy of a play is a repetition; any other difference is a wrong verdict.
        again = wrong & (verdict == ACCEPTED) & (wanted == DUPLICATE)
        self._report(
            Kind.REPEATED,
            again,
            lambda at: f"accepted, and so is its first copy, {self._name(self.winner[at])}",
        )
        self._report(
            Kind.WRONG,
            wrong & ~again,
            lambda at: f"{_NAMES[verdict[at]]} in silver; {_NAMES[wanted[at]]} by its bytes",
        )
        unsure = int((self._covered & (decision == Decision.UNDECIDED)).sum())
        self._findings.note_checked("of them too unusual to judge", unsure)

    def _check_duplicates(self) -> None:
        verdict = self._silver.verdict
        wrong = self._covered & (verdict == DUPLICATE) & (self.winner != NOWHERE)
        wrong &= self._silver.winner != self.winner
        self._report(
            Kind.WRONG,
            wrong,
            lambda at: (
                f"a duplicate of {self._name(self._silver.winner[at])} in silver; "
                f"of {self._name(self.winner[at])} by the bytes"
            ),
        )
        is_other = np.zeros(len(verdict), np.bool_)
        columns = ["partition", "offset", "is_same_payload"]
        for batch in self._rows("silver/duplicates", columns):
            at, kept = self._find(batch)
            stored = np.array(batch["is_same_payload"].to_pylist(), np.bool_)[kept]
            same = self._truth.value[at] == self._truth.value[self.winner[at]]
            is_other[at[(self.winner[at] != NOWHERE) & (stored != same)]] = True
        self._report(Kind.WRONG, is_other, lambda _: "is_same_payload does not match the bytes")

    def _check_rows(self) -> None:
        other = np.zeros(self._positions.size, np.bool_)
        for batch, row in silver_rows(self._lake, self._run.pins["silver/plays"]):
            at, kept = self._find(batch)
            other[at] |= (self._truth.row[at] != row[kept]) & (self._truth.identity[at] != 0)
        self._report(Kind.WRONG, other, lambda _: "silver/plays differs from the bytes")

    def _check_rejected(self) -> None:
        """Compare the bytes kept with a rejected record, unless erased, and the reason."""
        other, reasons = np.zeros(self._positions.size, np.bool_), self._sent.reasons
        found = np.zeros(self._positions.size, np.int16)
        for batch in self._rows("silver/rejected", ["partition", "offset", "reason", "value"]):
            at, kept = self._find(batch)
            mine = batch.filter(pa.array(kept))
            values = mine["value"].to_pylist()
            hashes = np.fromiter(map(hash, values), np.int64, len(values))
            is_kept = np.asarray(mine["value"].is_valid())
            other[at] |= is_kept & (hashes != self._truth.value[at])
            found[at] = [
                reasons.index(one) if one in reasons else _UNKNOWN_REASON
                for one in mine["reason"].to_pylist()
            ]
        self._report(Kind.WRONG, other, lambda _: "rejected with other bytes than its own")
        if len(self._sent.answer):
            wanted = self._sent.reason
            wrong = (
                self._covered
                & (self._silver.verdict == REJECTED)
                & (wanted > 0)
                & (found != wanted)
            )
            self._report(
                Kind.WRONG,
                wrong,
                lambda at: f"rejected for another reason than {reasons[wanted[at]]}",
                check=LEDGER_CHECK,
            )

    def _check_ledgers(self) -> None:
        if not len(self._sent.answer):
            return
        verdict, wanted = self._silver.verdict, self._sent.answer
        judged = self._covered & (wanted != NO_ANSWER) & (verdict != ERASED)
        wrong = judged & (verdict != wanted)
        self._report(
            Kind.WRONG,
            wrong,
            lambda at: f"{_NAMES[verdict[at]]} in silver; {ANSWERS[wanted[at]]} by the ledger",
            check=LEDGER_CHECK,
        )
        self._findings.note_checked("answers of ledgers", int(judged.sum()))

    def _rows(self, table: str, columns: list[str]) -> Iterable[pa.RecordBatch]:
        return self._lake.rows(table, columns, self._run.pins[table])

    def _find(self, batch: pa.RecordBatch) -> tuple[Indexes, _Mask]:
        """Return the positions of the rows that bronze has, and a mask of those rows."""
        at = self._positions.find(batch["partition"], batch["offset"])
        kept = (at != NOWHERE) & self._covered[at]
        return at[kept], kept

    def _name(self, index: int) -> str:
        return self._sent.name(index) if index != NOWHERE else "an unknown position"

    def _report(
        self, kind: Kind, marked: _Mask, what: Callable[[int], str], *, check: str = CHECK
    ) -> None:
        at = np.flatnonzero(marked)
        first = at[:NAMED_AT_MOST].tolist()
        ids = name_events(self._lake, [self._positions.locate(index) for index in first])
        names = (
            f"{self._name(index)}{ids.get(self._positions.locate(index), '')}: {what(index)}"
            for index in first
        )
        self._findings.add(kind, check, names, total=len(at))
