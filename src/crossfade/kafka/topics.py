"""Kafka's topics: whether the broker answers, its topics' settings, and their offsets."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from confluent_kafka import KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, OffsetSpec, ResourceType

from crossfade.clock import parse_duration
from crossfade.config import Settings
from crossfade.errors import BrokerError, MisuseError
from crossfade.kafka.address import KafkaAddress
from crossfade.telemetry import get_logger

SONG_PLAYS = "song-plays"
PLAYS_BY_WINDOW = "plays-by-window"

MAX_RECORD_BYTES = 4 * 1024 * 1024
"""The topic's limit: more than the contract accepts, so that large records are kept and judged."""

LOG_APPEND_TIME = 1
"""Kafka's number for a timestamp from the broker's clock."""

_Answer = TypeVar("_Answer")

_TIMEOUT_S = 30.0
_UNSETTLED = {
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
}
"""Transient errors: a topic was just created, or a broker has just returned."""

_LEARN_S = 0.05
_ASK_FOR_S = 2.0
_ANSWER_WITHIN_S = 10.0
_SILENT = 0
"""librdkafka's log level for clients whose errors are all raised."""
_TEN_MINUTES_MS = 600_000

_log = get_logger("kafka")


def require_broker(address: KafkaAddress, within_s: float = _ANSWER_WITHIN_S) -> None:
    """Check that Kafka answers.

    Raises:
        BrokerError: it does not within that time.
    """
    try:
        _admin(address).list_topics(timeout=within_s)
    except KafkaException as error:
        raise _away(address, error) from None


def await_broker(
    address: KafkaAddress,
    within_s: float,
    given_up: threading.Event,
    *,
    report: Callable[[BrokerError], None] = lambda error: _log.info("waiting", why=str(error)),
) -> None:
    """Wait until Kafka, which may be starting, answers.

    Args:
        address: where it is expected.
        within_s: how long to wait.
        given_up: set to stop waiting.
        report: called with the error each time that Kafka did not answer.

    Raises:
        BrokerError: it does not within that time, or until the wait is given up.
    """
    deadline = time.monotonic() + within_s
    while True:
        try:
            return require_broker(address, _ASK_FOR_S)
        except BrokerError as error:
            if given_up.is_set() or time.monotonic() > deadline:
                raise
            report(error)


def create_topics(address: KafkaAddress, settings: Settings) -> None:
    """Create both topics if missing; refuse topics with settings that would give wrong numbers.

    `song-plays` uses the broker's clock for log time. `plays-by-window` is compacted too.

    Raises:
        MisuseError: `song-plays` exists and uses the producers' clocks.
        BrokerError: Kafka is away or refuses.
    """
    require_broker(address)
    retention = str(parse_duration(settings.topic_retention))
    shared = {
        "message.timestamp.type": "LogAppendTime",
        "retention.ms": retention,
        "max.message.bytes": str(MAX_RECORD_BYTES),
    }
    compacted = {
        "cleanup.policy": "compact,delete",
        "segment.ms": str(_TEN_MINUTES_MS),
        "min.cleanable.dirty.ratio": "0.2",
    }
    topics = [
        NewTopic(name, settings.topic_partitions, settings.topic_replication, config=config)
        for name, config in ((SONG_PLAYS, shared), (PLAYS_BY_WINDOW, shared | compacted))
    ]
    admin = _admin(address)
    for name, outcome in admin.create_topics(topics, operation_timeout=_TIMEOUT_S).items():
        try:
            outcome.result(_TIMEOUT_S)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                what = f"Kafka refuses to make the topic {name}: {error.args[0].str()}."
                raise BrokerError(what, "Check the broker's settings and rights.") from None
    _refuse_producer_clocks(address)


def topic_id(address: KafkaAddress, topic: str) -> str:
    """Return Kafka's id of a topic; a topic that is deleted and created again gets another."""
    admin = _admin(address)
    outcome = admin.describe_topics(TopicCollection([topic]))[topic]
    try:
        return str(outcome.result(_TIMEOUT_S).topic_id)
    except KafkaException as error:
        raise _away(address, error) from None


