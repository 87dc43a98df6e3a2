"""Time one run of batch that computes every chart of a real listening year from an empty lake."""

import os
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks.results import keep_result, spread
from benchmarks.stack import crossfade
from crossfade.config import load_settings
from crossfade.errors import StackError
from crossfade.folder import open_folder
from crossfade.lake.connection import connect, register_table
from crossfade.lake.runs import require_run
from crossfade.lake.tables import GOLD_CHART, list_files

_REACH = "charts of the real year within 30 s of a batch start"
_YEAR = Path("src/crossfade/ingest/sample/streaming_history.json.xz")


def measure_charts(*, times: int = 2) -> None:
    """Import the year in the repository into an empty folder, and run batch once, repeatedly."""
    runs = [_measure() for _ in range(times)]
    keep_result(
        "charts",
        input_size={"plays": runs[0]["plays"], "charts": runs[0]["charts"], "repetitions": times},
        measured={
            "reach": _REACH,
            "seconds_of_the_run": spread([run["run_s"] for run in runs], 2),
            "seconds_of_batch_once_with_all_it_starts": spread(
                [run["command_s"] for run in runs], 2
            ),
        },
    )


def _measure() -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="crossfade-benchmark-") as scratch:
        data = Path(scratch) / "data"
        _run("import", "spotify", str(_YEAR), "--user", "anna", "--data", str(data))
        began = time.monotonic()
        _run("batch", "--once", "--data", str(data))
        command_s = time.monotonic() - began
        folder = open_folder(load_settings(data=data), create=False)
        run = require_run(folder.lake)
        connection = connect()
        register_table(connection, GOLD_CHART, list_files(folder.lake, GOLD_CHART))
        [(charts,)] = connection.execute(
            "SELECT count(DISTINCT (chart, period, period_start)) FROM gold_chart"
        ).fetchall()
        return {
            "plays": run.counts.accepted,
            "charts": charts,
            "run_s": (run.published_at_ms - run.started_at_ms) / 1000,
            "command_s": command_s,
        }


def _run(*arguments: str) -> None:
    environment = os.environ | {"CROSSFADE_KAFKA_PORT": "0"}
    done = subprocess.run(
        crossfade(*arguments), env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        what = f"crossfade {arguments[0]} ended with {done.returncode}: {done.stderr[-400:]}"
        raise StackError(what)
