"""The command-line options of `crossfade generate`."""

from pathlib import Path
from typing import Annotated

import typer

from crossfade.cli.options import expand_home_option
from crossfade.generator.options import Report

RateOption = Annotated[
    str | None,
    typer.Option("--rate", help='Plays a second, or "max". (default: 2000)', metavar="N|max"),
]
ForOption = Annotated[
    str | None,
    typer.Option("--for", help="Stop after this long, such as 90s or 10m.", metavar="TIME"),
]
EventsOption = Annotated[
    int | None, typer.Option("--events", help="Stop after this many records.", metavar="N")
]
SeedOption = Annotated[
    int | None,
    typer.Option(
        "--seed", help="The same seed makes the same audience and plays. (default: 1)", metavar="S"
    ),
]
FromOption = Annotated[
    str | None,
    typer.Option(
        "--from",
        help="Send past plays from this time on as fast as possible, on average --rate for each "
        "second of event time. A repeated run sends the same plays again: all are duplicates.",
        metavar="T",
    ),
]
ToOption = Annotated[
    str | None,
    typer.Option("--to", help="With --from: only plays that begin before this.", metavar="T"),
]
OutOption = Annotated[
    str | None,
    typer.Option(
        "--out",
        help="Write JSON lines to a file instead of Kafka (.gz or .zst: compressed; -: stdout).",
        metavar="FILE",
        callback=expand_home_option,
    ),
]
LedgerOption = Annotated[
    Path | None,
    typer.Option(
        "--ledger",
        help="Write a ledger to this new folder: every record and the right answer to it, for "
        '"crossfade reconcile --ledger".',
        metavar="DIR",
        callback=expand_home_option,
    ),
]
ScenarioOption = Annotated[
    str | None,
    typer.Option(
        "--scenario",
        help="Add a scenario: viral-song, album-drop, country-offline, bot-farm, messy-clients, "
        "or a TOML file (docs/scenarios.md).",
        metavar="NAME|FILE",
        callback=expand_home_option,
    ),
]
CatalogOption = Annotated[
    str | None,
    typer.Option(
        "--catalog",
        help="Play these songs: CSV or JSON lines with weights.",
        metavar="FILE",
        callback=expand_home_option,
    ),
]
EventsimOption = Annotated[
    str | None,
    typer.Option(
        "--eventsim-config",
        help="Use the supported settings of an eventsim configuration (docs/eventsim.md).",
        metavar="FILE",
        callback=expand_home_option,
    ),
]
ReportOption = Annotated[
    Report | None,
    typer.Option(
        "--report",
        help="Send a play at its end or at its start. (default: end)",
        metavar="end|start",
    ),
]
ListenersOption = Annotated[
    int | None,
    typer.Option("--listeners", help="How many people listen. (default: 1000000)", metavar="N"),
]
SongsOption = Annotated[int, typer.Option("--songs", help="How many songs there are.", metavar="N")]
GrowthOption = Annotated[
    float | None,
    typer.Option(
        "--growth",
        help="Yearly growth of the audience from 2024 on, such as 0.2 for 20 %.",
        metavar="G",
    ),
]
StayOption = Annotated[
    str | None,
    typer.Option(
        "--stay",
        help="How long a person stays a listener before another one replaces them, such as 700d. "
        "(default: for ever)",
        metavar="TIME",
    ),
]
AllFieldsOption = Annotated[
    bool, typer.Option("--all-fields", help="Write every optional field of the contract.")
]
ProcessesOption = Annotated[
    int, typer.Option("--processes", help="Number of processes that write records.", metavar="N")
]
