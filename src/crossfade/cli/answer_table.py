"""An answer of the API as a table: who is ranked, by which measure, and how complete it is."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from crossfade.cli.tables import (
    Column,
    format_moment,
    format_number,
    format_share,
    open_console,
    print_table,
    shorten_times,
)
from crossfade.clock import DAY_MS, parse_time, utc_date

_COLUMNS = {
    "rank": Column("#", "number"),
    "title": Column("title", "text"),
    "artist": Column("artist", "text"),
    "country": Column("country"),
    "charted_plays": Column("charted plays", "number"),
    "counted_plays": Column("counted plays", "number"),
    "plays": Column("plays", "number"),
    "minutes": Column("minutes", "number"),
    "listeners": Column("~listeners", "number"),
    "share": Column("share", "number"),
}
_PLAYS = ("counted_plays", "charted_plays", "plays")
"""Measures of which equal ones are shown once, under the first of these names."""

_WAIVED = ("minutes", "plays")
"""Measures that a narrow terminal does not show, in this order, so that names have room."""

_ROOM = 20
"""A name that is longer than this may be cut before a measure is left out."""


def print_answer(answer: Mapping[str, Any], title: str) -> None:
    """Print an answer on standard output as a table, with its range and its completeness."""
    console = open_console()
    span = _describe_range(answer["from"], answer["to"])
    console.print(Text(f"{title}, {span}", "bold"))
    rows = answer["rows"]
    if rows:
        names = choose_columns(rows, console.width)
        cells = [[format_cell(name, row[name]) for name in names] for row in rows]
        print_table(console, [_COLUMNS[name] for name in names], cells)
    else:
        console.print("No plays.")
    _print_state(console, answer)


def choose_columns(rows: Sequence[Mapping[str, Any]], width: int) -> list[str]:
    """Return the fields that a table of a width shows: equal measures once, and room for names."""
    known = [name for name in _COLUMNS if name in rows[0]]
    shown = [name for name in known if any(row[name] is not None for row in rows)]
    seen: list[list[int]] = []
    for name in _PLAYS:
        values = [row[name] for row in rows]
        if values in seen:
            shown.remove(name)
        seen.append(values)
    for waived in _WAIVED:
        if waived in shown and _measure_width(shown, rows) > width:
            shown.remove(waived)
    return shown


def format_cell(name: str, value: str | float | None) -> str:
    """Return a field of a row as people write it."""
    if name == "share":
        return format_share(None if value is None else float(value))
    return format_number(value)


def _measure_width(names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> int:
    total = 2 * (len(names) - 1)
    for name in names:
        widest = max(cell_len(format_cell(name, row[name])) for row in rows)
        room = min(widest, _ROOM) if _COLUMNS[name].kind == "text" else widest
        total += max(room, len(_COLUMNS[name].name))
    return total


def _print_state(console: Console, answer: Mapping[str, Any]) -> None:
    state = Text("Complete", "green")
    if not answer["complete"]:
        state = Text(f"Incomplete: {shorten_times(answer['why'])}", "yellow")
    if answer["provisional"]:
        state.append("; provisional: part of the range is not closed yet")
    console.print(state.append("."))


def _describe_range(begin: str | None, end: str) -> str:
    """Return a range of whole days as its first and last day, and any other by its edges."""
    until = parse_time(end)
    if begin is None:
        return f"all plays until {format_moment(until)} UTC"
    since = parse_time(begin)
    if since % DAY_MS or until % DAY_MS:
        is_one_day = utc_date(since) == utc_date(until)
        last = format_moment(until).split(" ")[-1] if is_one_day else format_moment(until)
        return f"{format_moment(since)} to {last} UTC"
    first_day, last_day = utc_date(since), utc_date(until - DAY_MS)
    days = f"{first_day}" if first_day == last_day else f"{first_day} to {last_day}"
    return f"{days} (UTC)"
