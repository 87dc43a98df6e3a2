"""Tail `plays-by-window` into a WindowState, and watch how far `song-plays` has come."""

import threading
from collections.abc import Callable, Mapping, Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from crossfade.clock import now_ms
from crossfade.contract.time_rules import FUTURE_MS, TimeRules
from crossfade.errors import BrokerError
from crossfade.kafka import (
    PLAYS_BY_WINDOW,
    SONG_PLAYS,
    KafkaAddress,
    open_reader,
    partition_count,
    read_end_offsets,
    read_offsets_for_time,
    read_record,
    read_start_offsets,
)
from crossfade.lake import NO_BOUNDARY
from crossfade.serving.window_state import PlacedRecord, WindowState
from crossfade.telemetry import get_logger
from crossfade.window_log import decode_record

_POLL_RECORDS = 5_000
_POLL_S = 0.2
_SLICE = 500
"""Records applied at once: a request waits for no more than these."""
_WATCH_EVERY_S = 1.0
_RETRY_S = 1.0
_TIMEOUT_S = 10.0
_RECONNECTING = {
    KafkaError._TRANSPORT,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._RESOLVE,
    KafkaError._TIMED_OUT,
}
_JOIN_S = 3.0

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
            thread.join(_JOIN_S)

    def _persist(self, work: Callable[[], None]) -> None:
        """Do a thread's work, and begin it anew whenever Kafka fails it."""
        while not self._stop.is_set():
            try:
                work()
            except (BrokerError, KafkaException) as error:
                self._state.note_trouble(f"Kafka is away: {_first_line(error)}")
                self._stop.wait(_RETRY_S)

    def _tail(self) -> None:
        begin = self._find_begin()
        self._state.begin_reading(len(begin))
        ends = read_end_offsets(self._address, PLAYS_BY_WINDOW)
        awaited = {p: end for p, end in ends.items() if end > begin[p]}
        reader = open_reader(self._address)
        try:
            reader.assign([TopicPartition(PLAYS_BY_WINDOW, p, at) for p, at in begin.items()])
            while awaited and not self._stop.is_set():
                self._take(_read_some(reader))
                awaited = _still_awaited(reader, awaited)
            self._state.finish_reading()
            _log.info("caught_up", rows=self._state.count_rows())
            while not self._stop.is_set():
                self._take(_read_some(reader))
        finally:
            reader.close()

    def _find_begin(self) -> dict[int, int]:
        """Find where what speed owns begins in the topic, and what may be missing there."""
        boundary = self._find_boundary()
        starts = read_start_offsets(self._address, PLAYS_BY_WINDOW)
        if boundary <= NO_BOUNDARY:
            begin = starts
        else:
            self._state.miss_before(boundary)
            ahead = FUTURE_MS + self._rules.grain_ms + self._rules.clock_slack_ms
            begin = read_offsets_for_time(self._address, PLAYS_BY_WINDOW, boundary - ahead)
        for p, start in starts.items():
            if 0 < start == begin[p]:
                self._miss_what_was_deleted(p, start)
        return begin

    def _miss_what_was_deleted(self, partition: int, start: int) -> None:
        first = read_record(self._address, PLAYS_BY_WINDOW, partition, start)
        if first is not None:
            whole_from = first.timestamp()[1] + FUTURE_MS + self._rules.grain_ms
            self._state.miss_before(self._rules.window_start(whole_from))

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

    def _watch(self) -> None:
        watcher = open_reader(self._address)
        try:
            partitions = partition_count(self._address, SONG_PLAYS)
            is_begin_known = False
            while not self._stop.wait(_WATCH_EVERY_S):
                at = now_ms()
                ends = {p: _watermarks(watcher, p) for p in range(partitions)}
                if not is_begin_known and any(low < high for low, high in ends.values()):
                    self._note_begin({p: low for p, (low, high) in ends.items() if low < high})
                    is_begin_known = True
                self._state.note_end_offsets(at, {p: high for p, (_, high) in ends.items()})
        finally:
            watcher.close()

    def _note_begin(self, starts: Mapping[int, int]) -> None:
        firsts = [read_record(self._address, SONG_PLAYS, p, at) for p, at in starts.items()]
        log_times = [first.timestamp()[1] for first in firsts if first is not None]
        if log_times:
            self._state.note_first_log_time(min(log_times))


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


def _watermarks(watcher: Consumer, partition: int) -> tuple[int, int]:
    place = TopicPartition(SONG_PLAYS, partition)
    low, high = watcher.get_watermark_offsets(place, timeout=_TIMEOUT_S, cached=False)
    return low, high


def _first_line(error: Exception) -> str:
    if isinstance(error, BrokerError):
        return error.what
    return str(error.args[0].str()) if isinstance(error, KafkaException) else str(error)
