"""Import of files into Kafka: accepted rows are sent, rejected rows are reported."""

from collections.abc import Callable, Iterator
from enum import StrEnum
from functools import partial
from typing import BinaryIO

from crossfade.clock import now_ms
from crossfade.contract.decode import decode_play
from crossfade.contract.play import Play
from crossfade.contract.reasons import Rejection
from crossfade.ingest.delivery import Delivery
from crossfade.ingest.files import READ_ERRORS, SourceFile, open_source
from crossfade.ingest.jsonl import read_jsonl
from crossfade.ingest.report import ImportReport
from crossfade.ingest.rows import BrokenFileError, Judge, Row
from crossfade.ingest.spotify import read_spotify
from crossfade.kafka.address import KafkaAddress

ImportProgressCallback = Callable[[int, ImportReport], None]
"""Called with the bytes of the files read so far, and the report so far."""

_PLAYS_PER_CALLBACK = 500


class ImportFormat(StrEnum):
    """The supported formats of files."""

    JSONL = "jsonl"
    SPOTIFY = "spotify"


RowReader = Callable[[BinaryIO, Judge], Iterator[Row]]


def reader_of(import_format: ImportFormat, *, user_id: str) -> RowReader:
    """Return the reader of a format; `user_id` is the listener if the files have no user_id."""
    if import_format is ImportFormat.SPOTIFY:
        return partial(read_spotify, user_id=user_id)
    return read_jsonl


def import_files(
    names: list[str],
    read: RowReader,
    address: KafkaAddress,
    *,
    clock_slack_ms: int,
    on_progress: ImportProgressCallback = lambda _bytes, _report: None,
) -> ImportReport:
    """Send the plays of files to Kafka, and wait until each is acknowledged.

    A row has no log time yet, so the local clock minus `clock_slack_ms`, the most by which it may
    differ from the broker's, replaces it. That never accepts a row that the layers would reject.
    After an interruption or a failed delivery, repeat the import: ids depend only on content.
    """
    report = ImportReport()
    delivery = Delivery(address)
    done = 0
    for name in names:
        with open_source(name) as file:
            for play, value in read_plays(name, file, read, report, clock_slack_ms=clock_slack_ms):
                delivery.send(play.user_id, value)
                if report.accepted % _PLAYS_PER_CALLBACK == 0:
                    on_progress(done + file.bytes_read(), report)
                if delivery.undelivered:
                    break
            done += file.bytes_read()
        on_progress(done, report)
        if delivery.undelivered:
            break
    delivery.finish()
    report.undelivered, report.undelivered_why = delivery.undelivered, delivery.why
    return report


def read_plays(
    name: str, file: SourceFile, read: RowReader, report: ImportReport, *, clock_slack_ms: int
) -> Iterator[tuple[Play, bytes]]:
    """Yield each accepted play of a file with its record; add every row to the report."""
    line = 1
    try:
        for row in read(file.content, lambda value: decode_play(value, now_ms() - clock_slack_ms)):
            line = row.line
            if isinstance(row.verdict, Rejection):
                report.add_rejection(name, row, row.verdict)
            else:
                report.add_play(row.verdict)
                yield row.verdict, row.value
    except BrokenFileError as error:
        report.add_broken_file(name, error)
    except READ_ERRORS as error:
        report.add_broken_file(name, BrokenFileError(line, f"more of the file ({error})"))
