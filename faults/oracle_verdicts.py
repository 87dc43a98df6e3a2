"""Bronze to silver: each record judged once, rightly, and each play won by its first copy."""

from collections.abc import Callable, Iterable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from faults.oracle_copy import name_events
from faults.oracle_findings import NAMED_AT_MOST, Findings, Kind
from faults.oracle_lake import Lake, Run
from faults.oracle_ledger import ANSWERS, NO_ANSWER, Sent
from faults.oracle_places import NOWHERE, Indexes, Places, name_place
from faults.oracle_plays import Sure
from faults.oracle_truth import Truth, silver_rows

CHECK = "bronze to silver"
LEDGER_CHECK = "ledger to silver"

ACCEPTED, REJECTED, DUPLICATE, ERASED = 1, 2, 3, 4
_SETS = {
    ACCEPTED: "silver/plays",
    REJECTED: "silver/rejected",
    DUPLICATE: "silver/duplicates",
    ERASED: "silver/erased",
}
_UNHEARD_OF = -1
_SAID = ("nowhere", "accepted", "rejected", "duplicate", "erased")
_Mask = NDArray[np.bool_]


def read_erased(lake: Lake, places: Places, version: int | None = None) -> _Mask:
    """Mark the positions whose listener was erased; a lake without the table has none."""
    erased = np.zeros(places.size, np.bool_)
    for batch in lake.rows(_SETS[ERASED], ["partition", "offset"], version):
        at = places.find(batch["partition"], batch["offset"])
        erased[at[at != NOWHERE]] = True
    return erased


class Silver:
    """What a run's silver says of each position.

    Attributes:
        said: accepted, rejected, duplicate or erased; 0: none of them.
        times: how often it is in silver, in all its tables.
        winner: for a duplicate, the number of the position that it says it lost to.
    """

    def __init__(self, lake: Lake, run: Run, places: Places, findings: Findings) -> None:
        self._lake, self._run, self._places, self._findings = lake, run, places, findings
        self.said = np.zeros(places.size, np.int8)
        self.times = np.zeros(places.size, np.uint16)
        self.winner = np.full(places.size, NOWHERE, np.int64)
        covered = places.below(run.end_offsets)
        for answer, table in _SETS.items():
            if answer == ERASED or table in run.pins:
                self._read(answer, table, covered)

    def _read(self, answer: int, table: str, covered: _Mask) -> None:
        columns = ["partition", "offset"]
        if answer == DUPLICATE:
            columns += ["winner_partition", "winner_offset"]
        for batch in self._lake.rows(table, columns, self._run.pins.get(table)):
            at = self._places.find(batch["partition"], batch["offset"])
            is_wrong = np.array([one == NOWHERE or not covered[one] for one in at], np.bool_)
            outside = batch.filter(pa.array(is_wrong)).to_pylist()
            names = (
                f"{name_place(row['partition'], row['offset'])}: {_SAID[answer]} in silver, "
                "and beyond what the run covers"
                for row in outside
            )
            self._findings.add(Kind.WRONG, CHECK, names, total=len(outside))
            where = at[~is_wrong]
            self.said[where] = answer
            np.add.at(self.times, where, 1)
            if answer == DUPLICATE:
                winner = self._places.find(batch["winner_partition"], batch["winner_offset"])
                self.winner[where] = winner[~is_wrong]


