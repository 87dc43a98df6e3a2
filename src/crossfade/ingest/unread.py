"""The plays that Kafka holds and batch has not read yet: an import may hold them too."""

from collections.abc import Iterator

from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, Message

from crossfade.contract.decode import decode_play
from crossfade.contract.play import Play
from crossfade.ingest.tally import Tally
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.read_topic import read_topic
from crossfade.kafka.topics import (
    SONG_PLAYS,
    read_end_offsets,
    read_start_offsets,
)
from crossfade.lake.runs import Run

_MOST_RECORDS = 500_000
"""Reading as many takes some seconds."""


def know_unread(tally: Tally, address: KafkaAddress, run: Run | None) -> None:
    """Note these plays as known; if the records are too many, only report their number."""
    ends = read_end_offsets(address, SONG_PLAYS)
    starts = read_start_offsets(address, SONG_PLAYS)
    covered = {} if run is None else run.end_offsets
    begins = {p: max(start, covered.get(p, 0)) for p, start in starts.items()}
    count = sum(max(0, ends[p] - begin) for p, begin in begins.items())
    if count > _MOST_RECORDS:
        tally.report.unread = count
    elif count:
        messages = read_topic(address, SONG_PLAYS, begins=begins, ends=ends)
        tally.know(play for message in messages for play in _decode(message))


def _decode(message: Message) -> Iterator[Play]:
    kind, log_time = message.timestamp()
    verdict = decode_play(message.value(), log_time if kind == TIMESTAMP_LOG_APPEND_TIME else None)
    if isinstance(verdict, Play):
        yield verdict
