"""How far Kafka had come when a run read its records: L and N of the time boundary (ADR 3)."""

from collections.abc import Mapping
from dataclasses import dataclass

from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, KafkaError, Message, TopicPartition

from crossfade.contract.boundary import NO_BOUNDARY
from crossfade.errors import BrokerError
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.clients import open_producer, open_reader
from crossfade.kafka.reach import explain_unreachable
from crossfade.kafka.topics import PLAYS_BY_WINDOW, SONG_PLAYS, read_end_offsets
from crossfade.kafka.window_log import encode_probe_key

_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Horizon:
    """L and, by topic partition, N; a partition without a record beyond its end is absent."""

    log_time: int
    next_log_times: Mapping[int, int]


def ask_kafka(address: KafkaAddress, run_uuid: str, end_offsets: Mapping[int, int]) -> Horizon:
    """Read L from a probe, and then N from the records at and beyond the end offsets.

    The order matters: a record that is in Kafka when N is read limits the boundary, and a later
    one has a log time of at least L, up to the clock slack.

    Raises:
        BrokerError: Kafka is away.
    """
    log_time = send_probe(address, run_uuid)
    return Horizon(log_time, read_next_log_times(address, end_offsets))


def assume_without_kafka(
    end_offsets: Mapping[int, int], last_log_times: Mapping[int, int]
) -> Horizon:
    """Return L and N from bronze only; a partition without a record has N = minus infinity."""
    known = {p: last_log_times.get(p, NO_BOUNDARY) for p in end_offsets}
    return Horizon(max(known.values(), default=NO_BOUNDARY), known)


def send_probe(address: KafkaAddress, run_uuid: str) -> int:
    """Write a probe to `plays-by-window` and return its log time, which advances without plays."""
    stamps: list[int] = []

    def note_log_time(error: object, message: Message) -> None:
        if error is None:
            stamps.append(message.timestamp()[1])

    # librdkafka need not log errors: the delivery report has them.
    config = {"message.timeout.ms": int(_TIMEOUT_S * 1_000), "log_level": 0}
    producer = open_producer(address, **config)
    key = encode_probe_key(run_uuid)
    producer.produce(PLAYS_BY_WINDOW, b"{}", key, on_delivery=note_log_time)
    producer.flush(_TIMEOUT_S)
    if not stamps:
        what = f"Kafka at {address.bootstrap} did not take a record for {PLAYS_BY_WINDOW}."
        raise explain_unreachable(address) or BrokerError(what, "Check the broker's log.")
    return stamps[0]


def read_next_log_times(address: KafkaAddress, end_offsets: Mapping[int, int]) -> dict[int, int]:
    """Return the log time of the first record at or beyond each end offset, where there is one.

    A record of an open transaction counts: it may be committed later, with its old log time.
    """
    ends = read_end_offsets(address, SONG_PLAYS, include_open=True)
    waiting = {p for p, end in ends.items() if end_offsets.get(p, 0) < end}
    if not waiting:
        return {}
    reader = open_reader(
        address, **{"enable.partition.eof": True}, **{"isolation.level": "read_uncommitted"}
    )
    found: dict[int, int] = {}
    try:
        reader.assign(
            [TopicPartition(SONG_PLAYS, p, end_offsets.get(p, 0)) for p in sorted(waiting)]
        )
        while waiting:
            message = reader.poll(_TIMEOUT_S)
            p, log_time = _read_log_time(address, message)
            if p in waiting and log_time is not None:
                found[p] = log_time
            if p in found or message.error():
                waiting.discard(p)
                reader.pause([TopicPartition(SONG_PLAYS, p)])
    finally:
        reader.close()
    return found


def _read_log_time(address: KafkaAddress, message: Message | None) -> tuple[int, int | None]:
    """Return a record's topic partition and log time; None at the end or for a producer's time."""
    if message is not None and message.error() is None:
        kind, log_time = message.timestamp()
        return message.partition(), log_time if kind == TIMESTAMP_LOG_APPEND_TIME else None
    if message is not None and message.error().code() == KafkaError._PARTITION_EOF:
        return message.partition(), None
    reason = message.error().str() if message is not None else "no record came"
    what = f"Kafka at {address.bootstrap} did not give {SONG_PLAYS}: {reason}."
    raise explain_unreachable(address) or BrokerError(what, "Check the broker's log.")
