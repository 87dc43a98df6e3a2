"""Days to charts: rank every closed period again, by the rules that the charts' files state."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pyarrow as pa

from faults.oracle_findings import Findings, Kind, Tally
from faults.oracle_lake import DAY_MS, Lake, Run, partition_value
from faults.oracle_plays import fold

CHECK = "days to charts"

_DAY = timedelta(days=1)
_EPOCH = date(1970, 1, 1)
_FRIDAY = 4
_MEASURES = ("charted_plays", "counted_plays", "plays", "ms_played")

Period = tuple[str, str, date]
"""Chart, kind of period, first day."""
Entry = tuple[object, ...]
"""Id, title, artist, charted, counted, plays, ms."""


def check_charts(lake: Lake, run: Run, findings: Findings, *, chart_size: int) -> None:
    """Rank gold/song_day again; `check_gold` has compared that table with silver.

    The order is charted plays, counted plays, plays and time heard, best first, then id. Entries
    without a charted play are left out. A song is named as on its newest day, with most plays.
    Artists whose names differ only in case or spaces are one, in the most played spelling.
    """
    wanted = _rank(lake, run)
    held = _read_charts(lake, run)
    wrong = Tally()
    for period in sorted(wanted.keys() | held.keys()):
        entries = wanted.get(period, [])[:chart_size]
        actual = held.get(period, [])
        name = " ".join(map(str, period))
        for rank, (entry, ours) in enumerate(zip(actual, entries, strict=False), 1):
            if entry != ours:
                wrong.add(f"{name}, rank {rank}: {entry} in gold, {ours} by its days")
        for entry in entries[len(actual) :]:
            wrong.add(f"{name}: {entry} is not in gold")
        for entry in actual[len(entries) :]:
            wrong.add(f"{name}: {entry} is in gold, and not by its days")
    findings.add(Kind.WRONG, CHECK, wrong.names, total=wrong.total)
    findings.note_checked("entries of charts", sum(map(len, held.values())))


def _rank(lake: Lake, run: Run) -> dict[Period, list[Entry]]:
    closed = _EPOCH + max(run.boundary // DAY_MS, 0) * _DAY
    sums: dict[Period, dict[str, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0] * 4))
    names: dict[Period, dict[str, tuple[object, ...]]] = defaultdict(dict)
    spellings: dict[Period, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    columns = ["date", "plays", "title", "artist", "song_id", *_MEASURES]
    for batch in lake.rows(
        "gold/song_day", list(dict.fromkeys(columns)), run.pins["gold/song_day"]
    ):
        for row in batch.to_pylist():
            newest = tuple(row[name] for name in columns[:4])
            for kind, first in _periods_of(row["date"], closed):
                for chart, key in (("songs", row["song_id"]), ("artists", fold(row["artist"]))):
                    period = chart, kind, first
                    for number, measure in enumerate(_MEASURES):
                        sums[period][key][number] += row[measure]
                    names[period][key] = max(newest, names[period].get(key, newest))
                    spellings[period][key][row["artist"]] += row["plays"]
    for period, keys in spellings.items():
        for key, counts in keys.items() if period[0] == "artists" else ():
            names[period][key] = None, max(counts, key=lambda name: (counts[name], name))
    return {period: _order(entries, names[period]) for period, entries in sums.items()}


def _order(entries: dict[str, list[int]], names: dict[str, tuple[object, ...]]) -> list[Entry]:
    ranked = sorted(entries.items(), key=lambda one: ([-measure for measure in one[1]], one[0]))
    return [(key, *names[key][-2:], *measures) for key, measures in ranked if measures[0] > 0]


def _periods_of(day: date, closed: date) -> Iterator[tuple[str, date]]:
    """Yield the closed periods that hold a day: the day, its week from Friday, month and year."""
    week = day - (day.weekday() - _FRIDAY) % 7 * _DAY
    month, year = day.replace(day=1), day.replace(month=1, day=1)
    ends = {
        "day": (day, day + _DAY),
        "week": (week, week + 7 * _DAY),
        "month": (month, (month + 32 * _DAY).replace(day=1)),
        "year": (year, year.replace(year=year.year + 1)),
    }
    for kind, (first, end) in ends.items():
        if end <= closed:
            yield kind, first


def _read_charts(lake: Lake, run: Run) -> dict[Period, list[Entry]]:
    """Read the newest revision of each chart, in the order of its ranks."""
    rows: dict[Period, list[tuple[int, int, Entry]]] = defaultdict(list)
    columns = ["period_start", "revision", "rank", "id", "title", "artist", *_MEASURES]
    for path in lake.files("gold/chart", run.pins["gold/chart"]):
        chart, kind = partition_value(path, "chart"), partition_value(path, "period")
        for batch in lake.read_file(path, columns):
            for first, revision, rank, *entry in _tuples(batch, columns):
                rows[chart, kind, first].append((revision, rank, tuple(entry)))
    newest = {period: max(row[0] for row in entries) for period, entries in rows.items()}
    return {
        period: [
            row[2] for row in sorted(entries, key=lambda row: row[1]) if row[0] == newest[period]
        ]
        for period, entries in rows.items()
    }


def _tuples(batch: pa.RecordBatch, columns: list[str]) -> Iterator[tuple[Any, ...]]:
    return zip(*(batch[name].to_pylist() for name in columns), strict=True)
