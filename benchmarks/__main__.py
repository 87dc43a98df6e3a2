"""Run the named benchmarks (by default all), or only write the page with `report`."""

import argparse
import sys
from collections.abc import Callable

from benchmarks.charts import measure_charts
from benchmarks.freshness import measure_freshness
from benchmarks.generator import measure_generator
from benchmarks.report import PAGE, render_page
from benchmarks.results import note_load
from benchmarks.start_up import measure_start_up
from benchmarks.throughput import measure_throughput
from crossfade.errors import CrossfadeError
from crossfade.telemetry import configure_logs

_BENCHMARKS: dict[str, Callable[[], None]] = {
    "generator": measure_generator,
    "throughput": measure_throughput,
    "freshness": measure_freshness,
    "start_up": measure_start_up,
    "charts": measure_charts,
    "report": lambda: None,
}


def main() -> None:
    """Run the benchmarks named on the command line, then write the page of all results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(_BENCHMARKS))
    names = parser.parse_args().names or list(_BENCHMARKS)
    if unknown := [name for name in names if name not in _BENCHMARKS]:
        parser.error(f"no benchmark {unknown[0]}; known: {', '.join(_BENCHMARKS)}")
    configure_logs()
    for name in names:
        sys.stderr.write(f"{name} …\n")
        note_load()
        try:
            _BENCHMARKS[name]()
        except CrossfadeError as error:
            sys.exit(f"Error: {error}")
    PAGE.write_text(render_page(), "utf-8")


if __name__ == "__main__":
    main()
