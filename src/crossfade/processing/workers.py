"""The process that Spark forks its Python workers from: what they need is loaded once, and shared.

Spark starts it by a setting (`decode.WORKERS`). Its own daemon loads next to nothing, so that each
worker loads Arrow and the decoder for itself and keeps a copy of both.
"""

import gc

import pandas  # noqa: F401  Spark's worker loads it for every Arrow function
from pyspark import (
    daemon,
    worker,  # noqa: F401
)

import crossfade.processing.decode  # noqa: F401  the one Python step of our jobs


def main() -> None:
    """Serve Spark; called in a process of its own."""
    # Spark's daemon collects after each task: without this, everything that is loaded, every time.
    gc.collect()
    gc.freeze()
    daemon.manager()


if __name__ == "__main__":
    main()
