"""The progress line of `crossfade generate`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.text import Text

from crossfade.cli.waiting import report_if_long
from crossfade.clock import SECOND_MS
from crossfade.generator.options import SimulationOptions

if TYPE_CHECKING:
    from crossfade.generator.produce import SimulationProgress

_BAR_WIDTH = 16
_SILENT_S = 3


@contextmanager
def show_progress(options: SimulationOptions) -> Iterator[Callable[["SimulationProgress"], None]]:
    """Yield a callback that updates a line on standard error, if that is a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        with report_if_long("Creating the audience and sending its plays …"):
            yield lambda _progress: None
        return
    silence = KafkaSilence()
    with Live("", console=console, transient=True, auto_refresh=False) as live:
        live.update(Text("creating the audience"), refresh=True)
        yield lambda progress: live.update(
            Text.assemble(describe_progress(progress, options), silence.describe(progress)),
            refresh=True,
        )


@dataclass
class KafkaSilence:
    """Measures how long Kafka has not acknowledged anything."""

    acknowledged: int = 0
    at_ms: int = 0

    def describe(self, progress: "SimulationProgress") -> Text:
        """Return a warning when Kafka has not answered for a few seconds, else an empty text."""
        acknowledged = progress.sent - progress.waiting - progress.failed
        if acknowledged != self.acknowledged or not progress.waiting:
            self.acknowledged, self.at_ms = acknowledged, progress.elapsed_ms
        silent_s = (progress.elapsed_ms - self.at_ms) // SECOND_MS
        if silent_s < _SILENT_S:
            return Text()
        return Text(f"  Kafka has not answered for {silent_s} s: waiting", "bold yellow")


def describe_progress(progress: "SimulationProgress", options: SimulationOptions) -> Text:
    """Return the state of a run in a line that fits 80 columns."""
    return Text.assemble(
        _bar(progress, options),
        (f"{progress.rate:,.0f}", "bold green"),
        f" plays/s  {progress.sent:,} sent  {progress.waiting:,} waiting",
        (f"  {progress.failed:,} failed" if progress.failed else "", "bold red"),
        f"  {progress.lag_ms / SECOND_MS:.1f} s behind",
    )


def _bar(progress: "SimulationProgress", options: SimulationOptions) -> Text:
    """Draw how much is done; empty if the run has no end."""
    whole, done = options.total, progress.sent
    if whole is None and options.start_ms is not None and options.until_ms is not None:
        whole, done = options.until_ms - options.start_ms, progress.simulated_ms
    elif whole is None and options.for_ms is not None:
        whole, done = options.for_ms, progress.elapsed_ms
    if whole is None:
        return Text("")
    part = min(1.0, done / whole)
    filled = round(part * _BAR_WIDTH)
    return Text.assemble(
        ("━" * filled, "green"), ("━" * (_BAR_WIDTH - filled), "dim"), f" {part:4.0%}  "
    )
