"""Measure CPU time and memory of process trees."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import psutil


def cpu_seconds(*roots: int) -> float:
    """Sum the CPU time of processes, all their descendants, and their ended children."""
    total = 0.0
    for process in _trees(roots):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def memory_by_process(*roots: int) -> dict[str, int]:
    """Sum the proportional set size (bytes) of processes and their descendants, by role."""
    sizes: dict[str, int] = {}
    for process in _trees(roots):
        try:
            lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text("utf-8").splitlines()
            role = _role(process.cmdline())
        except (FileNotFoundError, ProcessLookupError, psutil.NoSuchProcess):
            continue
        size = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
        sizes[role] = sizes.get(role, 0) + size
    return sizes


def _trees(roots: Iterable[int]) -> Iterator[psutil.Process]:
    for root in roots:
        try:
            process = psutil.Process(root)
            yield from [process, *process.children(recursive=True)]
        except psutil.NoSuchProcess:
            continue


def _role(command: list[str]) -> str:
    line = " ".join(command)
    if "kafka.Kafka" in line:
        return "broker (JVM)"
    if "SparkSubmit" in line:
        return "Spark (JVM)"
    if "pyspark" in line:
        return "Spark's Python workers"
    stage = next((word for word in reversed(command) if word.isalpha()), "other")
    return f"crossfade {stage}" if "crossfade" in line else "other"
