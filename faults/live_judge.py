"""The oracle on a running stack: it checks new records after each fault, everything at the end."""

from pathlib import Path

from faults.oracle import Logs, Oracle
from faults.oracle_findings import Judgement
from faults.oracle_kafka import SONG_PLAYS, read_log
from faults.stack import RunningStack

_ARCHIVED_WITHIN_S = 120.0


class LiveJudge:
    """Checks a running stack, and remembers up to which offsets it has checked the archive."""

    def __init__(self, stack: RunningStack, ledger: Path) -> None:
        self.ledger = ledger
        self._stack = stack
        self._oracle = Oracle(stack.data, Logs(stack.bootstrap))

    def check_new(self) -> Judgement:
        """Check the archive against Kafka, from the last call's end to Kafka's current end."""
        log = read_log(self._stack.bootstrap, SONG_PLAYS, self._oracle.archived)
        self._stack.wait_for(
            f"an archive up to {log.ends}",
            lambda: all(
                self._stack.progress().get("archive", {}).get(p, 0) >= end
                for p, end in log.ends.items()
            ),
            within_s=_ARCHIVED_WITHIN_S,
        )
        self._oracle.logs = Logs(song_plays=log)
        return self._oracle.check_new()

    def check_all(self) -> Judgement:
        """Check everything; producers must have stopped, and all records must be processed."""
        oracle = Oracle(
            self._stack.data,
            Logs(self._stack.bootstrap),
            [self.ledger],
            api=self._stack.api,
            others_allowed=True,
        )
        return oracle.check_all()
