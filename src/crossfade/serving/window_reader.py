"""Tail `plays-by-window` into a WindowState, and watch how far `song-plays` has come."""

import threading
from collections.abc import Callable, Mapping, Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from crossfade.clock import now_ms
from crossfade.contract.boundary import NO_BOUNDARY
from crossfade.contract.time_rules import FUTURE_MS, TimeRules
from crossfade.errors import BrokerError
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.clients import open_reader
from crossfade.kafka.topics import PLAYS_BY_WINDOW, SONG_PLAYS
from crossfade.kafka.window_log import decode_record
from crossfade.serving.topic_offsets import (
    TIMEOUT_S,
    count_partitions,
    find_offsets,
    read_edges,
    read_log_times,
)
from crossfade.serving.window_state import PlacedRecord, WindowState
from crossfade.telemetry import get_logger

_POLL_RECORDS = 5_000
_POLL_S = 0.2
_SLICE = 500
"""Records applied at once: a request waits for no more than these."""
_WATCH_EVERY_S = 1.0
_RETRY_S = 1.0
_SILENT = {"log_level": 0}
"""Every trouble comes back as an error; librdkafka need not write it too."""
_RECONNECTING = {
    KafkaError._TRANSPORT,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._RESOLVE,
    KafkaError._TIMED_OUT,
}

_log = get_logger("serve")


class WindowReader:
    """Two threads that live as long as serving: one tails the topic, one polls end offsets.

    Kafka away is no failure: the state says so, and both go on when it is back.
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
            threading.Thread(target=self._persist, args=(work,), name=name, daemon=True)
            for name, work in (("plays-by-window", self._tail), ("song-plays", self._watch))
        ]

    def start(self) -> None:
        """Begin to read."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop reading, and wait until both threads have closed what they opened."""
        self._stop.set()
        for thread in self._threads:
            thread.join(2 * TIMEOUT_S)

    def _persist(self, work: Callable[[Consumer], None]) -> None:
        """Do a thread's work, and begin it anew whenever Kafka fails it."""
        while not self._stop.is_set():
            reader = open_reader(self._address, **_SILENT)
            try:
                work(reader)
            except BrokerError as error:
                self._state.note_trouble(str(error))
                self._stop.wait(_RETRY_S)
            except KafkaException as error:
                self._state.note_trouble(f"Kafka is away: {_first_line(error)}")
                self._stop.wait(_RETRY_S)
            finally:
                reader.close()

    def _tail(self, reader: Consumer) -> None:
        partitions = count_partitions(reader, PLAYS_BY_WINDOW)
        self._state.begin_reading(partitions)
        edges = read_edges(reader, PLAYS_BY_WINDOW, partitions)
        begin = self._find_begin(reader, edges)
        reader.assign([TopicPartition(PLAYS_BY_WINDOW, p, at) for p, at in begin.items()])
        awaited = {p: end for p, (_, end) in edges.items() if end > begin[p]}
        while awaited and not self._stop.is_set():
            self._take(_read_some(reader))
            awaited = _still_awaited(reader, awaited)
        self._state.finish_reading()
        _log.info("caught_up", rows=self._state.count_rows())
        while not self._stop.is_set():
            self._take(_read_some(reader))

    def _find_begin(self, reader: Consumer, edges: Mapping[int, tuple[int, int]]) -> dict[int, int]:
        """Find where what speed owns begins in the topic, and what may be missing there."""
        begin = {p: low for p, (low, _) in edges.items()}
        boundary = self._find_boundary()
        if boundary > NO_BOUNDARY:
            self._state.miss_before(boundary)
            ahead = FUTURE_MS + self._rules.grain_ms + self._rules.clock_slack_ms
            ends = {p: high for p, (_, high) in edges.items()}
            begin = find_offsets(reader, PLAYS_BY_WINDOW, boundary - ahead, ends)
        deleted = {p: low for p, (low, high) in edges.items() if 0 < low == begin[p] < high}
        for log_time in read_log_times(reader, PLAYS_BY_WINDOW, deleted).values():
            whole_from = log_time + FUTURE_MS + self._rules.grain_ms
            self._state.miss_before(self._rules.window_start(whole_from))
        return begin

    def _take(self, messages: Sequence[Message]) -> None:
        records: list[PlacedRecord] = []
        for message in messages:
            if (error := message.error()) is not None:
                self._judge_error(error)
                continue
            record = decode_record(message.key(), message.value())
            if record is not None:
                log_time, partition = message.timestamp()[1], message.partition()
                records.append(PlacedRecord(record, log_time, partition))
        for at in range(0, len(records), _SLICE):
            self._state.feed(records[at : at + _SLICE])

    def _judge_error(self, error: KafkaError) -> None:
        """Let the client reconnect by itself; begin anew where the log is not what it was."""
        if error.code() not in _RECONNECTING:
            raise KafkaException(error)
        self._state.note_trouble(f"Kafka is away: {error.str()}")

    def _watch(self, reader: Consumer) -> None:
        partitions = count_partitions(reader, SONG_PLAYS)
        is_begin_known = False
        while not self._stop.is_set():
            at = now_ms()
            edges = read_edges(reader, SONG_PLAYS, partitions)
            firsts = {p: low for p, (low, high) in edges.items() if low < high}
            if firsts and not is_begin_known:
                log_times = read_log_times(reader, SONG_PLAYS, firsts)
                if is_begin_known := firsts.keys() == log_times.keys():
                    self._state.note_first_log_time(min(log_times.values()))
            self._state.note_end_offsets(at, {p: high for p, (_, high) in edges.items()})
            self._stop.wait(_WATCH_EVERY_S)


def _read_some(reader: Consumer) -> list[Message]:
    """Wait for a record, then take with it what else has come: none waits for more to come."""
    first = reader.poll(_POLL_S)
    return [] if first is None else [first, *reader.consume(_POLL_RECORDS, 0)]


def _still_awaited(reader: Consumer, awaited: Mapping[int, int]) -> dict[int, int]:
    places = reader.position([TopicPartition(PLAYS_BY_WINDOW, p) for p in awaited])
    return {
        place.partition: awaited[place.partition]
        for place in places
        if place.offset < awaited[place.partition]
    }


def _first_line(error: BrokerError | KafkaException) -> str:
    return error.what if isinstance(error, BrokerError) else str(error.args[0].str())
