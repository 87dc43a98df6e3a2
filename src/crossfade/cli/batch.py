"""`crossfade batch`: compute charts and geography from the lake, on a schedule or once."""

import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from crossfade.cli.options import DataOption, JsonOption, open_or_create_folder
from crossfade.clock import format_time
from crossfade.config import Settings, load_settings
from crossfade.errors import StackError
from crossfade.folder import DataFolder, StackAddresses, read_stack
from crossfade.kafka.address import KafkaAddress, address_from
from crossfade.kafka.topics import SONG_PLAYS, read_end_offsets

if TYPE_CHECKING:
    from crossfade.lake.runs import Run

_POLL_S = 0.5
_ASK_AGAIN_S = 5.0
_WITHIN_S = 600.0

OnceOption = Annotated[
    bool, typer.Option("--once", help="Run once over everything that Kafka holds now, and exit.")
]


def batch(
    data: DataOption = None, *, once: OnceOption = False, as_json: JsonOption = False
) -> None:
    """Run batch: on a schedule until Ctrl-C, or once over everything that Kafka holds now.

    With a running stack, --once asks its batch process; without one it starts Kafka and the archive
    temporarily. Each run is published by one commit, after both conservation laws held.

    Example:
        crossfade batch --once --json
    """
    settings = load_settings(data=data)
    folder = open_or_create_folder(settings)
    stack = read_stack(folder)
    if not once:
        _run_schedule(folder, settings, address_from(settings, stack.readers if stack else ""))
        return
    run = _ask_stack(folder, settings, stack) if stack else _run_alone(folder, settings)
    summary = _summarize(run)
    if as_json:
        sys.stdout.write(msgspec.json.encode(summary).decode() + "\n")
    else:
        _show(summary)


def _run_schedule(folder: DataFolder, settings: Settings, address: KafkaAddress) -> None:
    from crossfade.cli.handovers import record_handovers
    from crossfade.processing.batch.job import run_schedule
    from crossfade.processing.failures import explain_errors
    from crossfade.processing.heartbeat import keep_heartbeat
    from crossfade.stack.stop_request import stop_on_signals

    with stop_on_signals() as request, keep_heartbeat(folder, "batch"), explain_errors("batch"):
        run_schedule(folder, settings, address, request.asked, record_handovers)


def _ask_stack(folder: DataFolder, settings: Settings, stack: StackAddresses) -> "Run":
    """Ask the stack's batch process until a run covers what Kafka holds now."""
    from crossfade.lake.runs import read_newest_run
    from crossfade.stack.request_files import BATCH_RUN_REQUEST

    ends = read_end_offsets(address_from(settings, stack.readers), SONG_PLAYS)
    deadline = time.monotonic() + _WITHIN_S
    ask_at = 0.0
    while True:
        run = read_newest_run(folder.lake)
        if run is not None and run.covers(ends):
            return run
        if time.monotonic() > deadline:
            what = f"No batch run covers what Kafka held {_WITHIN_S:.0f} s ago."
            raise StackError(what, 'See "crossfade status" and its logs.')
        if time.monotonic() >= ask_at:
            BATCH_RUN_REQUEST.ask(folder)
            ask_at = time.monotonic() + _ASK_AGAIN_S
        time.sleep(_POLL_S)


def _run_alone(folder: DataFolder, settings: Settings) -> "Run":
    """Run batch once over everything that Kafka holds, and leave nothing running."""
    from crossfade.cli.handovers import record_handovers
    from crossfade.lake.runs import require_run
    from crossfade.processing.batch.job import run_once
    from crossfade.processing.without_stack import run_without_stack

    def run_batch(spark: Any, address: KafkaAddress) -> None:
        report_step("Running batch …")
        if run_once(spark, folder, settings, address) is not None:
            record_handovers(folder, address)

    run_without_stack(folder, settings, run_batch, report=report_step)
    return require_run(folder.lake)


def report_step(step: str) -> None:
    """Write the step that begins to standard error."""
    sys.stderr.write(f"{step}\n")


def _summarize(run: "Run") -> dict[str, Any]:
    from crossfade.contract.boundary import NO_BOUNDARY

    return {
        "run": run.run,
        "boundary": None if run.boundary <= NO_BOUNDARY else format_time(run.boundary),
        "published_at": format_time(run.published_at_ms),
        "seconds": round((run.published_at_ms - run.started_at_ms) / 1000, 1),
        "records": run.counts.bronze_rows,
        "accepted": run.counts.accepted,
        "counted_plays": run.counts.counted_plays,
        "ms_played": run.counts.ms_played,
        "rejected": run.counts.rejected,
        "rejected_by_reason": dict(run.counts.rejected_by_reason),
        "duplicates": run.counts.duplicates,
        "erased": run.counts.erased,
        "late": run.counts.late,
        "revised_charts": run.counts.revised_charts,
    }


def _show(summary: dict[str, Any]) -> None:
    table = Table("published", "", box=None, header_style="bold")
    for name, value in summary.items():
        shown = f"{value:,}" if isinstance(value, int) else str(value)
        table.add_row(name, shown)
    Console().print(table)
