"""Shift the clock of a Python process; Python imports this module at its start.

Python's clock is shifted here, without libfaketime; only the Java that it starts uses libfaketime.
Kafka's C client waits for points in time of the real clock inside the C library, which libfaketime
does not cover, so under libfaketime each wait would last as long as the clock is off.
"""

import os
import time
from collections.abc import Mapping

SECONDS = "CROSSFADE_TEST_CLOCK_S"
LIBRARY = "CROSSFADE_TEST_CLOCK_LIBRARY"


def fake_for_java(env: Mapping[str, str]) -> dict[str, str]:
    """Return the variables with which libfaketime shifts Java's clock as an environment asks."""
    return {
        "LD_PRELOAD": env[LIBRARY],
        "FAKETIME": f"{int(env[SECONDS]):+d}",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        # Otherwise Java's timed waits end immediately, and it spins.
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",
        "NO_FAKE_STAT": "1",
    }


def _move_clock(seconds: int) -> None:
    real_s, real_ns = time.time, time.time_ns  # noqa: TID251 - the functions to replace
    time.time = lambda: real_s() + seconds  # noqa: TID251
    time.time_ns = lambda: real_ns() + seconds * 1_000_000_000


# Spark's Python workers, which Java starts, have libfaketime already.
if SECONDS in os.environ and "FAKETIME" not in os.environ:
    _move_clock(int(os.environ[SECONDS]))
    os.environ.update(fake_for_java(os.environ))
