"""Measure the time from `crossfade up` to the first visible window, and the idle stack's use."""

import subprocess
import time

from benchmarks.bare_spark import time_bare_spark
from benchmarks.processes import cpu_seconds, memory_by_process
from benchmarks.results import keep_result, spread
from benchmarks.stack import RunningStack, crossfade, run_stack, wait_for
from crossfade.config import load_settings
from crossfade.stack.class_data import is_recorded

_REACH = "first window within 15 s on a warm cache; 3 GB (PSS) idle, 60 s after it"
_IDLE_S = 60.0
_CPU_OVER_S = 20.0


def measure_start_up(*, times: int = 3) -> None:
    """Start new stacks; for the last one, also measure memory and CPU after a minute of idling.

    The baseline is a plain Spark query on a running Kafka, measured just before.
    """
    bare = time_bare_spark(times)
    seconds: list[float] = []
    memory: dict[str, int] = {}
    idle_cores = 0.0
    for number in range(times):
        with run_stack() as stack:
            seconds.append(_wait_for_window(stack))
            if number == times - 1:
                time.sleep(_IDLE_S)
                memory = memory_by_process(stack.process.pid)
                idle_cores = _measure_cpu(stack.process.pid)
    keep_result(
        "start_up",
        input_size={
            "plays_per_second": 2_000,
            "repetitions": times,
            "recorded_classes": is_recorded(load_settings().cache),
        },
        measured={
            "reach": _REACH,
            "seconds_to_first_window": spread(seconds, 2),
            "bare_spark_seconds": spread(bare, 2),
            "ratio_to_bare_spark": round(spread(seconds)["median"] / spread(bare)["median"], 2),
            "pss_mb": round(sum(memory.values()) / 1e6),
            "pss_mb_by_process": {name: round(size / 1e6) for name, size in sorted(memory.items())},
            "idle_cpu_percent_of_a_core": round(idle_cores * 100, 1),
        },
    )


def _wait_for_window(stack: RunningStack) -> float:
    stack.kafka()
    command = crossfade("generate", "--data", str(stack.data), "--rate", "2000")
    audience = subprocess.Popen(
        [*command, "--report", "start"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(lambda: stack.trending() or None, "The first window", 120.0)
        return time.monotonic() - stack.began
    finally:
        audience.terminate()
        audience.wait()


def _measure_cpu(pid: int) -> float:
    before = cpu_seconds(pid)
    time.sleep(_CPU_OVER_S)
    return (cpu_seconds(pid) - before) / _CPU_OVER_S
