"""`crossfade rejected replay`: rejected records sent to Kafka again after a repair."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from crossfade.cli.options import DataOption, JsonOption, expand_home_option
from crossfade.cli.tables import Column, format_number, open_console, print_table
from crossfade.cli.waiting import report_if_long
from crossfade.config import Settings, load_settings
from crossfade.contract.reasons import Reason
from crossfade.erasure.suppression import load_suppression
from crossfade.errors import BrokerError, CrossfadeError, MisuseError, suggest_known
from crossfade.folder import DataFolder, open_folder
from crossfade.ingest.files import check_files, open_source

if TYPE_CHECKING:
    from crossfade.ingest.delivery import Delivery
    from crossfade.ingest.replay_report import ReplayReport
    from crossfade.lake.runs import Run

_PROBLEMS_SHOWN = 20
_COLUMNS = (Column("line", "number"), Column(""), Column("expected", "prose"))

FileArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="FILE",
        help='Repaired lines of "crossfade rejected --json": plain, .gz, .xz or .zst; - for stdin. '
        "Without it: the stored records that the current rules accept.",
        callback=expand_home_option,
    ),
]
ReasonOption = Annotated[
    str | None,
    typer.Option("--reason", help="Only this reason (docs/contract.md).", metavar="REASON"),
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Judge and report, but send nothing.")
]


def parse_reason(text: str | None) -> Reason | None:
    """Read a reason for rejection; None: any.

    Raises:
        MisuseError: there is no such reason.
    """
    if text is None:
        return None
    if text not in list(Reason):
        what = f'"{text}" is not a reason.'
        raise MisuseError(what, suggest_known(text, Reason, "reasons"))
    return Reason(text)


def replay_rejected(
    file: FileArgument = None,
    data: DataOption = None,
    *,
    reason: ReasonOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Send rejected records again: repaired ones, or those that the current rules accept.

    A play that is in the lake already is not sent, and a play that is sent twice counts once. Each
    line keeps the position of its record; if it has no valid event_id, one is made from that.

    Exit code 0: every record is now a play. 1: a record is still rejected, a line was refused, the
    file was truncated, or Kafka did not take every play; the others are sent.

    Example:
        crossfade rejected --limit 0 --json > repair.jsonl
        crossfade rejected replay repair.jsonl --dry-run
        crossfade rejected replay --reason event_time_future
    """
    from crossfade.lake.runs import require_run

    wanted = parse_reason(reason)
    if file is not None:
        check_files([file])
    settings = load_settings(data=data)
    folder = open_folder(settings, create=False)
    waited = report_if_long("Judging rejected records …")
    with waited, _show_progress() as on_progress, ExitStack() as opened:
        report = _replay(
            folder,
            require_run(folder.lake),
            file,
            wanted,
            open_delivery=None if dry_run else lambda: _open_delivery(opened, folder, settings),
            on_progress=on_progress,
        )
    if as_json:
        sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
    else:
        _print_report(report)
    _fail_unless_all_sent(report)


def _replay(
    folder: DataFolder,
    run: "Run",
    file: str | None,
    reason: Reason | None,
    *,
    open_delivery: "Callable[[], Delivery] | None",
    on_progress: "Callable[[ReplayReport], None]",
) -> "ReplayReport":
    from crossfade.ingest.repaired import read_repaired
    from crossfade.ingest.replay import SilverPlays, read_stored, replay_records
    from crossfade.ingest.replay_report import ReplayReport
    from crossfade.lake.rejected_log import RejectedLog

    report = ReplayReport(dry_run=open_delivery is None)
    with ExitStack() as opened:
        log = opened.enter_context(RejectedLog(folder.lake, run))
        silver = opened.enter_context(SilverPlays(folder.lake, run))
        if file is None:
            batches = read_stored(log, report, reason)
        else:
            content = opened.enter_context(open_source(file)).content
            batches = read_repaired(file, content, log, report, reason)
        replay_records(
            batches,
            silver,
            report,
            clock_slack_ms=folder.time_rules.clock_slack_ms,
            suppression=load_suppression(folder),
            open_delivery=open_delivery,
            on_progress=on_progress,
        )
    return report


def _open_delivery(opened: ExitStack, folder: DataFolder, settings: Settings) -> "Delivery":
    """Connect to Kafka until the command ends; a replay with nothing to send does not need it."""
    from crossfade.ingest.delivery import Delivery
    from crossfade.stack.kafka_for_command import reach_kafka

    return Delivery(opened.enter_context(reach_kafka(folder, settings)))


@contextmanager
def _show_progress() -> "Iterator[Callable[[ReplayReport], None]]":
    console = Console(stderr=True)
    columns = (
        TextColumn("replaying"),
        BarColumn(),
        TextColumn("{task.fields[judged]:,} judged, {task.fields[sent]:,} sent"),
        TimeElapsedColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        bar = progress.add_task("replaying", total=None, judged=0, sent=0)
        yield lambda report: progress.update(bar, judged=report.judged, sent=report.sent)


def _print_report(report: "ReplayReport") -> None:
    sent = "would be sent" if report.dry_run else "sent"
    summary = f"{report.sent:,} {sent}, {report.already_counted:,} already counted"
    if report.erased:
        summary += f", {report.erased:,} of erased listeners"
    if report.refused:
        summary += f", {report.refused:,} lines refused"
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in report.reasons.most_common())
    listed = f": {reasons}" if reasons else ""
    sys.stdout.write(f"{summary}, {report.rejected:,} still rejected{listed}.\n")
    refused = [(one.line, "refused", one.why) for one in report.refusals[:_PROBLEMS_SHOWN]]
    wrong = [(one.line, str(one.reason), one.expected) for one in report.problems[:_PROBLEMS_SHOWN]]
    rows = [(format_number(line), what, why) for line, what, why in refused + wrong]
    if rows:
        print_table(open_console(), _COLUMNS, rows)


def _fail_unless_all_sent(report: "ReplayReport") -> None:
    if report.undelivered:
        what = (
            f"Kafka did not take {report.undelivered:,} of {report.sent:,} plays: "
            f"{report.undelivered_why}."
        )
        raise BrokerError(what, "Replay again when it is back: no play will count twice.")
    if report.torn is not None:
        what = f"{report.torn.file}, line {report.torn.line}: expected {report.torn.expected}."
        raise CrossfadeError(what, "The plays before it are sent. Repair the file, then replay it.")
    if report.rejected or report.refused:
        raise typer.Exit(1)
