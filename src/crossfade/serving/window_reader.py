"""Two threads that read `plays-by-window` into a WindowState and poll the end of `song-plays`."""

import threading
from collections.abc import Callable, Mapping, Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from crossfade.clock import now_ms
from crossfade.contract.boundary import NO_BOUNDARY
from crossfade.contract.time_rules import FUTURE_MS, TimeRules
from crossfade.errors import BrokerError
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.clients import open_reader
from crossfade.kafka.reach import explain_failure
from crossfade.kafka.topics import PLAYS_BY_WINDOW, SONG_PLAYS
from crossfade.kafka.window_log import decode_record
from crossfade.serving.topic_offsets import (
    TIMEOUT_S,
    count_partitions,
    find_offsets,
    read_log_times,
    read_offset_bounds,
)
from crossfade.serving.window_state import PlacedRecord, WindowState
from crossfade.telemetry import get_logger

_POLL_RECORDS = 5_000
_POLL_S = 0.2
_SLICE = 500
"""How many records are applied under one lock, which a request may have to wait for."""
_WATCH_EVERY_S = 1.0
_RETRY_S = 1.0
_READER = {"log_level": 0, "enable.partition.eof": True}
"""librdkafka need not log: every failure is returned as an error. A partition may end with offsets
that have no record, so its end is reported."""
_RECONNECTING = {
    KafkaError._TRANSPORT,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._RESOLVE,
    KafkaError._TIMED_OUT,
}

_log = get_logger("serve")


class WindowReader:
    """Runs both threads: one reads `plays-by-window`, the other polls end offsets.

    If Kafka cannot be reached, the state reports it, and both threads try again.
    """

    def __init__(
        self,
        address: KafkaAddress,
        state: WindowState,
        rules: TimeRules,
        find_boundary: Callable[[], int],
    ) -> None:
        self._address = address
        self._state = state
        self._rules = rules
        self._find_boundary = find_boundary
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run_until_stopped, args=(work,), name=name, daemon=True)
            for name, work in (("plays-by-window", self._tail), ("song-plays", self._watch))
        ]

    def start(self) -> None:
        """Start both threads."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop both threads, and wait until they have closed their consumers."""
        self._stop.set()
        for thread in self._threads:
            thread.join(2 * TIMEOUT_S)

    def _run_until_stopped(self, work: Callable[[Consumer], None]) -> None:
        """Run a thread's work, and start it again with a new consumer when Kafka fails."""
        while not self._stop.is_set():
            reader = open_reader(self._address, **_READER)
            try:
                work(reader)
            except BrokerError as error:
                self._state.note_trouble(str(error))
                self._stop.wait(_RETRY_S)
            except KafkaException as error:
                self._state.note_trouble(explain_failure(self._address, error.args[0]).what)
                self._stop.wait(_RETRY_S)
            finally:
                reader.close()

    def _tail(self, reader: Consumer) -> None:
        partitions = count_partitions(reader, PLAYS_BY_WINDOW)
        self._state.begin_reading(partitions)
        bounds = read_offset_bounds(reader, PLAYS_BY_WINDOW, partitions)
        begin = self._find_begin(reader, bounds)
        reader.assign([TopicPartition(PLAYS_BY_WINDOW, p, at) for p, at in begin.items()])
        unread = {p: end for p, (_, end) in bounds.items() if end > begin[p]}
        while unread and not self._stop.is_set():
            self._apply(_read_some(reader))
            unread = _find_unread(reader, unread)
        self._state.finish_reading()
        _log.info("caught_up", rows=self._state.count_rows())
        while not self._stop.is_set():
            self._apply(_read_some(reader))

    def _find_begin(
        self, reader: Consumer, bounds: Mapping[int, tuple[int, int]]
    ) -> dict[int, int]:
        """Find the offsets where speed's windows begin; mark those whose rows were deleted."""
        begin = {p: low for p, (low, _) in bounds.items()}
        boundary = self._find_boundary()
        if boundary > NO_BOUNDARY:
            self._state.mark_incomplete_before(boundary)
            ahead = FUTURE_MS + self._rules.grain_ms + self._rules.clock_slack_ms
            ends = {p: high for p, (_, high) in bounds.items()}
            begin = find_offsets(reader, PLAYS_BY_WINDOW, boundary - ahead, ends)
        deleted = {p: low for p, (low, high) in bounds.items() if 0 < low == begin[p] < high}
        for log_time in read_log_times(reader, PLAYS_BY_WINDOW, deleted).values():
            whole_from = log_time + FUTURE_MS + self._rules.grain_ms
            self._state.mark_incomplete_before(self._rules.window_start(whole_from))
        return begin

    def _apply(self, messages: Sequence[Message]) -> None:
        records: list[PlacedRecord] = []
        for message in messages:
            if (error := message.error()) is not None:
                if error.code() != KafkaError._PARTITION_EOF:
                    self._raise_unless_reconnecting(error)
                continue
            record = decode_record(message.key(), message.value())
            if record is not None:
                log_time, partition = message.timestamp()[1], message.partition()
                records.append(PlacedRecord(record, log_time, partition))
        for at in range(0, len(records), _SLICE):
            self._state.feed(records[at : at + _SLICE])

    def _raise_unless_reconnecting(self, error: KafkaError) -> None:
        """Note errors from which the client reconnects automatically; raise all others."""
        if error.code() not in _RECONNECTING:
            raise KafkaException(error)
        self._state.note_trouble(f"Kafka cannot be reached: {error.str()}")

    def _watch(self, reader: Consumer) -> None:
        partitions = count_partitions(reader, SONG_PLAYS)
        is_begin_known = False
        while not self._stop.is_set():
            at = now_ms()
            bounds = read_offset_bounds(reader, SONG_PLAYS, partitions)
            firsts = {p: low for p, (low, high) in bounds.items() if low < high}
            if firsts and not is_begin_known:
                log_times = read_log_times(reader, SONG_PLAYS, firsts)
                if is_begin_known := bool(log_times):
                    self._state.note_first_log_time(min(log_times.values()))
            self._state.note_end_offsets(at, {p: high for p, (_, high) in bounds.items()})
            self._stop.wait(_WATCH_EVERY_S)


def _read_some(reader: Consumer) -> list[Message]:
    """Wait for a record, then return it with those already received, without further waiting."""
    first = reader.poll(_POLL_S)
    return [] if first is None else [first, *reader.consume(_POLL_RECORDS, 0)]


def _find_unread(reader: Consumer, ends: Mapping[int, int]) -> dict[int, int]:
    positions = reader.position([TopicPartition(PLAYS_BY_WINDOW, p) for p in ends])
    return {at.partition: ends[at.partition] for at in positions if at.offset < ends[at.partition]}
