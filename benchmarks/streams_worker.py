"""Run archive and speed on a preloaded topic several times, in one JVM and a separate process.

Each run reads the whole topic into a new data folder. In the first run the JVM is cold.
"""

import os
import sys
import threading
import time
from pathlib import Path

import msgspec

from benchmarks.processes import cpu_seconds
from crossfade.config import load_settings
from crossfade.folder import DataFolder, open_folder
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.topics import SONG_PLAYS, read_end_offsets
from crossfade.processing.streams.driver import run_queries
from crossfade.stack.stop_request import StopRequest
from crossfade.telemetry import configure_logs

_POLL_S = 0.02
_QUERIES = ("speed", "archive")


class _Watch(threading.Thread):
    """Times the queries, from speed's first planned micro-batch until both have read everything."""

    def __init__(self, folder: DataFolder, ends: dict[int, int], broker: int) -> None:
        super().__init__(daemon=True)
        self.request = StopRequest()
        self.seconds = 0.0
        self.cpu = 0.0
        self.finished_s: dict[str, float] = {}
        self._folder, self._ends, self._broker = folder, ends, broker

    def run(self) -> None:
        first_plan = self._folder.checkpoints / "speed" / "offsets" / "0"
        while not first_plan.exists():
            time.sleep(_POLL_S)
        began, cpu = time.monotonic(), self._cpu()
        while len(self.finished_s) < len(_QUERIES):
            time.sleep(_POLL_S)
            for name, ends in (self._progress() or {}).items():
                if name not in self.finished_s and ends == self._ends:
                    self.finished_s[name] = round(time.monotonic() - began, 2)
        self.seconds, self.cpu = time.monotonic() - began, self._cpu() - cpu
        self.request.asked.set()

    def _cpu(self) -> float:
        return cpu_seconds(os.getpid(), self._broker)

    def _progress(self) -> dict[str, dict[int, int]] | None:
        try:
            content = (self._folder.run / "streams.json").read_bytes()
        except FileNotFoundError:
            return None
        queries = msgspec.json.decode(content)
        return {
            name: {int(p): end for p, end in one["end_offsets"].items()}
            for name, one in queries.items()
        }


def main(bootstrap: str, root: Path, broker: int, times: int) -> None:
    """Run the queries several times; print one JSON object a run."""
    configure_logs()
    address = KafkaAddress(bootstrap)
    ends = read_end_offsets(address, SONG_PLAYS)
    for number in range(times):
        settings = load_settings(data=root / f"run-{number}")
        folder = open_folder(settings)
        watch = _Watch(folder, ends, broker)
        watch.start()
        run_queries(folder, settings, address, watch.request, names=_QUERIES)
        plays = sum(ends.values())
        answer = {
            "plays_per_second": round(plays / watch.seconds),
            "cpu_seconds_per_million": round(watch.cpu / plays * 1e6, 2),
            "seconds": round(watch.seconds, 2),
            "finished_s": watch.finished_s,
        }
        sys.stdout.write(msgspec.json.encode(answer).decode() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
