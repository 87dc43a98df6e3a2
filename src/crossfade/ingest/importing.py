"""Import of files into Kafka: every good row is sent, every other one reported."""

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

Progress = Callable[[int, ImportReport], None]
"""Told now and then: bytes of the files read so far, and the report as it stands."""

_PLAYS_PER_PROGRESS = 500


class ImportFormat(StrEnum):
    """The formats that can be imported."""

    JSONL = "jsonl"
    SPOTIFY = "spotify"


Reader = Callable[[BinaryIO, Judge], Iterator[Row]]


def reader_of(import_format: ImportFormat, *, user_id: str) -> Reader:
    """Return the reader of a format; `user_id` is the listener where the files name none."""
    if import_format is ImportFormat.SPOTIFY:
        return partial(read_spotify, user_id=user_id)
    return read_jsonl


def import_files(
    names: list[str],
    read: Reader,
    address: KafkaAddress,
    *,
    clock_slack_ms: int,
    on_progress: Progress = lambda _bytes, _report: None,
) -> ImportReport:
    """Send the plays of files to Kafka, and wait until every one is acknowledged.

    A row is judged as Kafka would judge it a moment from now, or more strictly: the clock here
    may differ from the broker's by `clock_slack_ms`. Interrupted, or with plays that were not
    delivered, the same import can simply be made again: ids are made from content.
    """
    report = ImportReport()
    delivery = Delivery(address)
    done = 0
    for name in names:
        with open_source(name) as file:
            for play, value in read_plays(name, file, read, report, clock_slack_ms=clock_slack_ms):
                delivery.send(play.user_id, value)
                if report.accepted % _PLAYS_PER_PROGRESS == 0:
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
    name: str, file: SourceFile, read: Reader, report: ImportReport, *, clock_slack_ms: int
) -> Iterator[tuple[Play, bytes]]:
    """Return the accepted plays of one file with the records to send; report all the others."""
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
        report.add_break(name, error)
    except READ_ERRORS as error:
        report.add_break(name, BrokenFileError(line, f"more of the file ({error})"))
