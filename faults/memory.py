"""Sample the memory, open files and threads of each child of a stack over time."""

import threading
import time
from collections import defaultdict
from typing import NamedTuple

import psutil

from faults.stack import RunningStack

_EVERY_S = 10.0
_PARTS = 6


class Sample(NamedTuple):
    """One measurement of a child with all the processes that it started."""

    at_s: float
    rss_mb: float
    files: int
    threads: int


class MemoryWatch:
    """Samples every child every 10 s in a separate thread, until it is closed."""

    def __init__(self, stack: RunningStack) -> None:
        self._stack = stack
        self._began = time.monotonic()
        self._samples: dict[str, list[Sample]] = defaultdict(list)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop sampling."""
        self._closed.set()
        self._thread.join()

    def table(self) -> list[list[str]]:
        """Return a row a child: its peak memory (MB) in each sixth of the run, files, threads."""
        length = max((s[-1].at_s for s in self._samples.values() if s), default=0.0) or 1.0
        rows = []
        for child, samples in sorted(self._samples.items()):
            peaks = [0.0] * _PARTS
            for sample in samples:
                part = min(int(sample.at_s / length * _PARTS), _PARTS - 1)
                peaks[part] = max(peaks[part], sample.rss_mb)
            files, threads = max(s.files for s in samples), max(s.threads for s in samples)
            rows.append([child, *(f"{peak:,.0f}" for peak in peaks), str(files), str(threads)])
        return rows

    def _watch(self) -> None:
        while not self._closed.wait(_EVERY_S):
            for child in self._stack.children():
                self._sample(child)

    def _sample(self, child: str) -> None:
        rss, files, threads = 0, 0, 0
        for process in self._stack.session_of(child):
            try:
                with process.oneshot():
                    rss += process.memory_info().rss
                    files += process.num_fds()
                    threads += process.num_threads()
            except psutil.Error:
                continue
        if rss:
            at_s = time.monotonic() - self._began
            self._samples[child].append(Sample(at_s, rss / 1e6, files, threads))
