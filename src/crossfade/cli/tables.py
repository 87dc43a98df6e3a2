"""Tables for people: one line a row, cut only in a terminal, and whole when piped."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from crossfade.clock import DAY_MS, SECOND_MS, floor_to, format_time, now_ms, parse_time

_UNLIMITED = 100_000
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
_EPOCH_MS = re.compile(r"\b1\d{12}\b")
"""Milliseconds since 1970, from 2001 to 2033."""

Cell = str | Text


@dataclass(frozen=True, slots=True)
class Column:
    """A column: in a narrow terminal a `text` is cut and `prose` goes on below itself.

    A `label` and a `number` keep their width, which is at least `least`.
    """

    name: str
    kind: Literal["text", "prose", "label", "number"] = "label"
    least: int = 0


def open_console() -> Console:
    """Return a console on standard output that writes lines of any length if it is no terminal."""
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = _UNLIMITED
    return console


def print_table(
    console: Console, columns: Sequence[Column], rows: Iterable[Sequence[Cell]]
) -> None:
    """Print rows below the names of their columns; no row takes more than one line."""
    print_grid(console, draw_table(columns, rows))


def draw_table(columns: Sequence[Column], rows: Iterable[Sequence[Cell]]) -> Table:
    """Return a table; where it is too wide, its texts end with an ellipsis."""
    has_names = any(column.name for column in columns)
    grid = Table(
        box=None, pad_edge=False, show_edge=False, show_header=has_names, header_style="bold"
    )
    for column in columns:
        # A column that may wrap gives way first; the cells of a text are cut instead of wrapped.
        grid.add_column(
            _one_line(column.name),
            justify="right" if column.kind == "number" else "left",
            no_wrap=column.kind in ("label", "number"),
            overflow="fold",
            min_width=column.least or None,
        )
    is_prose = [column.kind == "prose" for column in columns]
    for row in rows:
        cells = zip(row, is_prose, strict=True)
        grid.add_row(*(_as_text(cell) if prose else _one_line(cell) for cell, prose in cells))
    return grid


def print_grid(console: Console, grid: Table) -> None:
    """Print a table without spaces at the ends of its lines."""
    with console.capture() as captured:
        console.print(grid)
    lines = captured.get().splitlines()
    console.file.writelines(f"{line.rstrip()}\n" for line in lines)


def print_facts(console: Console, facts: Iterable[tuple[str, Cell]]) -> None:
    """Print names and values, one a line; a long value goes on below itself in a terminal."""
    print_table(console, (Column(""), Column("", "prose")), facts)


def format_number(value: float | str | None) -> str:
    """Return a number with thousands separators, a fraction with one decimal, None as a dash."""
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def format_share(share: float | None) -> str:
    """Return a part of one as per cent."""
    return "-" if share is None else f"{share:.1%}"


def format_moment(time_ms: int) -> str:
    """Return a time as people write it, in UTC without its zone; the date unless it is today."""
    day, _, clock = format_time(floor_to(time_ms, SECOND_MS)).removesuffix("Z").partition("T")
    clock = clock.removesuffix(":00") if clock.endswith(":00") else clock
    return clock if time_ms // DAY_MS == now_ms() // DAY_MS else f"{day} {clock}"


def format_counts(counts: Iterable[tuple[str, int]]) -> str:
    """Return numbers with what they count, or a dash if there are none."""
    return ", ".join(f"{name} {count:,}" for name, count in counts) or "-"


def shorten_times(text: str) -> str:
    """Return a sentence with its times, also those in milliseconds, as people write them."""
    named = _TIME.sub(lambda found: f"{format_moment(parse_time(found[0]))} UTC", text)
    return _EPOCH_MS.sub(lambda found: f"{format_moment(int(found[0]))} UTC", named)


def _one_line(cell: Cell) -> Text:
    text = _as_text(cell)
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def _as_text(cell: Cell) -> Text:
    return cell if isinstance(cell, Text) else Text(cell)
