"""`crossfade serve`: the API and the status page of a data folder."""

import gc
import signal
import sys
from typing import Annotated

import typer

from crossfade.cli.options import DataOption
from crossfade.cli.waiting import report_step
from crossfade.clock import parse_duration
from crossfade.config import load_settings, split_origins
from crossfade.errors import MachineError

PortOption = Annotated[
    int | None,
    typer.Option("--port", help="Port of the API; 0: a free one. (default: 8000)", metavar="PORT"),
]


def serve(data: DataOption = None, *, port: PortOption = None) -> None:
    """Serve the API and the status page over HTTP until Ctrl-C.

    It reads the Kafka of CROSSFADE_BOOTSTRAP, else that of the stack on the data folder. Without
    either, answers come only from gold and say what they miss.

    Example:
        crossfade serve --data data --port 8000
    """
    from crossfade.folder import open_folder, read_stack
    from crossfade.kafka.address import address_from
    from crossfade.stack.ports import describe_holder, is_free

    settings = load_settings(data=data, port=port)
    folder = open_folder(settings, create=False)
    if settings.port and not is_free(settings.port):
        what = f"Port {settings.port} is taken{describe_holder(settings.port)}."
        raise MachineError(what, "Stop that, or choose another with --port (0: any).")
    report_step(f"Starting the API of {folder.root}: http://{settings.host}:{settings.port} …")
    import uvicorn

    from crossfade.serving.app import build_app

    stack = read_stack(folder)
    bootstrap = settings.bootstrap or (stack.readers if stack is not None else "")
    address = address_from(settings, bootstrap) if bootstrap else None
    # uvicorn stops in order, then raises the signal again: a requested stop exits with 0.
    for stop in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stop, lambda *_: sys.exit(0))
    # Open windows are very many long-lived objects: collect garbage among them rarely.
    gc.set_threshold(50_000, 20, 50)
    uvicorn.run(
        build_app(
            folder,
            address,
            batch_every_ms=parse_duration(settings.batch_every),
            cors=split_origins(settings.cors),
        ),
        host=settings.host,
        port=settings.port,
        log_level="info",
        access_log=False,
        timeout_graceful_shutdown=5,
    )
