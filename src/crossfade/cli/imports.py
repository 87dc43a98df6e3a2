"""`crossfade import`: real plays from files, sent to Kafka."""

import sys
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from crossfade.cli.door import report_door
from crossfade.cli.options import DataOption, JsonOption
from crossfade.clock import HOUR_MS
from crossfade.config import load_settings
from crossfade.errors import BrokerError, CrossfadeError, MisuseError
from crossfade.folder import open_folder
from crossfade.ingest.files import check_files
from crossfade.ingest.importing import ImportFormat, import_files, reader_of
from crossfade.ingest.report import ImportReport
from crossfade.ingest.spotify import check_user_id
from crossfade.stack.kafka_for_command import reach_kafka

_PROBLEMS_SHOWN = 20
_DEFAULT_USER = "listener"

FormatArgument = Annotated[ImportFormat, typer.Argument(metavar="FORMAT", help="jsonl or spotify.")]
FilesArgument = Annotated[
    list[str], typer.Argument(metavar="FILE", help="Files: plain, .gz or .xz; - for stdin.")
]
UserOption = Annotated[
    str | None,
    typer.Option(
        "--user",
        help=f"The user_id for spotify files, which do not name one. (default: {_DEFAULT_USER})",
        metavar="USER_ID",
    ),
]


def import_plays(
    import_format: FormatArgument,
    files: FilesArgument,
    data: DataOption = None,
    *,
    user: UserOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send the plays in files to Kafka; importing the same file twice changes nothing.

    Rows that break the contract are reported with file, line and what was expected; the others are
    sent. Exit code 0: every file was read to its end (rejected rows or not) and every accepted play
    is in Kafka. 1: a file was truncated, or Kafka did not take every play.

    Example:
        crossfade import spotify StreamingHistory0.json --user anna
    """
    user_id = _choose_user(import_format, user)
    size = check_files(files)
    settings = load_settings(data=data)
    folder = open_folder(settings)
    with report_door(folder), _open_progress() as progress:
        task = progress.add_task("connecting to Kafka", total=None, accepted=0, rejected=0)
        with reach_kafka(folder, settings) as address:
            progress.update(task, description="importing", total=size or None)
            report = import_files(
                files,
                reader_of(import_format, user_id=user_id),
                address,
                clock_slack_ms=folder.time_rules.clock_slack_ms,
                on_progress=lambda done, so_far: progress.update(
                    task, completed=done, accepted=so_far.accepted, rejected=so_far.rejected
                ),
            )
    if as_json:
        sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
    else:
        _print_report(report)
    _fail_unless_complete(report)


def _open_progress() -> Progress:
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[accepted]:,} plays, {task.fields[rejected]:,} rejected"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def _choose_user(import_format: ImportFormat, user: str | None) -> str:
    if import_format is not ImportFormat.SPOTIFY:
        if user is not None:
            what = f"--user has no meaning for {import_format}: each line has a user_id."
            raise MisuseError(what, "Leave it out.")
        return ""
    user_id = _DEFAULT_USER if user is None else user
    check_user_id(user_id)
    return user_id


def _print_report(report: ImportReport) -> None:
    hours = report.ms_played / HOUR_MS
    sys.stdout.write(
        f"{report.accepted:,} plays accepted, {report.counted:,} of them counted, "
        f"{hours:,.1f} hours heard; {report.rejected:,} rejected.\n"
    )
    if not report.problems:
        return
    table = Table("file", "line", "reason", "expected", box=None, header_style="bold")
    for problem in report.problems[:_PROBLEMS_SHOWN]:
        cells = (problem.file, str(problem.line), problem.reason, problem.expected)
        table.add_row(*(Text(cell) for cell in cells))
    Console().print(table)
    if report.rejected > _PROBLEMS_SHOWN:
        reasons = ", ".join(f"{reason} {n:,}" for reason, n in report.reasons.most_common())
        sys.stdout.write(f"{report.rejected:,} rejected in total: {reasons}.\n")


def _fail_unless_complete(report: ImportReport) -> None:
    if report.undelivered:
        what = (
            f"Kafka did not take {report.undelivered:,} of {report.accepted:,} plays: "
            f"{report.undelivered_why}."
        )
        raise BrokerError(what, "Import again when it is back: no play will count twice.")
    if report.breaks:
        first, *others = report.breaks
        more = f" (and {len(others)} more files)" if others else ""
        what = f"{first.file}, line {first.line}: expected {first.expected}{more}."
        raise CrossfadeError(
            what, "The plays before it are sent. Repair the file and import it again."
        )
