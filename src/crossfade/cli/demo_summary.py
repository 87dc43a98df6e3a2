"""The demo's last screen: charts of a real year, and the result of the proof."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.text import Text

from crossfade.cli.tables import Column, format_counts, format_number, print_table
from crossfade.lake.findings import Finding, Reconciliation, Verdict

_COLUMNS = (
    Column("chart"),
    Column("#", "number"),
    Column("song", "text"),
    Column("artist", "text"),
    Column("counted plays", "number"),
)
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


def print_summary(console: Console, summary: DemoSummary) -> None:
    """Print the charts of the real year, the songs by country and the proof."""
    console.print(
        f"{summary.records:,} records in Kafka, {summary.imported:,} of them from a real year; "
        f"first window after {summary.first_window_s:.1f} s; {summary.runs:,} runs of batch. "
        "Windows of 10 s, late after 10 s, batch back to back, plays sent at their start.\n"
    )
    charts = {
        "week of 2019-06-28": summary.week,
        "June 2019": summary.month,
        "December 2018": summary.artists,
        **{f"now in {name}": rows for name, rows in summary.countries.items()},
    }
    print_table(console, _COLUMNS, (row for title in charts for row in _rows(title, charts[title])))
    _print_proof(console, summary.proof)


def _rows(title: str, chart: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, ...]]:
    """Yield the cells of a chart, whose title is beside its first row."""
    for n, row in enumerate(chart):
        names = (row.get("title", ""), row["artist"])
        yield "" if n else title, f"{row['rank']}", *names, format_number(row["counted_plays"])


def _print_proof(console: Console, proof: Reconciliation) -> None:
    counts = Counter(finding.verdict for finding in proof.findings)
    title = "Proved: nothing lost, nothing counted twice, both layers agree."
    style = "bold green" if proof.holds else "bold red"
    console.print(Text(f"\n{title if proof.holds else 'NOT PROVED.'}", style))
    verdicts = format_counts((str(verdict), count) for verdict, count in counts.items())
    console.print(f"{len(proof.findings):,} checks: {verdicts}")
    for finding in proof.unexplained[:_WRONG_SHOWN]:
        console.print(Text(_describe(finding), "red"))
    if unchecked := counts[Verdict.UNCHECKED]:
        console.print(Text(f"{unchecked:,} could not be checked", "yellow"))


def _describe(finding: Finding) -> str:
    wrong = " ".join(finding.wrong[:2])
    values = f"expected {format_number(finding.expected)}, found {format_number(finding.found)}"
    return f"{finding.check}, {finding.subject}: {values} {wrong}"
