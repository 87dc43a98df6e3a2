"""`crossfade up`: run the whole stack on this machine until Ctrl-C."""

import sys
import threading
import time
from typing import Annotated

import typer

from crossfade.cli.options import DataOption, open_or_create_folder
from crossfade.config import load_settings
from crossfade.stack.hold import hold_folder
from crossfade.stack.launch import Stack, is_answering, prepare_stack
from crossfade.stack.stop_request import StopRequest, stop_on_signals

_POLL_S = 0.2

PortOption = Annotated[
    int | None,
    typer.Option("--port", help="Port of the API; 0: a free one. (default: 8000)", metavar="PORT"),
]
KafkaPortOption = Annotated[
    int | None,
    typer.Option(
        "--kafka-port", help="Port of Kafka; 0: a free one. (default: 9092)", metavar="PORT"
    ),
]
GrainOption = Annotated[
    str | None,
    typer.Option(
        "--grain",
        help="Window length, such as 10m; only at a folder's first start. (default: 10m)",
        metavar="TIME",
    ),
]
LateAfterOption = Annotated[
    str | None,
    typer.Option(
        "--late-after",
        help="How far behind log time a play counts as late, such as 30m; only at a folder's first "
        "start. (default: 30m)",
        metavar="TIME",
    ),
]
BatchEveryOption = Annotated[
    str | None,
    typer.Option(
        "--batch-every",
        help="Time between the starts of batch runs, such as 60s or 1h. (default: 60s)",
        metavar="TIME",
    ),
]


def up(
    data: DataOption = None,
    *,
    port: PortOption = None,
    kafka_port: KafkaPortOption = None,
    grain: GrainOption = None,
    late_after: LateAfterOption = None,
    batch_every: BatchEveryOption = None,
) -> None:
    """Run Kafka, archive, speed, scheduled batch and the API until Ctrl-C.

    Ctrl-C drains the archive and stops everything in order; a second one stops immediately.
    Processes that fail are started again; their logs are in DIR/logs.

    Example:
        crossfade up --data data --port 8000
    """
    settings = load_settings(
        data=data,
        port=port,
        kafka_port=kafka_port,
        grain=grain,
        late_after=late_after,
        batch_every=batch_every,
    )
    folder = open_or_create_folder(settings)
    with stop_on_signals() as request, hold_folder(folder):
        stack = prepare_stack(folder, settings)
        threading.Thread(target=_announce, args=(stack, request), daemon=True).start()
        stack.supervise(request)
    sys.stderr.write("Stopped. Nothing is lost; the next start goes on from here.\n")


def _announce(stack: Stack, request: StopRequest) -> None:
    """Report on standard error when the stack can be used."""
    began = time.monotonic()
    sys.stderr.write(f"Starting on {stack.folder.root}; logs in {stack.folder.logs}.\n")
    for path, message in (
        ("/healthz", f"The API answers: {stack.api}"),
        ("/readyz", f"Kafka takes plays: {stack.address.bootstrap}. Ctrl-C stops."),
    ):
        while not is_answering(stack.api, path):
            if request.asked.wait(_POLL_S):
                return
        sys.stderr.write(f"{message} (after {time.monotonic() - began:.1f} s)\n")
