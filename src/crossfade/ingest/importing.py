"""Import of files into Kafka: accepted rows are sent, rejected rows are reported."""

from collections.abc import Callable, Iterator

from crossfade.clock import now_ms
from crossfade.contract.decode import decode_play
from crossfade.contract.play import Play
from crossfade.contract.reasons import Rejection
from crossfade.erasure.suppression import NOBODY, Suppression
from crossfade.ingest.delivery import Delivery
from crossfade.ingest.files import READ_ERRORS, SourceFile
from crossfade.ingest.readers import ImportOptions, RowReader, reader_of
from crossfade.ingest.refused import RefusedFile
from crossfade.ingest.report import ImportReport
from crossfade.ingest.rows import BrokenFileError
from crossfade.ingest.sources import PlayFile, Sources
from crossfade.ingest.tally import Tally

ImportProgressCallback = Callable[[int], None]
"""Called with the bytes of the files read so far."""

_PLAYS_PER_CALLBACK = 500


def import_files(
    sources: Sources,
    options: ImportOptions,
    delivery: Delivery,
    tally: Tally,
    *,
    clock_slack_ms: int,
    suppression: Suppression = NOBODY,
    refused: RefusedFile | None = None,
    on_progress: ImportProgressCallback = lambda _bytes: None,
) -> None:
    """Send the plays of files to Kafka, and wait until each is acknowledged.

    A row has no log time yet, so the local clock minus `clock_slack_ms`, the most by which it may
    differ from the broker's, replaces it. That never accepts a row that the layers would reject.
    After an interruption or a failed delivery, repeat the import: ids depend only on content.

    Args:
        sources: the files.
        options: what the user chooses.
        delivery: the connection to Kafka.
        tally: counts the plays, and has the report.
        clock_slack_ms: the most by which the local clock may differ from the broker's.
        suppression: the erased listeners, whose plays are not sent.
        refused: the file for refused rows.
        on_progress: called now and then.
    """
    report = tally.report
    report.left_out += sources.left_out
    done = 0
    for file, read in _list_files(sources, options):
        accepted, rows = report.accepted, report.rows
        with file.open() as opened:
            for play, value in read_plays(
                file.label, opened, read, report, clock_slack_ms=clock_slack_ms, refused=refused
            ):
                if suppression.covers(play.user_id):
                    report.erased += 1
                    continue
                delivery.send(play.user_id, value)
                tally.add(play)
                if report.accepted % _PLAYS_PER_CALLBACK == 0:
                    on_progress(done + opened.bytes_read())
                if delivery.undelivered:
                    break
            done += opened.bytes_read()
        if report.accepted == accepted and report.rows > rows:
            report.fruitless.append(file.label)
        on_progress(done)
        if delivery.undelivered:
            break
    delivery.finish()
    tally.finish()
    report.undelivered, report.undelivered_why = delivery.undelivered, delivery.why


def read_plays(
    name: str,
    file: SourceFile,
    read: RowReader,
    report: ImportReport,
    *,
    clock_slack_ms: int,
    refused: RefusedFile | None = None,
) -> Iterator[tuple[Play, bytes]]:
    """Yield each accepted play of a file with its record; add the other rows to the report."""
    line = 1
    try:
        for row in read(file.content, lambda value: decode_play(value, now_ms() - clock_slack_ms)):
            line = row.line
            if isinstance(row.verdict, Rejection):
                report.add_rejection(name, row, row.verdict)
                if refused is not None:
                    refused.add(name, row, row.verdict)
            else:
                yield row.verdict, row.value
    except BrokenFileError as error:
        report.add_broken_file(name, error)
    except READ_ERRORS as error:
        report.add_broken_file(name, BrokenFileError(line, f"more of the file ({error})"))


def _list_files(sources: Sources, options: ImportOptions) -> Iterator[tuple[PlayFile, RowReader]]:
    """Yield each file with its reader; the files of an export share one."""
    for export in sources.exports:
        read = reader_of(export.import_format, options, is_one_export=export.is_certain)
        for file in export.files:
            yield file, read
