"""`crossfade batch`: compute charts and geography from the lake, on a schedule or once."""

import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from crossfade.cli.options import DataOption, JsonOption, open_or_create_folder
from crossfade.cli.tables import format_counts, format_moment, open_console, print_facts
from crossfade.cli.waiting import Report, show_wait
from crossfade.clock import HOUR_MS, SECOND_MS, format_time
from crossfade.config import Settings, load_settings
from crossfade.errors import StackError
from crossfade.folder import ARCHIVE, DataFolder, StackAddresses, read_stack
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
    with show_wait("Reading Kafka …" if stack else "Starting Kafka …") as report:
        run = (
            _ask_stack(folder, settings, stack, report)
            if stack
            else _run_alone(folder, settings, report)
        )
    if as_json:
        sys.stdout.write(msgspec.json.encode(_summarize(run)).decode() + "\n")
    else:
        show_run(run)


def _run_schedule(folder: DataFolder, settings: Settings, address: KafkaAddress) -> None:
    from crossfade.cli.handovers import record_handovers
    from crossfade.processing.batch.job import run_schedule
    from crossfade.processing.failures import explain_errors
    from crossfade.processing.heartbeat import keep_heartbeat
    from crossfade.stack.stop_request import stop_on_signals

    with stop_on_signals() as request, keep_heartbeat(folder, "batch"), explain_errors("batch"):
        run_schedule(folder, settings, address, request.asked, record_handovers)


def _ask_stack(
    folder: DataFolder, settings: Settings, stack: StackAddresses, report: Report
) -> "Run":
    """Ask the stack's batch process until a run covers what Kafka holds now."""
    from crossfade.lake.runs import read_newest_run
    from crossfade.stack.request_files import BATCH_RUN_REQUEST

    ends = read_end_offsets(address_from(settings, stack.readers), SONG_PLAYS)
    waited_for, ask_at, deadline = "", 0.0, 0.0
    while True:
        run = read_newest_run(folder.lake)
        if run is not None and run.covers(ends):
            return run
        step = _describe_step(folder, run, ends)
        if step != waited_for:
            report(f"Waiting for {step} …")
            waited_for, deadline = step, time.monotonic() + _WITHIN_S
        elif time.monotonic() > deadline:
            what = f"For {_WITHIN_S:.0f} s nothing has changed while waiting for {step}."
            raise StackError(what, 'See "crossfade status" and its logs.')
        if time.monotonic() >= ask_at:
            BATCH_RUN_REQUEST.ask(folder)
            ask_at = time.monotonic() + _ASK_AGAIN_S
        time.sleep(_POLL_S)


def _describe_step(folder: DataFolder, run: "Run | None", ends: Mapping[int, int]) -> str:
    """Return what must happen before a run can cover the end offsets; it changes with progress."""
    from crossfade.lake.checkpoint import read_committed

    done = read_committed(folder.checkpoint(ARCHIVE)).end_offsets
    left = sum(max(end - done.get(partition, 0), 0) for partition, end in ends.items())
    if left:
        return f"the archive to read up to {left:,} records"
    return f"batch run {0 if run is None else run.run + 1}"


def _run_alone(folder: DataFolder, settings: Settings, report: Report) -> "Run":
    """Run batch once over everything that Kafka holds, and leave nothing running."""
    from crossfade.cli.handovers import record_handovers
    from crossfade.lake.runs import require_run
    from crossfade.processing.batch.job import run_once
    from crossfade.processing.without_stack import run_without_stack

    def run_batch(spark: Any, address: KafkaAddress) -> None:
        report("Running batch …")
        if run_once(spark, folder, settings, address) is not None:
            record_handovers(folder, address)

    run_without_stack(folder, settings, run_batch, report=report)
    return require_run(folder.lake)


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
        "dropped_by_field": dict(run.counts.dropped_by_field),
        "duplicates": run.counts.duplicates,
        "erased": run.counts.erased,
        "late": run.counts.late,
        "revised_charts": run.counts.revised_charts,
    }


def show_run(run: "Run") -> None:
    """Print what a run covers and what it counted."""
    from crossfade.contract.boundary import NO_BOUNDARY

    counts = run.counts
    has_boundary = run.boundary > NO_BOUNDARY
    facts = [
        ("run", f"{run.run:,}"),
        ("answers up to", f"{format_moment(run.boundary)} UTC" if has_boundary else "-"),
        ("published", f"{format_moment(run.published_at_ms)} UTC"),
        ("took", f"{(run.published_at_ms - run.started_at_ms) / SECOND_MS:,.1f} s"),
        ("records", f"{counts.bronze_rows:,}"),
        ("accepted", f"{counts.accepted:,}"),
        ("counted plays", f"{counts.counted_plays:,}"),
        ("heard", f"{counts.ms_played / HOUR_MS:,.1f} hours"),
        ("rejected", f"{counts.rejected:,}"),
        ("by reason", format_counts(counts.rejected_by_reason.items())),
        ("dropped fields", format_counts(counts.dropped_by_field.items())),
        ("duplicates", f"{counts.duplicates:,}"),
        ("erased", f"{counts.erased:,}"),
        ("late", f"{counts.late:,}"),
        ("revised charts", f"{counts.revised_charts:,}"),
    ]
    print_facts(open_console(), facts)
