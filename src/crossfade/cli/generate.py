"""`crossfade generate`: a simulated audience that plays songs, into Kafka or a file."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from crossfade.cli.options import DataOption, JsonOption
from crossfade.clock import SECOND_MS, parse_duration, parse_time
from crossfade.config import load_settings
from crossfade.errors import MisuseError
from crossfade.folder import open_folder, read_stack
from crossfade.generator.options import (
    DEFAULT_LISTENERS,
    DEFAULT_SONGS,
    Report,
    SimulationOptions,
    check_options,
    refuse_future,
)

if TYPE_CHECKING:
    from crossfade.generator.produce import Progress
    from crossfade.generator.sinks import Sink

_FULL_SPEED = "max"
_STDOUT = "-"

RateOption = Annotated[
    str, typer.Option("--rate", help='Plays a second, or "max".', metavar="N|max")
]
ForOption = Annotated[
    str | None,
    typer.Option("--for", help="Stop after this long, such as 90s or 10m.", metavar="D"),
]
EventsOption = Annotated[
    int | None, typer.Option("--events", help="Stop after so many plays.", metavar="N")
]
SeedOption = Annotated[
    int, typer.Option("--seed", help="The same seed gives the same audience and plays.")
]
FromOption = Annotated[
    str | None,
    typer.Option(
        "--from",
        help="Send past plays from this time on, --rate a second of event time, as fast as "
        "possible. Such a run can be repeated: the second time, all are duplicates.",
        metavar="T",
    ),
]
OutOption = Annotated[
    str | None,
    typer.Option(
        "--out", help="Write JSON lines to a file, or - for stdout, not to Kafka.", metavar="FILE"
    ),
]
ReportOption = Annotated[
    Report | None,
    typer.Option("--report", help="When a play is sent: at its end or its start. (default: end)"),
]
ListenersOption = Annotated[int, typer.Option("--listeners", help="How many people listen.")]
SongsOption = Annotated[int, typer.Option("--songs", help="How many songs there are.")]


def generate(
    data: DataOption = None,
    *,
    rate: RateOption = "2000",
    length: ForOption = None,
    events: EventsOption = None,
    seed: SeedOption = 1,
    start: FromOption = None,
    out: OutOption = None,
    report: ReportOption = None,
    listeners: ListenersOption = DEFAULT_LISTENERS,
    songs: SongsOption = DEFAULT_SONGS,
    as_json: JsonOption = False,
) -> None:
    """Simulate an audience: listeners of many countries who play, and skip, songs.

    Runs until --for or --events is reached, or until Ctrl-C; either way it waits until every
    play is acknowledged and says how many were sent.

    Example:
        crossfade generate --rate 2000 --for 5m
        crossfade generate --from 2024-05-01 --rate 50 --for 7d --seed 7
        crossfade generate --rate max --events 1000000 --out plays.jsonl
    """
    if start is not None and report is not None:
        what = "Past plays are sent in the order of their starts: --report says nothing there."
        raise MisuseError(what, "Leave out --report or --from.")
    if as_json and out == _STDOUT:
        what = "Plays and --json would both go to standard output."
        raise MisuseError(what, "Leave out --json, or write to a file.")
    options = SimulationOptions(
        rate=_parse_rate(rate),
        seed=seed,
        songs=songs,
        listeners=listeners,
        report=report or Report.END,
        events=events,
        for_ms=None if length is None else parse_duration(length),
        start_ms=None if start is None else parse_time(start),
    )
    check_options(options)
    _tell(_simulate(options, data, out), options, as_json=as_json)


def _parse_rate(text: str) -> float | None:
    if text == _FULL_SPEED:
        return None
    try:
        return float(text)
    except ValueError:
        what = f'"{text}" is no rate.'
        raise MisuseError(what, f'Give a number of plays a second, or "{_FULL_SPEED}".') from None


def _simulate(options: SimulationOptions, data: Path | None, out: str | None) -> "Progress":
    from crossfade.embedded.stop_request import stop_on_signals
    from crossfade.generator.produce import simulate

    sink = _open_sink(options, data, out)
    with stop_on_signals() as stop, _show_progress() as show:
        return simulate(sink, options, until=stop.asked, hurry=stop.hurry, on_progress=show)


def _open_sink(options: SimulationOptions, data: Path | None, out: str | None) -> "Sink":
    from crossfade.generator.sinks import FileSink, KafkaSink
    from crossfade.kafka import address_from, create_topics

    if out is not None:
        return FileSink(out)
    refuse_future(options)
    settings = load_settings(data=data)
    stack = None if settings.bootstrap else read_stack(open_folder(settings, create=False))
    address = address_from(settings, stack.bootstrap if stack else "")
    create_topics(address, settings)
    return KafkaSink(address)


@contextmanager
def _show_progress() -> Iterator[Callable[["Progress"], None]]:
    """Keep one live line on standard error, where a person sees it."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _progress: None
        return
    with Live("", console=console, transient=True, auto_refresh=False) as live:
        yield lambda progress: live.update(_describe(progress), refresh=True)


def _describe(progress: "Progress") -> Text:
    return Text.assemble(
        (f"{progress.rate:,.0f}", "bold green"),
        f" plays/s   {progress.sent:,} sent   {progress.waiting:,} on their way   ",
        (f"{progress.failed:,} failed", "bold red" if progress.failed else ""),
        f"   {progress.lag_ms / SECOND_MS:.1f} s behind the clock",
    )


def _tell(progress: "Progress", options: SimulationOptions, *, as_json: bool) -> None:
    if as_json:
        told = {**asdict(progress), "rate": progress.rate, "seed": options.seed}
        sys.stdout.write(msgspec.json.encode(told).decode() + "\n")
        return
    sys.stderr.write(
        f"Sent {progress.sent:,} plays in {progress.elapsed_ms / SECOND_MS:.1f} s "
        f"({progress.rate:,.0f} a second); all are safe.\n"
    )
