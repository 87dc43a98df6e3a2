"""The streaming stages: `crossfade archive`, `crossfade speed`, and both in one driver."""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from crossfade.cli.options import DataOption
from crossfade.config import load_settings
from crossfade.folder import ARCHIVE, CLASSIC, SPEED, open_folder, read_stack
from crossfade.kafka.address import address_from

ParquetOption = Annotated[
    bool,
    typer.Option("--parquet", help="Write the classic Parquet lake (DIR/datalake/song_plays) too."),
]
RenewOption = Annotated[
    bool,
    typer.Option("--renew", help="Ask for a new generation, which counts the open windows anew."),
]


def archive(data: DataOption = None, *, parquet: ParquetOption = False) -> None:
    """Run the archive: every Kafka record into bronze, byte for byte, exactly once.

    One driver a data folder. SIGTERM or Ctrl-C drains it first.

    Example:
        CROSSFADE_BOOTSTRAP=kafka:29092 crossfade archive --data /lake
    """
    _run(ARCHIVE, data, (ARCHIVE, CLASSIC) if parquet else (ARCHIVE,))


def speed(data: DataOption = None, *, renew: RenewOption = False) -> None:
    """Run the speed layer: what is trending now, as absolute values by window.

    One driver a data folder. SIGTERM or Ctrl-C drains it first. With --renew nothing is run: the
    driver that runs, or the next one, begins a new generation. Nothing is lost by it.

    Example:
        CROSSFADE_BOOTSTRAP=kafka:29092 crossfade speed --data /lake
    """
    if renew:
        _ask_for_renewal(data)
    else:
        _run(SPEED, data, (SPEED,))


def streams(data: DataOption = None) -> None:
    """Run archive and speed in one driver, as the stack on one machine does.

    Example:
        CROSSFADE_BOOTSTRAP=127.0.0.1:9092 crossfade streams --data data
    """
    _run("streams", data, (SPEED, ARCHIVE))


def _ask_for_renewal(data: DataOption) -> None:
    from crossfade.stack.request_files import SPEED_RENEWAL_REQUEST

    SPEED_RENEWAL_REQUEST.ask(open_folder(load_settings(data=data), create=False))
    sys.stderr.write("Speed begins a new generation, now or at its next start.\n")


def _run(name: str, data: DataOption, names: Sequence[str]) -> None:
    from crossfade.processing.heartbeat import keep_heartbeat
    from crossfade.processing.streams.driver import run_queries
    from crossfade.stack.stop_request import stop_on_signals

    settings = load_settings(data=data)
    folder = open_folder(settings)
    stack = read_stack(folder)
    address = address_from(settings, stack.readers if stack else "")
    with stop_on_signals() as request, keep_heartbeat(folder, name):
        run_queries(folder, settings, address, request, names=names)
