"""The demo's last screen: charts of a real year, and the result of the proof."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from crossfade.lake.findings import Finding, Reconciliation, Verdict

_WRONG_SHOWN = 5


@dataclass(frozen=True, slots=True)
class DemoSummary:
    """What the demo's last screen shows."""

    records: int
    imported: int
    first_window_s: float
    runs: int
    week: Sequence[Mapping[str, Any]]
    month: Sequence[Mapping[str, Any]]
    artists: Sequence[Mapping[str, Any]]
    countries: Mapping[str, Sequence[Mapping[str, Any]]]
    proof: Reconciliation


def draw_summary(summary: DemoSummary) -> RenderableType:
    """Draw the charts of the real year, the songs by country and the proof."""
    charts = Columns(
        [
            _draw_chart("songs, week of 2019-06-28", summary.week),
            _draw_chart("songs, June 2019", summary.month),
            _draw_chart("artists, December 2018", summary.artists),
        ]
    )
    places = Columns(
        [_draw_chart(f"now in {name}", rows) for name, rows in summary.countries.items()]
    )
    facts = (
        f"{summary.records:,} records in Kafka, {summary.imported:,} of them from a real year; "
        f"first window after {summary.first_window_s:.1f} s; batch runs: {summary.runs}. "
        "Windows of 10 s, late after 10 s, batch back to back, plays sent at their start."
    )
    return Group(Text(facts), charts, places, _draw_proof(summary.proof))


def _draw_chart(title: str, rows: Sequence[Mapping[str, Any]]) -> RenderableType:
    table = Table(box=None, show_header=False, title=title, title_justify="left")
    for row in rows:
        name = f"{row['title']} · {row['artist']}" if row.get("title") else row["artist"]
        table.add_row(str(row["rank"]), Text(name), f"{row['counted_plays']:,}")
    return table


def _draw_proof(proof: Reconciliation) -> RenderableType:
    counts = Counter(finding.verdict for finding in proof.findings)
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    lines: list[RenderableType] = [Text(f"{len(proof.findings)} checks: {verdicts}")]
    lines += [Text(_describe(finding), "red") for finding in proof.unexplained[:_WRONG_SHOWN]]
    if unchecked := counts[Verdict.UNCHECKED]:
        lines.append(Text(f"{unchecked} could not be checked", "yellow"))
    title = "proved: nothing lost, nothing counted twice, both layers agree"
    if not proof.holds:
        title = "NOT PROVED"
    return Panel(Group(*lines), title=title, border_style="green" if proof.holds else "red")


def _describe(finding: Finding) -> str:
    wrong = " ".join(finding.wrong[:2])
    values = f"expected {finding.expected}, found {finding.found}"
    return f"{finding.check}, {finding.subject}: {values} {wrong}"