class VerdictCheck:
    """Compares silver with what the bytes and the ledgers say.

    Attributes:
        winner: of each position's play the position that wins, among those that the run covers.
        is_play: the positions that hold a play, those beyond what the run covers too.
        erased: how many records were an erased listener's.
    """

    def __init__(self, lake: Lake, run: Run, truth: Truth, sent: Sent, findings: Findings) -> None:
        self._lake, self._run, self._truth = lake, run, truth
        self._sent, self._findings = sent, findings
        self._places = truth.places
        self._silver = Silver(lake, run, self._places, findings)
        covered = self._places.below(run.end_offsets)
        self._covered = covered & (truth.sure != Sure.NOTHING)
        self._missing = covered & (truth.sure == Sure.NOTHING) & (self._silver.times > 0)
        said, sure = self._silver.said, truth.sure
        # A doubtful record is what silver says; beyond the run, speed alone has judged it.
        taken = (said == ACCEPTED) | (said == DUPLICATE) | ~covered
        is_play = (sure == Sure.PLAY) | ((sure == Sure.UNSURE) & (truth.identity != 0) & taken)
        self.erased = int((said == ERASED).sum())
        self.is_play = is_play & (said != ERASED)
        self.winner = truth.choose_winners(self.is_play & covered)

    def check(self) -> None:
        """Say every record that silver has not once, or has with another verdict or content."""
        self._check_sets()
        self._check_verdicts()
        self._check_duplicates()
        self._check_rows()
        self._check_rejected()
        self._check_ledgers()

    def _check_sets(self) -> None:
        times = self._silver.times
        self._say(Kind.LOST, self._covered & (times == 0), lambda _: "in bronze, not in silver")
        more = self._covered & (times > 1)
        self._say(Kind.REPEATED, more, lambda at: f"{times[at]} times in silver")
        self._say(Kind.WRONG, self._missing, lambda _: "in silver, not in bronze")
        self._findings.looked_at("records judged", int(self._covered.sum()))

    def _check_verdicts(self) -> None:
        said, sure = self._silver.said, self._truth.sure
        once = self._covered & (self._silver.times == 1) & (said != ERASED)
        here = np.arange(len(said))
        wanted = np.where(self.winner == here, ACCEPTED, DUPLICATE)
        wanted[(sure == Sure.NO_PLAY) | (self.winner == NOWHERE)] = REJECTED
        unreadable = (sure == Sure.UNSURE) & (self._truth.identity == 0) & (said != REJECTED)
        self._say(Kind.WRONG, once & unreadable, lambda at: f"{_SAID[said[at]]}, though unreadable")
        wrong = once & ~unreadable & (said != wanted)
        # A second accepted copy of a play is a repetition; all else is a wrong verdict.
        again = wrong & (said == ACCEPTED) & (wanted == DUPLICATE)
        self._say(
            Kind.REPEATED,
            again,
            lambda at: f"accepted, and so is its first copy, {self._name(self.winner[at])}",
        )
        self._say(
            Kind.WRONG,
            wrong & ~again,
            lambda at: f"{_SAID[said[at]]} in silver; {_SAID[wanted[at]]} by its bytes",
        )
        unsure = int((self._covered & (sure == Sure.UNSURE)).sum())
        self._findings.looked_at("of them too unusual to judge", unsure)

    def _check_duplicates(self) -> None:
        said = self._silver.said
        wrong = self._covered & (said == DUPLICATE) & (self.winner != NOWHERE)
        wrong &= self._silver.winner != self.winner
        self._say(
            Kind.WRONG,
            wrong,
            lambda at: (
                f"a duplicate of {self._name(self._silver.winner[at])} in silver; "
                f"of {self._name(self.winner[at])} by the bytes"
            ),
        )
        is_other = np.zeros(len(said), np.bool_)
        columns = ["partition", "offset", "is_same_payload"]
        for batch in self._rows("silver/duplicates", columns):
            at, kept = self._find(batch)
            told = np.array(batch["is_same_payload"].to_pylist(), np.bool_)[kept]
            same = self._truth.value[at] == self._truth.value[self.winner[at]]
            is_other[at[(self.winner[at] != NOWHERE) & (told != same)]] = True
        self._say(Kind.WRONG, is_other, lambda _: "is_same_payload is not what the bytes say")

    def _check_rows(self) -> None:
        other = np.zeros(self._places.size, np.bool_)
        for batch, row in silver_rows(self._lake, self._run.pins["silver/plays"]):
            at, kept = self._find(batch)
            other[at] |= (self._truth.row[at] != row[kept]) & (self._truth.identity[at] != 0)
        self._say(Kind.WRONG, other, lambda _: "silver/plays says other than the bytes")

    def _check_rejected(self) -> None:
        """Compare the bytes kept with a rejected record, until they are nulled, and its reason."""
        other, reasons = np.zeros(self._places.size, np.bool_), self._sent.reasons
        told = np.zeros(self._places.size, np.int16)
        for batch in self._rows("silver/rejected", ["partition", "offset", "reason", "value"]):
            at, kept = self._find(batch)
            mine = batch.filter(pa.array(kept))
            values = mine["value"].to_pylist()
            hashes = np.fromiter(map(hash, values), np.int64, len(values))
            is_kept = np.asarray(mine["value"].is_valid())
            other[at] |= is_kept & (hashes != self._truth.value[at])
            told[at] = [
                reasons.index(one) if one in reasons else _UNHEARD_OF
                for one in mine["reason"].to_pylist()
            ]
        self._say(Kind.WRONG, other, lambda _: "rejected with other bytes than its own")
        if len(self._sent.answer):
            wanted = self._sent.reason
            wrong = (
                self._covered & (self._silver.said == REJECTED) & (wanted > 0) & (told != wanted)
            )
            self._say(
                Kind.WRONG,
                wrong,
                lambda at: f"rejected for another reason than {reasons[wanted[at]]}",
                check=LEDGER_CHECK,
            )

    def _check_ledgers(self) -> None:
        if not len(self._sent.answer):
            return
        said, wanted = self._silver.said, self._sent.answer
        judged = self._covered & (wanted != NO_ANSWER) & (said != ERASED)
        wrong = judged & (said != wanted)
        self._say(
            Kind.WRONG,
            wrong,
            lambda at: f"{_SAID[said[at]]} in silver; {ANSWERS[wanted[at]]} by the ledger",
            check=LEDGER_CHECK,
        )
        self._findings.looked_at("answers of ledgers", int(judged.sum()))

    def _rows(self, table: str, columns: list[str]) -> Iterable[pa.RecordBatch]:
        return self._lake.rows(table, columns, self._run.pins[table])

    def _find(self, batch: pa.RecordBatch) -> tuple[Indexes, _Mask]:
        """Return the places of the rows that bronze has, and which rows those are."""
        at = self._places.find(batch["partition"], batch["offset"])
        kept = (at != NOWHERE) & self._covered[at]
        return at[kept], kept

    def _name(self, index: int) -> str:
        return self._sent.name(index) if index != NOWHERE else "a position that is not there"

    def _say(
        self, kind: Kind, marked: _Mask, what: Callable[[int], str], *, check: str = CHECK
    ) -> None:
        at = np.flatnonzero(marked)
        first = at[:NAMED_AT_MOST].tolist()
        ids = name_events(self._lake, [self._places.locate(index) for index in first])
        names = (
            f"{self._name(index)}{ids.get(self._places.locate(index), '')}: {what(index)}"
            for index in first
        )
        self._findings.add(kind, check, names, total=len(at))
