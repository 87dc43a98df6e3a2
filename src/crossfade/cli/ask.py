"""Answers for commands, from the running stack's API or directly from the tables."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from crossfade.cli.answer_table import print_answer
from crossfade.cli.api import fetch_answer
from crossfade.cli.waiting import show_wait
from crossfade.clock import now_ms
from crossfade.config import Settings, load_settings
from crossfade.folder import DataFolder, open_folder, read_stack
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
    settings = load_settings(data=data)
    folder = open_folder(settings, create=False)
    stack = read_stack(folder)
    if stack is not None:
        with show_wait(f"Waiting for the API at {stack.api} …"):
            return fetch_answer(stack.api, path, **parameters)
    with show_wait("Reading the lake …"):
        return _read_gold(folder, settings, answer_from_gold)


def _read_gold(
    folder: DataFolder,
    settings: Settings,
    answer_from_gold: Callable[["RequestView"], dict[str, Any]],
) -> dict[str, Any]:
    from crossfade.kafka.log_files import read_embedded_ends
    from crossfade.serving.answers import RequestView
    from crossfade.serving.snapshot import build_snapshot

    snapshot = build_snapshot(folder)
    try:
        ends = None if settings.bootstrap else read_embedded_ends(folder)
        view = RequestView(snapshot, None, folder.time_rules, now_ms(), kafka_ends=ends)
        return answer_from_gold(view)
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
    print_answer(answer, title)
