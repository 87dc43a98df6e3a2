"""The demo's screen, drawn from plain values."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from crossfade.clock import format_duration, format_time
from crossfade.contract.boundary import NO_BOUNDARY
from crossfade.lake.runs import Run

_RUNS_SHOWN = 6
_SONGS_SHOWN = 8
_SPARK_LETTERS = " ▁▂▃▄▅▆▇█"


@dataclass
class DemoState:
    """What the screen shows; times in milliseconds since the epoch."""

    grain_ms: int
    total_ms: int
    step: str = "starting"
    began_ms: int = 0
    now_ms: int = 0
    records: int = 0
    rates: deque[float] = field(default_factory=lambda: deque(maxlen=40))
    imported: int = 0
    trending: Sequence[Mapping[str, Any]] = ()
    scenario: str = ""
    """Title of what happens in the simulation."""
    scenario_at_ms: int = 0
    """When it begins."""
    complete: bool = False
    why: str = "starting"
    boundary: int = NO_BOUNDARY
    runs: deque[Run] = field(default_factory=lambda: deque(maxlen=_RUNS_SHOWN))


def draw_demo(state: DemoState) -> RenderableType:
    """Draw the whole screen: plays, trending, batch runs, the boundary."""
    lower = Table.grid(expand=True, padding=(0, 1))
    lower.add_column(ratio=3)
    lower.add_column(ratio=2)
    lower.add_row(_draw_trending(state), Group(_draw_boundary(state), _draw_runs(state)))
    return Group(_draw_head(state), lower)


def _draw_head(state: DemoState) -> RenderableType:
    rate = state.rates[-1] if state.rates else 0.0
    line = Table.grid(expand=True)
    line.add_column(ratio=1)
    line.add_column(justify="right")
    plays = Text.assemble(
        (f"{rate:,.0f}", "bold green"),
        " plays/s  ",
        (_sparkline(state.rates), "green"),
        f"  {state.records:,} records in Kafka, {state.imported:,} of them from a real year",
    )
    line.add_row(plays, Text(state.step, style="bold"))
    spent = state.now_ms - state.began_ms if state.began_ms else 0
    bar = ProgressBar(total=state.total_ms, completed=min(spent, state.total_ms))
    return Panel(Group(line, _draw_scenario(state), bar), title="Crossfade", border_style="cyan")


def _draw_scenario(state: DemoState) -> RenderableType:
    """Draw what happens in the simulation, so that the viewer knows where to look."""
    if not state.scenario:
        return Text()
    ahead_s = (state.scenario_at_ms - state.now_ms) / 1000
    if ahead_s > 0:
        return Text(f"In {ahead_s:.0f} s: {state.scenario}", "dim")
    return Text(f"Now: {state.scenario}", "bold magenta")


def _draw_trending(state: DemoState) -> RenderableType:
    table = Table(box=None, expand=True, header_style="dim")
    table.add_column("#", justify="right", width=3)
    table.add_column("song", ratio=3, no_wrap=True)
    table.add_column("artist", ratio=2, no_wrap=True)
    table.add_column("plays", justify="right")
    table.add_column("listeners", justify="right")
    for row in state.trending[:_SONGS_SHOWN]:
        table.add_row(
            str(row["rank"]),
            Text(row["title"]),
            Text(row["artist"]),
            f"{row['plays']:,}",
            f"{row['listeners']:,.0f}",
        )
    completeness = Text("complete", "green")
    if not state.complete:
        completeness = Text(f"incomplete: {state.why}", "yellow")
    title = f"trending: the newest 6 windows of {format_duration(state.grain_ms)}"
    return Panel(Group(table, completeness), title=title, border_style="magenta")


def _draw_boundary(state: DemoState) -> RenderableType:
    if state.boundary <= NO_BOUNDARY:
        text = Text("no batch run yet: all answers come from speed")
    else:
        behind = (state.now_ms - state.boundary) / 1000
        text = Text.assemble(
            "batch │ ",
            (format_time(state.boundary)[11:19], "bold"),
            f" │ speed    ({behind:.0f} s ago)",
        )
    return Panel(text, title="time boundary", border_style="yellow")


def _draw_runs(state: DemoState) -> RenderableType:
    table = Table(box=None, expand=True, header_style="dim")
    for name in ("run", "boundary", "accepted", "took"):
        table.add_column(name, justify="right")
    for run in reversed(state.runs):
        reached = "-" if run.boundary <= NO_BOUNDARY else format_time(run.boundary)[11:19]
        took = f"{(run.published_at_ms - run.started_at_ms) / 1000:.1f} s"
        table.add_row(str(run.run), reached, f"{run.counts.accepted:,}", took)
    return Panel(table, title="batch runs", border_style="blue")


def _sparkline(values: Sequence[float]) -> str:
    top = max(values, default=0.0)
    if not top:
        return ""
    return "".join(_SPARK_LETTERS[round(value / top * 8)] for value in values)
