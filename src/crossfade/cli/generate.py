"""`crossfade generate`: plays of a simulated audience, sent to Kafka or written to a file."""

import sys
from dataclasses import asdict, replace
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import msgspec

from crossfade.cli import generate_options as cli_options
from crossfade.cli.generate_progress import show_progress
from crossfade.cli.options import DataOption, JsonOption
from crossfade.clock import DAY_MS, SECOND_MS, parse_duration, parse_time
from crossfade.config import load_settings
from crossfade.errors import BrokerError, MisuseError
from crossfade.folder import open_folder, read_stack
from crossfade.generator.catalogue_file import read_catalogue
from crossfade.generator.options import (
    DEFAULT_SONGS,
    Report,
    SimulationOptions,
    check_options,
    refuse_future,
)
from crossfade.generator.scenario import NO_SCENARIO, read_scenario

if TYPE_CHECKING:
    from crossfade.folder import DataFolder
    from crossfade.generator.produce import Simulation, SimulationProgress
    from crossfade.generator.sinks import Sink
    from crossfade.kafka.address import KafkaAddress

_FULL_SPEED = "max"
_STDOUT = "-"
_BROKER_WITHIN_S = 60.0


def generate(
    data: DataOption = None,
    *,
    rate: cli_options.RateOption = None,
    length: cli_options.ForOption = None,
    events: cli_options.EventsOption = None,
    seed: cli_options.SeedOption = None,
    start: cli_options.FromOption = None,
    end: cli_options.ToOption = None,
    out: cli_options.OutOption = None,
    ledger: cli_options.LedgerOption = None,
    scenario: cli_options.ScenarioOption = None,
    report: cli_options.ReportOption = None,
    listeners: cli_options.ListenersOption = None,
    songs: cli_options.SongsOption = DEFAULT_SONGS,
    catalog: cli_options.CatalogOption = None,
    eventsim: cli_options.EventsimOption = None,
    growth: cli_options.GrowthOption = None,
    stay: cli_options.StayOption = None,
    all_fields: cli_options.AllFieldsOption = False,
    processes: cli_options.ProcessesOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Simulate an audience: listeners all over the world who play, and skip, songs.

    Runs until --for, --to or --events is reached, or until Ctrl-C. Then it waits until every record
    is acknowledged, and prints how many were sent.

    Example:
        crossfade generate --rate 2000 --for 5m
        crossfade generate --scenario messy-clients --ledger ledger --for 10m
        crossfade generate --from 2024-05-01 --to 2024-06-01 --rate 50 --seed 7
        crossfade generate --from 2024-05-01 --events 1000000 --out plays.jsonl
    """
    if start is not None and report is not None:
        what = "Past plays are sent in the order of their starts: --report has no meaning there."
        raise MisuseError(what, "Leave out --report or --from.")
    if as_json and out == _STDOUT:
        what = "Plays and --json would both go to standard output."
        raise MisuseError(what, "Leave out --json, or write to a file.")
    given = {
        "seed": seed,
        "listeners": listeners,
        "rate": None if rate is None else _parse_rate(rate),
        "start_ms": None if start is None else parse_time(start),
        "end_ms": None if end is None else parse_time(end),
        "growth": growth,
    }
    options = SimulationOptions(
        songs=songs,
        report=report or Report.END,
        events=events,
        for_ms=None if length is None else parse_duration(length),
        stay_days=0 if stay is None else parse_duration(stay) // DAY_MS,
        scenario=NO_SCENARIO if scenario is None else read_scenario(scenario),
        catalogue=() if catalog is None else read_catalogue(catalog),
        all_fields=all_fields,
        processes=processes,
        **_read_eventsim_options(eventsim)
        | {name: value for name, value in given.items() if value is not None},
    )
    if rate == _FULL_SPEED:
        options = replace(options, rate=None)
    check_options(options)
    simulation, progress = _simulate(options, data, out, ledger)
    _print_summary(simulation, progress, options, as_json=as_json)


def _read_eventsim_options(eventsim: str | None) -> dict[str, Any]:
    """Read the options of an eventsim configuration; those of the command line override them."""
    if eventsim is None:
        return {}
    from crossfade.generator.eventsim import as_options, read_eventsim

    config = read_eventsim(eventsim)
    if config.ignored:
        names = ", ".join(config.ignored)
        sys.stderr.write(f"{eventsim}: ignored: {names} (docs/eventsim.md).\n")
    return as_options(config)


def _parse_rate(text: str) -> float | None:
    if text == _FULL_SPEED:
        return None
    try:
        return float(text)
    except ValueError:
        what = f'"{text}" is not a rate.'
        raise MisuseError(what, f'Give a number of plays a second, or "{_FULL_SPEED}".') from None


def _simulate(
    options: SimulationOptions, data: Path | None, out: str | None, ledger: Path | None
) -> "tuple[Simulation, SimulationProgress]":
    from crossfade.cli.door import report_door
    from crossfade.generator.produce import Simulation
    from crossfade.stack.stop_request import stop_on_signals

    folder = None if out is not None else _find_folder(options, data)
    with stop_on_signals() as stop, report_door(folder), show_progress(options) as show:
        address = None if out is not None else _find_kafka(data, stop.asked)
        simulation = Simulation(options, is_file=out is not None, ledger=ledger)
        sink = _open_sink(address, out, simulation)
        progress = simulation.play(sink, until=stop.asked, give_up=stop.immediate, on_progress=show)
    return simulation, progress


def _find_folder(options: SimulationOptions, data: Path | None) -> "DataFolder | None":
    """Return the data folder whose stack gets the plays; None if the settings name a Kafka."""
    refuse_future(options)
    settings = load_settings(data=data)
    return None if settings.bootstrap else open_folder(settings, create=False)


def _find_kafka(data: Path | None, given_up: Event) -> "KafkaAddress":
    """Return the address of Kafka; wait until it has started, and create its topics."""
    from crossfade.kafka.address import address_from
    from crossfade.kafka.reach import await_broker
    from crossfade.kafka.topics import create_topics

    settings = load_settings(data=data)
    stack = None if settings.bootstrap else read_stack(open_folder(settings, create=False))
    address = address_from(settings, stack.bootstrap if stack else "")

    def report(error: BrokerError) -> None:
        sys.stderr.write(f"{error.what} Waiting up to {_BROKER_WITHIN_S:.0f} s for it.\n")

    await_broker(address, _BROKER_WITHIN_S, given_up, report=report)
    create_topics(address, settings)
    return address


def _open_sink(address: "KafkaAddress | None", out: str | None, simulation: "Simulation") -> "Sink":
    from crossfade.generator.kafka_sink import KafkaSink
    from crossfade.generator.sinks import FileSink

    if address is not None:
        return KafkaSink(address, receipts=simulation.ledger)
    return FileSink(out or _STDOUT)


def _print_summary(
    simulation: "Simulation",
    progress: "SimulationProgress",
    options: SimulationOptions,
    *,
    as_json: bool,
) -> None:
    seal = simulation.seal
    if as_json:
        fields = {**asdict(progress), "rate": progress.rate, "seed": options.seed}
        if seal is not None:
            fields["ledger"] = msgspec.structs.asdict(seal)
        sys.stdout.write(msgspec.json.encode(fields).decode() + "\n")
        return
    sys.stderr.write(
        f"Sent {progress.sent:,} records in {progress.elapsed_ms / SECOND_MS:.1f} s "
        f"({progress.rate:,.0f} a second); all are stored.\n"
    )
    if seal is not None:
        answers = ", ".join(f"{count:,} {answer}" for answer, count in seal.answers.items())
        sys.stderr.write(f"The ledger expects {answers}; {seal.counted_plays:,} plays count.\n")
