"""The demo's screen, drawn from plain values."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from crossfade.cli.tables import (
    Column,
    draw_table,
    format_number,
    shorten_times,
)
from crossfade.clock import SECOND_MS, format_duration, format_time
from crossfade.contract.boundary import NO_BOUNDARY, RECENT_WINDOWS
from crossfade.lake.runs import Run

_TRENDING = (
    Column("#", "number"),
    Column("song", "text"),
    Column("artist", "text"),
    Column("counted plays", "number"),
    Column("~listeners", "number"),
)
_RUNS = tuple(Column(name, "number") for name in ("run", "boundary", "accepted", "took"))
_WIDE = 120
"""From this width on, trending and batch are side by side."""

_BESIDE_SPARK = 24
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


@dataclass(frozen=True)
class DemoScreen:
    """The whole screen: plays, trending, batch runs and the boundary, side by side if wide."""

    state: DemoState

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it for the width of the console."""
        state = self.state
        yield _draw_head(state, options.max_width)
        trending, boundary, runs = _draw_trending(state), _draw_boundary(state), _draw_runs(state)
        if options.max_width >= _WIDE:
            yield _beside((trending, 3), (Group(boundary, runs), 2))
        else:
            yield trending
            yield _beside((boundary, 1), (runs, 1))


def _beside(*parts: tuple[RenderableType, int]) -> Table:
    """Return parts side by side, each with its share of the width."""
    grid = Table.grid(expand=True)
    for _, share in parts:
        grid.add_column(ratio=share)
    grid.add_row(*(part for part, _ in parts))
    return grid


def _draw_head(state: DemoState, width: int) -> RenderableType:
    rate = f"{state.rates[-1] if state.rates else 0.0:,.0f}"
    spark = _sparkline(list(state.rates)[-(width - _BESIDE_SPARK) :])
    plays = Text.assemble((rate, "bold green"), " plays/s  ", (spark, "green"))
    records = Text(
        f"{state.records:,} records in Kafka, {state.imported:,} of them from a real year"
    )
    spent = state.now_ms - state.began_ms if state.began_ms else 0
    bar = ProgressBar(total=state.total_ms, completed=min(spent, state.total_ms))
    lines = [_cut(line) for line in (plays, records, _draw_scenario(state))]
    title = Text.assemble("Crossfade: ", (state.step, "bold"))
    return Panel(Group(*lines, bar), title=title, border_style="cyan")


def _draw_scenario(state: DemoState) -> Text:
    """Draw what happens in the simulation, so that the viewer knows where to look."""
    if not state.scenario:
        return Text()
    ahead_s = (state.scenario_at_ms - state.now_ms) / SECOND_MS
    if ahead_s > 0:
        return Text(f"In {ahead_s:.0f} s: {state.scenario}", "dim")
    return Text(f"Now: {state.scenario}", "bold magenta")


def _draw_trending(state: DemoState) -> RenderableType:
    rows = [
        (
            f"{row['rank']}",
            row["title"],
            row["artist"],
            format_number(row["counted_plays"]),
            format_number(row["listeners"]),
        )
        for row in state.trending[:_SONGS_SHOWN]
    ]
    completeness = Text("complete", "green")
    if not state.complete:
        completeness = Text(f"incomplete: {shorten_times(state.why)}", "yellow")
    title = f"trending: the newest {RECENT_WINDOWS} windows of {format_duration(state.grain_ms)}"
    body = Group(draw_table(_TRENDING, rows), completeness)
    return Panel(body, title=title, border_style="magenta")


def _draw_boundary(state: DemoState) -> RenderableType:
    if state.boundary <= NO_BOUNDARY:
        text = Text("no batch run yet: all answers come from speed")
    else:
        behind_s = (state.now_ms - state.boundary) / SECOND_MS
        reached = (_clock(state.boundary), "bold")
        text = Text.assemble("batch │ ", reached, f" │ speed, {behind_s:.0f} s")
    return Panel(text, title="time boundary (UTC)", border_style="yellow")


def _draw_runs(state: DemoState) -> RenderableType:
    rows = [
        (
            f"{run.run:,}",
            "-" if run.boundary <= NO_BOUNDARY else _clock(run.boundary),
            format_number(run.counts.accepted),
            f"{(run.published_at_ms - run.started_at_ms) / SECOND_MS:,.1f} s",
        )
        for run in reversed(state.runs)
    ]
    return Panel(draw_table(_RUNS, rows), title="batch runs", border_style="blue")


def _clock(time_ms: int) -> str:
    return format_time(time_ms)[11:19]


def _cut(line: Text) -> Text:
    line.no_wrap, line.overflow = True, "ellipsis"
    return line


def _sparkline(values: Sequence[float]) -> str:
    top = max(values, default=0.0)
    if not top:
        return ""
    return "".join(_SPARK_LETTERS[round(value / top * 8)] for value in values)
