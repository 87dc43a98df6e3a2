"""Read by every Python that starts under another clock: what libfaketime does, and it must not.

Of a Python process the clock is moved here, and that of the Java that it starts by libfaketime:
Kafka's C client waits until moments of the real clock inside the C library, which libfaketime does
not reach, so that under it each wait takes as long as the clock is off.
"""

import os
import time
from collections.abc import Mapping

SECONDS = "CROSSFADE_TEST_CLOCK_S"
LIBRARY = "CROSSFADE_TEST_CLOCK_LIBRARY"


def fake_for_java(env: Mapping[str, str]) -> dict[str, str]:
    """Return what Java needs to read the clock that an environment asks for."""
    return {
        "LD_PRELOAD": env[LIBRARY],
        "FAKETIME": f"{int(env[SECONDS]):+d}",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        # Else waits of Java that have a limit end at once, and it spins.
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",
        "NO_FAKE_STAT": "1",
    }


def _move_clock(seconds: int) -> None:
    real_s, real_ns = time.time, time.time_ns  # noqa: TID251 - it is what is moved
    time.time = lambda: real_s() + seconds  # noqa: TID251
    time.time_ns = lambda: real_ns() + seconds * 1_000_000_000


# What Java starts, Spark's Python workers, has libfaketime already.
if SECONDS in os.environ and "FAKETIME" not in os.environ:
    _move_clock(int(os.environ[SECONDS]))
    os.environ.update(fake_for_java(os.environ))
