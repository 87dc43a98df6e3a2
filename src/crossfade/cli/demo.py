"""`crossfade demo`: the whole stack live for a limited time, then the proof."""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from crossfade.cli.options import DataOption
from crossfade.clock import parse_duration
from crossfade.config import Settings, load_settings

_DEMO_SETTINGS = {
    "grain": "10s",
    "late_after": "10s",
    "clock_slack": "1s",
    "kafka_port": 0,
    "port": 0,
    "archive_every": "2s",
    "speed_every": "500ms",
    "batch_every": "0s",
    "batch_nice": 0,
}
"""Short enough that a hand-over between the layers happens within seconds."""

ForOption = Annotated[
    str,
    typer.Option(
        "--for",
        help="How long to run, such as 90s or 5m, counted from the first visible window.",
        metavar="TIME",
    ),
]
RateOption = Annotated[
    int, typer.Option("--rate", min=1, help="Simulated plays a second.", metavar="N")
]
KeepOption = Annotated[bool, typer.Option("--keep", help="Keep the data folder.")]


def demo(
    data: DataOption = None,
    *,
    length: ForOption = "90s",
    rate: RateOption = 2000,
    keep: KeepOption = False,
) -> None:
    """Show the whole stack at work, then prove its numbers; exit 0 only if the proof holds.

    Starts a real Kafka and a real Spark in a new folder, imports one listener's real year,
    simulates an audience, and ends automatically. Windows are 10 s, plays count as late after 10 s,
    each batch run starts when the last one ended, and plays are sent at their start.

    Example:
        crossfade demo --for 30s --keep
    """
    from crossfade.cli.demo_run import run_demo

    total_ms = parse_duration(length)
    root = data if data is not None else Path(tempfile.mkdtemp(prefix="crossfade-demo-"))
    settings = load_settings(data=root, **_DEMO_SETTINGS)
    try:
        holds = run_demo(settings, total_ms=total_ms, rate=rate)
    finally:
        _clean_up(settings, keep=keep or data is not None)
    if not holds:
        raise typer.Exit(1)


def _clean_up(settings: Settings, *, keep: bool) -> None:
    if keep:
        Console(stderr=True).print(f"Kept: crossfade status --data {settings.data}")
        return
    shutil.rmtree(settings.data, ignore_errors=True)
    sys.stderr.flush()
