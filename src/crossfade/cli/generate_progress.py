"""The line that `crossfade generate` keeps up to date while it sends."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.text import Text

from crossfade.clock import SECOND_MS
from crossfade.generator.options import SimulationOptions

if TYPE_CHECKING:
    from crossfade.generator.produce import Progress

_BAR_WIDTH = 24
_SILENT_S = 3


@contextmanager
def show_progress(options: SimulationOptions) -> Iterator[Callable[["Progress"], None]]:
    """Keep one live line on standard error, where a person sees it."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _progress: None
        return
    answered = Answers()
    with Live("", console=console, transient=True, auto_refresh=False) as live:
        live.update(Text("gathering the audience"), refresh=True)
        yield lambda progress: live.update(
            Text.assemble(_describe(progress, options), answered.complain(progress)), refresh=True
        )


@dataclass
class Answers:
    """Notices when Kafka has not acknowledged anything for a while."""

    acknowledged: int = 0
    at_ms: int = 0

    def complain(self, progress: "Progress") -> Text:
        """Return what to say of it: nothing as long as it answers."""
        acknowledged = progress.sent - progress.waiting - progress.failed
        if acknowledged != self.acknowledged or not progress.waiting:
            self.acknowledged, self.at_ms = acknowledged, progress.elapsed_ms
        silent_s = (progress.elapsed_ms - self.at_ms) // SECOND_MS
        if silent_s < _SILENT_S:
            return Text()
        return Text(f"   Kafka has not answered for {silent_s} s: waiting", "bold yellow")


def _describe(progress: "Progress", options: SimulationOptions) -> Text:
    return Text.assemble(
        _bar(progress, options),
        (f"{progress.rate:,.0f}", "bold green"),
        f" plays/s   {progress.sent:,} sent   {progress.waiting:,} on their way   ",
        (f"{progress.failed:,} failed", "bold red" if progress.failed else ""),
        f"   {progress.lag_ms / SECOND_MS:.1f} s behind the clock",
    )


def _bar(progress: "Progress", options: SimulationOptions) -> Text:
    """Draw how much of it is done, where that can be known."""
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
        ("━" * filled, "green"), ("━" * (_BAR_WIDTH - filled), "dim"), f" {part:4.0%}   "
    )
