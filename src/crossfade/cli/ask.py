"""Answers for commands, from the running stack's API or directly from the tables."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from crossfade.cli.api import fetch_answer
from crossfade.clock import now_ms
from crossfade.config import load_settings
from crossfade.folder import open_folder, read_stack
from crossfade.serving.ranges import RangeTexts, check_country

if TYPE_CHECKING:
    from crossfade.serving.answers import RequestView

LimitOption = Annotated[
    int, typer.Option("--limit", min=1, max=1000, help="Most rows to show.", metavar="N")
]
CountryOption = Annotated[
    str | None, typer.Option("--country", help="Only this country, such as SE.", metavar="CC")
]
DayOption = Annotated[
    str | None, typer.Option("--day", help="One day (UTC).", metavar="2019-06-01")
]
WeekOption = Annotated[
    str | None,
    typer.Option(
        "--week", help="A chart week (UTC), by its first day: a Friday.", metavar="2019-06-28"
    ),
]
MonthOption = Annotated[
    str | None, typer.Option("--month", help="One month (UTC).", metavar="2019-06")
]
YearOption = Annotated[str | None, typer.Option("--year", help="One year (UTC).", metavar="2019")]
AllTimeOption = Annotated[bool, typer.Option("--all-time", help="All time; the default.")]
FromOption = Annotated[
    str | None,
    typer.Option(
        "--from",
        help="Start of the range: 2019-06-01 (UTC) or 2019-06-01T12:30Z.",
        metavar="TIME",
    ),
]
ToOption = Annotated[
    str | None, typer.Option("--to", help="End of the range, exclusive.", metavar="TIME")
]

Parameters = Mapping[str, str | int | None]


def ask(
    data: Path | None,
    path: str,
    parameters: Parameters,
    answer_from_gold: Callable[["RequestView"], dict[str, Any]],
) -> dict[str, Any]:
    """Return the API's answer if a stack runs on the folder, else one computed only from gold."""
    country = parameters.get("country")
    check_country(None if country is None else str(country))
    folder = open_folder(load_settings(data=data), create=False)
    stack = read_stack(folder)
    if stack is not None:
        return fetch_answer(stack.api, path, **parameters)

    from crossfade.serving.answers import RequestView
    from crossfade.serving.snapshot import build_snapshot

    snapshot = build_snapshot(folder)
    try:
        return answer_from_gold(RequestView(snapshot, None, folder.time_rules, now_ms()))
    finally:
        snapshot.connection.close()


def range_parameters(texts: RangeTexts) -> dict[str, str | int | None]:
    """Return the options of a range as parameters of the API."""
    named = {kind: getattr(texts, kind) for kind in ("day", "week", "month", "year")}
    all_time = "true" if texts.all_time else None
    return {**named, "from": texts.since, "to": texts.until, "all_time": all_time}


def show_answer(answer: Mapping[str, Any], *, title: str, as_json: bool) -> None:
    """Print an answer on standard output, as JSON or as a table with its completeness."""
    if as_json:
        sys.stdout.write(msgspec.json.encode(answer).decode() + "\n")
        return
    rows = answer["rows"]
    shown = [column for column in _COLUMNS if rows and column in rows[0]]
    grid = Table(box=None, header_style="bold", pad_edge=False)
    for column in shown:
        is_text = column in _TEXTS
        name = "#" if column == "rank" else column.replace("_", " ")
        grid.add_column(name, justify="left" if is_text else "right", no_wrap=not is_text)
    for row in rows:
        grid.add_row(*(_cell(row[column]) for column in shown))
    console = Console()
    begin = answer["from"] or "the first play"
    console.print(f"{title}, {begin} to {answer['to']}", style="bold", markup=False)
    console.print(grid if rows else "No plays.")
    state = Text("Complete", "green")
    if not answer["complete"]:
        state = Text(f"Incomplete: {answer['why']}", "yellow")
    if answer["provisional"]:
        state.append("; provisional: part of the range is not closed yet")
    console.print(state.append("."))


def _cell(value: str | float | None) -> Text:
    if value is None:
        return Text("-")
    return Text(value if isinstance(value, str) else f"{value:,}")


_TEXTS = {"title", "artist", "country"}
_COLUMNS = (
    *("rank", "title", "artist", "country"),
    *("charted_plays", "counted_plays", "plays", "minutes", "listeners", "share"),
)
