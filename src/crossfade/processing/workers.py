"""The process from which Spark forks its Python workers: it loads their modules once for all.

Spark starts it because of a setting (`decode.WORKERS`). With Spark's own daemon, each worker would
load Arrow and the decoder itself and keep its own copy of both.
"""

import gc

import pandas  # noqa: F401  Spark's worker loads it for every Arrow function
from pyspark import (
    daemon,
    worker,  # noqa: F401
)

import crossfade.processing.decode  # noqa: F401  the one Python step of our jobs


def main() -> None:
    """Run Spark's worker daemon; called in a new process."""
    # Spark's daemon collects garbage after each task; frozen objects are skipped.
    gc.collect()
    gc.freeze()
    daemon.manager()


if __name__ == "__main__":
    main()
