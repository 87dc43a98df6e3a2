"""The options of `crossfade generate`, as the command line takes them."""

from pathlib import Path
from typing import Annotated

import typer

from crossfade.generator.options import Report

RateOption = Annotated[
    str | None,
    typer.Option("--rate", help='Plays a second, or "max". (default: 2000)', metavar="N|max"),
]
ForOption = Annotated[
    str | None,
    typer.Option("--for", help="Stop after this long, such as 90s or 10m.", metavar="D"),
]
EventsOption = Annotated[
    int | None, typer.Option("--events", help="Stop after so many records.", metavar="N")
]
SeedOption = Annotated[
    int | None,
    typer.Option(
        "--seed", help="The same seed gives the same audience and plays. (default: 1)", metavar="S"
    ),
]
FromOption = Annotated[
    str | None,
    typer.Option(
        "--from",
        help="Send past plays from this time on, --rate a second of event time on average, as fast "
        "as possible. Such a run can be repeated: the second time, all are duplicates.",
        metavar="T",
    ),
]
ToOption = Annotated[
    str | None,
    typer.Option("--to", help="With --from: plays that begin before this.", metavar="T"),
]
OutOption = Annotated[
    str | None,
    typer.Option(
        "--out",
        help="Write JSON lines to a file (.gz or .zst: compressed), or - for stdout, not to Kafka.",
        metavar="FILE",
    ),
]
LedgerOption = Annotated[
    Path | None,
    typer.Option(
        "--ledger",
        help="Keep a ledger in this new folder: every record and the right answer to it, for "
        '"crossfade reconcile --ledger".',
        metavar="DIR",
    ),
]
ScenarioOption = Annotated[
    str | None,
    typer.Option(
        "--scenario",
        help="What else happens: viral-song, album-drop, country-offline, bot-farm, "
        "messy-clients, or a TOML file (docs/scenarios.md).",
        metavar="NAME|FILE",
    ),
]
CatalogOption = Annotated[
    str | None,
    typer.Option(
        "--catalog", help="Play these songs: CSV or JSON lines with weights.", metavar="FILE"
    ),
]
EventsimOption = Annotated[
    str | None,
    typer.Option(
        "--eventsim-config",
        help="Take what fits from a configuration of eventsim (docs/eventsim.md).",
        metavar="FILE",
    ),
]
ReportOption = Annotated[
    Report | None,
    typer.Option("--report", help="When a play is sent: at its end or its start. (default: end)"),
]
ListenersOption = Annotated[
    int | None,
    typer.Option("--listeners", help="How many people listen. (default: 1000000)", metavar="N"),
]
SongsOption = Annotated[int, typer.Option("--songs", help="How many songs there are.")]
GrowthOption = Annotated[
    float | None,
    typer.Option(
        "--growth", help="The audience grows by this share of it a year, from 2024 on.", metavar="G"
    ),
]
StayOption = Annotated[
    str | None,
    typer.Option(
        "--stay",
        help="How long people stay listeners before others come, such as 700d. (default: for ever)",
        metavar="D",
    ),
]
AllFieldsOption = Annotated[
    bool, typer.Option("--all-fields", help="Write every optional field of the contract.")
]
ProcessesOption = Annotated[
    int, typer.Option("--processes", help="Write records on so many processors.", metavar="N")
]
