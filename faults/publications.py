"""Check that batch publishes a run between the faults that stop it."""

import statistics
import time

from crossfade.clock import now_ms, parse_time
from faults.case import Outcome
from faults.live_bench import LiveBench
from faults.progress_output import print_progress
from faults.report import Row, Section

_WITHIN_S = 900.0
"""Time limit for a publication after a stop of batch, in seconds, on a busy machine."""
_POLL_S = 0.5


class Publications:
    """Tracks whether batch has published a run since it was last stopped.

    Until then no fault that stops batch is injected. Otherwise runs that take minutes would never
    end in a suite that injects a fault every minute.
    """

    def __init__(self, bench: LiveBench, section: Section) -> None:
        self._bench, self._section = bench, section
        self._took: list[float] = []
        self._stopped_at: int | None = None

    def stop(self) -> None:
        """Note that batch is about to be stopped."""
        self._stopped_at = now_ms()

    def is_pending(self) -> bool:
        """Check whether a publication is still pending; after the time limit, fail the row."""
        if self._stopped_at is None:
            return False
        waited_s = (now_ms() - self._stopped_at) / 1_000
        published_at = self._find_published(self._stopped_at)
        if published_at is not None:
            self._took.append((published_at - self._stopped_at) / 1_000)
            print_progress(f"Batch published a run {self._took[-1]:.0f} s after it was stopped.")
        elif waited_s > _WITHIN_S:
            self._row.failure = f"no run was published within {_WITHIN_S:.0f} s of a stop"
            print_progress(f"Batch: {self._row.failure}")
        else:
            return True
        self._stopped_at = None
        return False

    def wait(self) -> None:
        """Wait until no publication is pending."""
        while self.is_pending():
            assert self._bench.stack.process.poll() is None, self._bench.stack.last_words()
            time.sleep(_POLL_S)

    def _find_published(self, begun_since: int) -> int | None:
        """Return when the newest run was published, if it also began after a given time."""
        newest = self._bench.newest_run()
        if not newest:
            return None
        published_at = parse_time(newest["published_at"])
        return published_at if published_at - newest["took_ms"] >= begun_since else None

    @property
    def _row(self) -> Row:
        return self._section.row("published", "batch publishes a run after it was stopped")

    def finish(self) -> None:
        """Wait for a pending publication, and write the times into the row."""
        self.wait()
        if self._took:
            usual, most = statistics.median(self._took), max(self._took)
            seen = f"after {usual:.0f} s at the median, {most:.0f} s at most"
            self._row.outcomes.append(Outcome(injected=len(self._took), seen=seen))