def partition_count(address: KafkaAddress, topic: str) -> int:
    """Count the partitions of a topic."""
    try:
        metadata = _admin(address).list_topics(topic, timeout=_TIMEOUT_S).topics[topic]
    except KafkaException as error:
        raise _away(address, error) from None
    if metadata.error is not None:
        what = f"Kafka at {address.bootstrap} has no topic {topic}."
        raise BrokerError(what, 'Start "crossfade up" once: it creates the topics.')
    return len(metadata.partitions)


def read_end_offsets(address: KafkaAddress, topic: str) -> dict[int, int]:
    """Return, for each partition, the offset that the next record will have."""
    return _list_offsets(address, topic, OffsetSpec.latest())


def read_start_offsets(address: KafkaAddress, topic: str) -> dict[int, int]:
    """Return, for each partition, the smallest offset that Kafka still holds."""
    return _list_offsets(address, topic, OffsetSpec.earliest())


def read_offsets_for_time(address: KafkaAddress, topic: str, time_ms: int) -> dict[int, int]:
    """Return, for each partition, the first offset with log time >= `time_ms`, or its end."""
    found = _list_offsets(address, topic, OffsetSpec.for_timestamp(max(time_ms, 0)))
    ends = read_end_offsets(address, topic)
    return {p: offset if offset >= 0 else ends[p] for p, offset in found.items()}


def _list_offsets(address: KafkaAddress, topic: str, spec: OffsetSpec) -> dict[int, int]:
    asked = {TopicPartition(topic, p): spec for p in range(partition_count(address, topic))}
    admin = _admin(address)
    return _ask_until_settled(
        address,
        lambda: {
            place.partition: outcome.result(_TIMEOUT_S).offset
            for place, outcome in admin.list_offsets(asked).items()
        },
    )


def read_retention(address: KafkaAddress, topic: str) -> tuple[int, int]:
    """Return `retention.ms` and `segment.ms` of a topic; -1 means never.

    Kafka deletes a whole segment once its newest record is older than `retention.ms`.
    """
    retention = _read_topic_setting(address, topic, "retention.ms")
    return int(retention), int(_read_topic_setting(address, topic, "segment.ms"))


def _refuse_producer_clocks(address: KafkaAddress) -> None:
    found = _read_topic_setting(address, SONG_PLAYS, "message.timestamp.type")
    if found != "LogAppendTime":
        what = f"Topic {SONG_PLAYS} has message.timestamp.type={found}."
        raise MisuseError(what, "Set it to LogAppendTime: log time must be the broker's.")


def _read_topic_setting(address: KafkaAddress, topic: str, name: str) -> str:
    resource = ConfigResource(ResourceType.TOPIC, topic)
    admin = _admin(address)
    return _ask_until_settled(
        address,
        lambda: str(admin.describe_configs([resource])[resource].result(_TIMEOUT_S)[name].value),
    )


def _ask_until_settled(address: KafkaAddress, ask: Callable[[], _Answer]) -> _Answer:
    """Retry while a broker does not know a new topic or a partition's leader yet.

    Raises:
        BrokerError: it still does not in time, or Kafka does not answer.
    """
    deadline = time.monotonic() + _TIMEOUT_S
    while True:
        try:
            return ask()
        except KafkaException as error:
            if error.args[0].code() not in _UNSETTLED or time.monotonic() > deadline:
                raise _away(address, error) from None
            time.sleep(_LEARN_S)


def _admin(address: KafkaAddress) -> AdminClient:
    """Open an admin client. Keep a reference: its futures fail once it is garbage-collected."""
    return AdminClient(
        {**address.client_config(), "socket.timeout.ms": 10_000, "log_level": _SILENT}
    )


def _away(address: KafkaAddress, error: KafkaException) -> BrokerError:
    what = f"Kafka at {address.bootstrap} does not answer: {error.args[0].str()}."
    return BrokerError(what, 'Start it, or see "crossfade status".')
