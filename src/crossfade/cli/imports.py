"""`crossfade import`: real plays from files, sent to Kafka."""

import sys
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from crossfade.cli.chosen_folder import open_chosen_folder
from crossfade.cli.door import report_door
from crossfade.cli.options import DataOption, JsonOption, expand_home_option
from crossfade.cli.waiting import report_if_long
from crossfade.clock import HOUR_MS
from crossfade.config import load_settings
from crossfade.contract.reasons import Reason
from crossfade.erasure.suppression import load_suppression
from crossfade.errors import BrokerError, CrossfadeError, MisuseError, suggest_known
from crossfade.ingest.files import STDIN, check_files
from crossfade.ingest.formats import ImportFormat
from crossfade.ingest.readers import ImportOptions
from crossfade.ingest.refused import RefusedFile, check_refused_name
from crossfade.ingest.report import ImportReport, RejectedRow
from crossfade.ingest.sources import find_sources
from crossfade.ingest.spotify import check_user_id

_SHOWN_A_REASON = 3
_LEFT_OUT_SHOWN = 20

WordsArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="[FORMAT] FILE",
        help="Files: plain, .gz, .xz, .zst or .zip; - for stdin. FORMAT is jsonl or spotify; "
        "without it, the content decides.",
        show_default=False,
        callback=expand_home_option,
    ),
]
UserOption = Annotated[
    str | None,
    typer.Option(
        "--user",
        help="The user_id for spotify files, which do not name the listener.",
        metavar="USER_ID",
    ),
]
SongIdsOption = Annotated[
    str | None,
    typer.Option(
        "--song-ids-of",
        help="Make SOURCE a part of each song_id of jsonl files: for ids that are unique only "
        "within their source.",
        metavar="SOURCE",
    ),
]
RefusedOption = Annotated[
    str | None,
    typer.Option(
        "--refused",
        help="Write the refused rows, with reasons, to FILE as JSON lines.",
        metavar="FILE",
        callback=expand_home_option,
    ),
]


