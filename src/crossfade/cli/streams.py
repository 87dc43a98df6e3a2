"""The streaming stages: `crossfade archive`, `crossfade speed`, or both in one process."""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from crossfade.cli.options import DataOption, open_or_create_folder
from crossfade.cli.waiting import report_step
from crossfade.config import load_settings
from crossfade.folder import ARCHIVE, CLASSIC, SPEED, open_folder, read_stack
from crossfade.kafka.address import address_from

ParquetOption = Annotated[
    bool,
    typer.Option("--parquet", help="Also write the classic Parquet lake (datalake/song_plays)."),
]
RenewOption = Annotated[
    bool,
    typer.Option("--renew", help="Request a new generation, which counts open windows again."),
]


def archive(data: DataOption = None, *, parquet: ParquetOption = False) -> None:
    """Run the archive: write every Kafka record to bronze, byte for byte, exactly once.

    Run one per data folder. On SIGTERM or Ctrl-C it first archives what Kafka holds.

    Example:
        CROSSFADE_BOOTSTRAP=kafka:29092 crossfade archive --data /lake
    """
    _run(ARCHIVE, data, (ARCHIVE, CLASSIC) if parquet else (ARCHIVE,))


def speed(data: DataOption = None, *, renew: RenewOption = False) -> None:
    """Run the speed layer: count the newest windows, for what is trending now.

    Run one per data folder. On SIGTERM or Ctrl-C it first reads what Kafka holds. With --renew it
    only asks the running speed layer, or the next one, for a new generation. Nothing is lost.

    Example:
        CROSSFADE_BOOTSTRAP=kafka:29092 crossfade speed --data /lake
    """
    if renew:
        _ask_for_renewal(data)
    else:
        _run(SPEED, data, (SPEED,))


def streams(data: DataOption = None) -> None:
    """Run archive and speed in one process, as the stack on one machine does.

    Example:
        CROSSFADE_BOOTSTRAP=127.0.0.1:9092 crossfade streams --data data
    """
    _run("streams", data, (SPEED, ARCHIVE))


def _ask_for_renewal(data: DataOption) -> None:
    from crossfade.stack.request_files import SPEED_RENEWAL_REQUEST

    SPEED_RENEWAL_REQUEST.ask(open_folder(load_settings(data=data), create=False))
    sys.stderr.write("Speed will begin a new generation, now or at its next start.\n")


def _run(name: str, data: DataOption, names: Sequence[str]) -> None:
    report_step(f"Starting Spark for {name} …")
    from crossfade.processing.heartbeat import keep_heartbeat
    from crossfade.processing.streams.driver import run_queries
    from crossfade.stack.stop_request import stop_on_signals

    settings = load_settings(data=data)
    folder = open_or_create_folder(settings)
    stack = read_stack(folder)
    address = address_from(settings, stack.readers if stack else "")
    with stop_on_signals() as request, keep_heartbeat(folder, name):
        run_queries(folder, settings, address, request, names=names)
