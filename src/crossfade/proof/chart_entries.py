"""The check of every chart entry against charts recomputed from silver."""

from crossfade.lake.findings import Finding, judge
from crossfade.proof.pinned import PinnedLake
from crossfade.proof.totals import format_rows

SAME_ENTRIES = "gold/chart = charts computed from silver"


def check_charts(pinned: PinnedLake, *, closed_until: int) -> list[Finding]:
    """Rank every chart of every closed period again and compare it with gold's newest revision.

    Uses the table `expected_song_day`, which `check_totals` computes from silver.
    """
    pinned.prepare("expected_chart", closed_until=closed_until)
    pinned.prepare("held_chart")
    wrong = format_rows(pinned, "wrong_entries")
    [(charts, entries)] = pinned.fetch("chart_sizes")
    subject = f"{entries:,} entries of {charts:,} charts"
    return [judge(SAME_ENTRIES, subject, expected=0, found=len(wrong), wrong=wrong)]
