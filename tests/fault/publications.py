"""Whether batch gets to publish between the faults that stop it."""

import statistics
import time

from crossfade.clock import now_ms, parse_time
from fault.case import Outcome
from fault.live_bench import LiveBench
from fault.report import Row, Section
from fault.tell import tell

_WITHIN_S = 900.0
"""So long a run may take that was begun in time, on a machine that has much else to do."""
_POLL_S = 0.5


class Publications:
    """What batch owes since it was last stopped: a published run.

    Faults that stop it are not dealt until then. Else a suite that hurts something each minute
    would show only that a run of minutes never ends.
    """

    def __init__(self, bench: LiveBench, section: Section) -> None:
        self._bench, self._section = bench, section
        self._took: list[float] = []
        self._stopped: tuple[int, int] | None = None
        """The newest published run when batch was stopped, and that moment."""

    def stop(self) -> None:
        """Note that batch is about to be stopped."""
        self._stopped = self._bench.published_run(), now_ms()

    @property
    def is_owed(self) -> bool:
        """Tell whether a run is owed still; one that does not come in time fails the row."""
        if self._stopped is None:
            return False
        before, since = self._stopped
        newest = self._bench.newest_run()
        if int(newest.get("run", -1)) > before:
            self._took.append((parse_time(newest["published_at"]) - since) / 1_000)
            tell(f"Batch published run {newest['run']}, {self._took[-1]:.0f} s after its stop.")
        elif now_ms() - since > _WITHIN_S * 1_000:
            self._row.failure = f"no run was published within {_WITHIN_S:.0f} s of a stop"
            tell(f"Batch: {self._row.failure}")
        else:
            return True
        self._stopped = None
        return False

    def wait(self) -> None:
        """Wait until nothing is owed."""
        while self.is_owed:
            assert self._bench.stack.process.poll() is None, self._bench.stack.last_words()
            time.sleep(_POLL_S)

    @property
    def _row(self) -> Row:
        return self._section.row("published", "batch publishes a run after a stop of it")

    def sum_up(self) -> None:
        """Wait for what is owed, and put into the row how long it took."""
        self.wait()
        if self._took:
            usual, most = statistics.median(self._took), max(self._took)
            said = f"after {usual:.0f} s at the median, {most:.0f} s at most"
            self._row.outcomes.append(Outcome(injected=len(self._took), said=said))
