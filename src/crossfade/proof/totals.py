"""The second law of conservation: gold equals silver's sums over the same closed ranges."""

from collections.abc import Iterable

from crossfade.clock import DAY_MS, HOUR_MS, floor_to
from crossfade.contract.counting import DAILY_CAP
from crossfade.lake.findings import Finding, judge
from crossfade.proof.pinned import PinnedLake

_MEASURES = ("plays", "counted_plays", "ms_played")


def check_totals(pinned: PinnedLake) -> list[Finding]:
    """Recompute days, hours and windows from silver; compare the sums and every row with gold."""
    boundary = pinned.run.boundary
    closed_day, closed_hour = floor_to(boundary, DAY_MS), floor_to(boundary, HOUR_MS)
    pinned.prepare("expected_song_day", closed_until=closed_day, daily_cap=DAILY_CAP)
    pinned.prepare(
        "expected_activity_hour",
        closed_hour=closed_hour,
        closed_day=closed_day,
        daily_cap=DAILY_CAP,
    )
    pinned.prepare(
        "expected_song_window",
        boundary=boundary,
        kept_from=closed_day - DAY_MS,
        grain=pinned.folder.time_rules.grain_ms,
    )
    return [
        finding
        for table in ("song_day", "activity_hour", "song_window")
        for finding in compare_with_gold(pinned, table)
    ]


def check_song_names(pinned: PinnedLake) -> Finding:
    """Compare the displayed names of each song with those of its newest play."""
    pinned.prepare("expected_song")
    wrong = format_rows(pinned, "differing_rows", wanted="expected_song", held="gold_song")
    [(held,)] = pinned.fetch("row_count", table="gold_song")
    [(wanted,)] = pinned.fetch("row_count", table="expected_song")
    return judge("gold/song = silver", "songs", expected=wanted, found=held, wrong=wrong)


def compare_with_gold(pinned: PinnedLake, table: str) -> list[Finding]:
    """Compare a table of gold with the table `expected_…` that was computed from silver."""
    held, wanted = f"gold_{table}", f"expected_{table}"
    check = f"gold/{table} = silver"
    [sums_held] = pinned.fetch("sums", table=held)
    [sums_wanted] = pinned.fetch("sums", table=wanted)
    findings = [
        judge(check, f"sum of {measure}", expected=expected, found=found)
        for measure, expected, found in zip(_MEASURES, sums_wanted, sums_held, strict=True)
    ]
    wrong = format_rows(pinned, "differing_rows", wanted=wanted, held=held)
    [(rows_held,)] = pinned.fetch("row_count", table=held)
    [(rows_wanted,)] = pinned.fetch("row_count", table=wanted)
    rows = judge(check, "rows", expected=rows_wanted, found=rows_held, wrong=wrong)
    return [*findings, rows]


def format_rows(pinned: PinnedLake, query: str, **values: object) -> list[str]:
    """Format each row that a query returns as its columns' names and values."""
    with pinned.open_cursor(query, **values) as cursor:
        names = [column[0] for column in cursor.description or ()]
        rows = cursor.fetchall()
    return [_format_row(zip(names, row, strict=True)) for row in rows]


def _format_row(row: Iterable[tuple[str, object]]) -> str:
    return ", ".join(f"{name} {value}" for name, value in row if value not in ("", None))
