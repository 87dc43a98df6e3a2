"""The oracle on a stack that goes on: after each fault what is new, in the end everything."""

from pathlib import Path

from faults.oracle import Logs, Oracle
from faults.oracle_findings import Judgement
from faults.oracle_kafka import SONG_PLAYS, read_log
from faults.stack import RunningStack

_ARCHIVED_WITHIN_S = 120.0


class Judge:
    """Remembers up to where the archive was held against Kafka."""

    def __init__(self, stack: RunningStack, ledger: Path) -> None:
        self.ledger = ledger
        self._stack = stack
        self._oracle = Oracle(stack.data, Logs(stack.bootstrap))

    def since_last(self) -> Judgement:
        """Hold what came since the last call against Kafka, up to where it ends now."""
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

    def whole(self) -> Judgement:
        """Hold everything against everything; all must be taken in, and nobody send any more."""
        oracle = Oracle(
            self._stack.data,
            Logs(self._stack.bootstrap),
            [self.ledger],
            api=self._stack.api,
            others_allowed=True,
        )
        return oracle.check_all()
