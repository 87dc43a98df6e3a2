"""Store a result as JSON, with its machine, commit, input, repetitions and spread."""

import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import psutil

from benchmarks.machine import describe_commit, describe_machine
from crossfade.clock import format_time, now_ms

FOLDER = Path(__file__).parent / "results"

_load: list[float] = []
"""The machine's load average before each benchmark of this process; it should be near 0."""


def note_load() -> None:
    """Note the machine's load average before a benchmark starts."""
    _load.append(round(psutil.getloadavg()[0], 2))


def spread(values: Sequence[float], digits: int = 1) -> dict[str, float]:
    """Return the median, minimum and maximum of several repetitions."""
    return {
        "median": round(statistics.median(values), digits),
        "min": round(min(values), digits),
        "max": round(max(values), digits),
    }


def percentiles(values: Sequence[float], digits: int = 0) -> dict[str, float]:
    """Return p50, p90, p99 and the maximum."""
    ordered = sorted(values)
    ranks = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
    found = {
        name: ordered[min(len(ordered) - 1, int(part * len(ordered)))]
        for name, part in ranks.items()
    }
    return {name: round(value, digits) for name, value in {**found, "max": ordered[-1]}.items()}


def keep_result(name: str, *, input_size: Mapping[str, Any], measured: Mapping[str, Any]) -> Path:
    """Print a result and store it as `results/NAME.json`."""
    result = {
        "benchmark": name,
        "measured_at": format_time(now_ms() // 1000 * 1000),
        "commit": describe_commit(),
        "machine": describe_machine() | {"load_before": _load[-1] if _load else None},
        "input": input_size,
        **measured,
    }
    text = msgspec.json.format(msgspec.json.encode(result), indent=2)
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{name}.json"
    path.write_bytes(text + b"\n")
    sys.stdout.write(text.decode() + "\n")
    return path