def import_plays(
    words: WordsArgument,
    data: DataOption = None,
    *,
    user: UserOption = None,
    song_ids_of: SongIdsOption = None,
    refused: RefusedOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send the plays in files to Kafka; importing the same file twice changes nothing.

    Rows that break the contract are reported with file, line and what was expected; the others are
    sent. Name the numbered files of one export together, or its ZIP archive. Exit code 0: every
    file was read to its end, and every accepted play is in Kafka. 1: a file is truncated, in
    another format, or without a single accepted row, or Kafka did not take every play.

    Example:
        crossfade import StreamingHistory0.json StreamingHistory1.json --user anna
        crossfade import my_spotify_data.zip --user anna
        crossfade import plays.jsonl.zst --refused refused.jsonl
    """
    from crossfade.ingest.delivery import Delivery
    from crossfade.ingest.importing import import_files
    from crossfade.ingest.tally import Tally
    from crossfade.ingest.unread import know_unread
    from crossfade.lake.runs import read_newest_run
    from crossfade.stack.kafka_for_command import reach_kafka

    wanted, files = _split_words(words)
    size = check_files(files)
    if refused is not None:
        check_refused_name(refused, files)
    settings = load_settings(data=data)
    with ExitStack() as opened:
        sources = opened.enter_context(find_sources(files, wanted))
        options = _choose_options(sources.formats, user, song_ids_of)
        folder = open_chosen_folder(settings)
        refused_rows = opened.enter_context(RefusedFile(refused)) if refused is not None else None
        opened.enter_context(report_door(folder))
        opened.enter_context(report_if_long("Connecting to Kafka and importing …"))
        progress = opened.enter_context(_open_progress())
        task = progress.add_task("connecting to Kafka", total=None, accepted=0, rejected=0)
        address = opened.enter_context(reach_kafka(folder, settings))
        progress.update(task, description="importing", total=size or None)
        run = read_newest_run(folder.lake)
        tally = opened.enter_context(Tally(folder.lake, run))
        know_unread(tally, address, run)
        report = tally.report
        import_files(
            sources,
            options,
            Delivery(address),
            tally,
            clock_slack_ms=folder.time_rules.clock_slack_ms,
            suppression=load_suppression(folder),
            refused=refused_rows,
            on_progress=lambda done: progress.update(
                task, completed=done, accepted=report.accepted, rejected=report.rejected
            ),
        )
    if as_json:
        sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
    else:
        _print_report(report, refused)
    _fail_unless_complete(report)


def _split_words(words: list[str]) -> tuple[ImportFormat | None, list[str]]:
    """Return the format, if the first word is one, and the files."""
    first, *others = words
    if first in list(ImportFormat):
        if not others:
            what = f"No file is named after {first}."
            raise MisuseError(what, "Name at least one; - is standard input.")
        return ImportFormat(first), others
    if others and first != STDIN and not Path(first).exists() and Path(first).name == first:
        what = f'"{first}" is neither a format nor a file.'
        raise MisuseError(what, suggest_known(first, ImportFormat, "formats"))
    return None, words


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


def _choose_options(
    formats: set[ImportFormat], user: str | None, song_ids_of: str | None
) -> ImportOptions:
    """Check the options against the formats of the files.

    Raises:
        MisuseError: an option is missing, has no meaning, or breaks the contract.
    """
    if ImportFormat.SPOTIFY not in formats:
        if user is not None:
            what = "--user has no meaning for jsonl: each line has a user_id."
            raise MisuseError(what, "Leave it out.")
    elif user is None:
        what = "Spotify's files do not name the listener, and those of two people would be merged."
        raise MisuseError(what, "Name the listener: --user USER_ID.")
    else:
        check_user_id(user)
    if song_ids_of is not None and ImportFormat.JSONL not in formats:
        what = "--song-ids-of has no meaning for spotify: its files have no song ids."
        raise MisuseError(what, "Leave it out.")
    if song_ids_of == "":
        what = "--song-ids-of names no source."
        raise MisuseError(what, "Name one, such as --song-ids-of navidrome.")
    return ImportOptions(user or "", song_ids_of or "")


def _print_report(report: ImportReport, refused: str | None) -> None:
    hours = report.ms_played / HOUR_MS
    lines = [
        f"{report.accepted:,} plays accepted, {report.counted:,} of them counted, "
        f"{hours:,.1f} hours heard; {report.rejected:,} rejected."
    ]
    if report.known or report.repeated:
        lines.append(
            f"Not new, and not counted again: {report.known:,} known already, "
            f"{report.repeated:,} repeated in the input."
        )
    if report.unread:
        lines.append(
            f"Not compared with {report.unread:,} records that batch has not read yet: a play "
            "among them counts once."
        )
    if report.erased:
        lines.append(f"Not sent: {report.erased:,} plays of erased listeners.")
    if report.dropped:
        fields = ", ".join(f"{name} {count:,}" for name, count in report.dropped.most_common())
        lines.append(f"Dropped from plays, because the content breaks its rule: {fields}.")
    lines += [f"Left out: {what}" for what in report.left_out[:_LEFT_OUT_SHOWN]]
    lines += _describe_rejected(report, refused)
    sys.stdout.write("\n".join(lines) + "\n")


def _describe_rejected(report: ImportReport, refused: str | None) -> list[str]:
    """Return the reasons, each with its number of rows and the first of them."""
    if not report.rejected:
        return []
    problems: dict[Reason, list[RejectedRow]] = defaultdict(list)
    for problem in report.problems:
        problems[problem.reason].append(problem)
    lines = []
    for reason, count in report.reasons.most_common():
        lines.append(f"{reason}: {count:,} rejected")
        shown = problems[reason][:_SHOWN_A_REASON]
        lines += [f"  {one.file}, line {one.line}: {one.expected}" for one in shown]
        if count > len(shown):
            lines.append(f"  and {count - len(shown):,} more")
    where = f"They are in {refused}." if refused else "--refused FILE writes them to a file."
    return [*lines, f'Rows that an import rejects are not in "crossfade rejected". {where}']


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
    if report.fruitless:
        more = f" and {n} more files" if (n := len(report.fruitless) - 1) else ""
        what = f"Nothing in {report.fruitless[0]}{more} was accepted."
        raise CrossfadeError(what, "The reasons are listed; docs/contract.md has the rules.")
