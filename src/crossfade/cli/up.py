"""`crossfade up`: run the whole stack on this machine until Ctrl-C."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Annotated, NamedTuple

import typer

from crossfade.cli.api import fetch_answer
from crossfade.cli.options import DataOption, open_or_create_folder
from crossfade.cli.waiting import report_step
from crossfade.config import load_settings
from crossfade.errors import CrossfadeError
from crossfade.stack.hold import hold_folder
from crossfade.stack.launch import Stack, is_answering, prepare_stack
from crossfade.stack.stop_request import StopRequest, stop_on_signals

_POLL_S = 0.2
_REPORT_AFTER_S = 5.0


class _Stage(NamedTuple):
    """What `up` waits for, and the message when it is there."""

    name: str
    is_reached: Callable[[], bool]
    message: str


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
    report_step("Stopped. Nothing is lost; the next start goes on from here.")


def _announce(stack: Stack, request: StopRequest) -> None:
    """Report on standard error what the stack waits for, when it can be used, and its stop."""
    began = time.monotonic()
    report_step(
        f"Starting Kafka, Spark and the API on {stack.folder.root}; logs in {stack.folder.logs}."
    )
    for stage in _list_stages(stack):
        if not _await(stage, stack, request):
            break
        report_step(f"{stage.message} (after {time.monotonic() - began:.1f} s)")
    request.asked.wait()
    report_step("Stopping: the archive first writes what Kafka holds …")


def _list_stages(stack: Stack) -> Iterator[_Stage]:
    api = stack.api
    yield _Stage("the API", lambda: is_answering(api), f"The API answers: {api}")
    yield _Stage(
        "Kafka",
        lambda: is_answering(api, "/readyz"),
        f"Kafka takes plays: {stack.address.bootstrap}. Ctrl-C stops.",
    )
    yield _Stage("speed", lambda: _is_counting(api), "Speed answers: crossfade trending is live.")


def _await(stage: _Stage, stack: Stack, request: StopRequest) -> bool:
    """Wait until a stage is reached, and report that ever less often; return False at a stop."""
    began, pause_s = time.monotonic(), _REPORT_AFTER_S
    report_at = began + pause_s
    while not stage.is_reached():
        if request.asked.wait(_POLL_S):
            return False
        if time.monotonic() >= report_at:
            states = ", ".join(f"{one.name} {one.state}" for one in stack.supervisor.state())
            waited_s = time.monotonic() - began
            report_step(f"Waiting for {stage.name} for {waited_s:.0f} s ({states}) …")
            report_at, pause_s = time.monotonic() + 2 * pause_s, 2 * pause_s
    return True


def _is_counting(api: str) -> bool:
    """Check whether serving reads speed, and speed has reported."""
    try:
        speed = fetch_answer(api, "status")["speed"]
    except CrossfadeError:
        return False
    return bool(speed and speed["ready"] and speed["marker_age_ms"] is not None)
