"""Kafka's topics: their creation, their settings, and their offsets."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from confluent_kafka import (
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import ConfigResource, NewTopic, OffsetSpec, ResourceType

from crossfade.clock import parse_duration
from crossfade.config import Settings
from crossfade.errors import BrokerError, MisuseError
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.reach import Admin, explain_failure, require_broker
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
_TEN_MINUTES_MS = 600_000

_log = get_logger("kafka")


def create_topics(address: KafkaAddress, settings: Settings) -> None:
    """Create both topics if missing; refuse topics with settings that would give wrong numbers.

    `song-plays` uses the broker's clock for log time. `plays-by-window` is compacted too.

    Raises:
        MisuseError: a topic exists and uses the producers' clocks, or `song-plays` is compacted.
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
    admin = Admin(address)
    for name, outcome in admin.create_topics(topics, operation_timeout=_TIMEOUT_S).items():
        try:
            outcome.result(_TIMEOUT_S)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                what = f"Kafka refuses to make the topic {name}: {error.args[0].str()}."
                raise BrokerError(what, "Check the broker's settings and rights.") from None
    for name in (SONG_PLAYS, PLAYS_BY_WINDOW):
        _check_settings(name, read_settings(address, name), retention_ms=int(retention))


def topic_id(address: KafkaAddress, topic: str) -> str:
    """Return Kafka's id of a topic; a topic that is deleted and created again gets another."""
    admin = Admin(address)
    outcome = admin.describe_topics(TopicCollection([topic]))[topic]
    try:
        return str(outcome.result(_TIMEOUT_S).topic_id)
    except KafkaException as error:
        raise explain_failure(address, error.args[0]) from None


def partition_count(address: KafkaAddress, topic: str) -> int:
    """Count the partitions of a topic."""
    try:
        metadata = Admin(address).list_topics(topic, timeout=_TIMEOUT_S).topics[topic]
    except KafkaException as error:
        raise explain_failure(address, error.args[0]) from None
    if metadata.error is not None:
        what = f"Kafka at {address.bootstrap} has no topic {topic}."
        raise BrokerError(what, 'Start "crossfade up" once: it creates the topics.')
    return len(metadata.partitions)


def read_end_offsets(
    address: KafkaAddress, topic: str, *, include_open: bool = False
) -> dict[int, int]:
    """Return, for each partition, the offset up to which committed records can be read.

    Args:
        address: where Kafka is.
        topic: the topic.
        include_open: whether to go on to the offset that the next record will get, beyond the
            records of transactions that are not committed or aborted yet.
    """
    level = IsolationLevel.READ_UNCOMMITTED if include_open else IsolationLevel.READ_COMMITTED
    return _list_offsets(address, topic, OffsetSpec.latest(), level)


def read_start_offsets(address: KafkaAddress, topic: str) -> dict[int, int]:
    """Return, for each partition, the smallest offset that Kafka still holds."""
    return _list_offsets(address, topic, OffsetSpec.earliest())


def read_offsets_for_time(address: KafkaAddress, topic: str, time_ms: int) -> dict[int, int]:
    """Return, for each partition, the first offset with log time >= `time_ms`, or its end."""
    found = _list_offsets(address, topic, OffsetSpec.for_timestamp(max(time_ms, 0)))
    ends = read_end_offsets(address, topic)
    return {p: offset if offset >= 0 else ends[p] for p, offset in found.items()}


def _list_offsets(
    address: KafkaAddress,
    topic: str,
    spec: OffsetSpec,
    level: IsolationLevel = IsolationLevel.READ_COMMITTED,
) -> dict[int, int]:
    asked = {TopicPartition(topic, p): spec for p in range(partition_count(address, topic))}
    admin = Admin(address)
    return _ask_until_settled(
        address,
        lambda: {
            place.partition: outcome.result(_TIMEOUT_S).offset
            for place, outcome in admin.list_offsets(asked, isolation_level=level).items()
        },
    )


def read_settings(address: KafkaAddress, topic: str) -> dict[str, str]:
    """Return the settings of a topic, by name."""
    resource = ConfigResource(ResourceType.TOPIC, topic)
    admin = Admin(address)
    return _ask_until_settled(
        address,
        lambda: {
            name: str(entry.value)
            for name, entry in admin.describe_configs([resource])[resource]
            .result(_TIMEOUT_S)
            .items()
        },
    )


def keeps_all_records(settings: Mapping[str, str]) -> bool:
    """Check whether a topic with these settings deletes only from its beginning."""
    return settings["cleanup.policy"] == "delete"


def _check_settings(topic: str, settings: Mapping[str, str], *, retention_ms: int) -> None:
    """Refuse settings that give wrong numbers; warn of those that can cost records."""
    if (clock := settings["message.timestamp.type"]) != "LogAppendTime":
        what = f"Topic {topic} has message.timestamp.type={clock}."
        raise MisuseError(what, "Set it to LogAppendTime: log time must be the broker's.")
    if topic == SONG_PLAYS and not keeps_all_records(settings):
        what = f"Topic {topic} has cleanup.policy={settings['cleanup.policy']}."
        cure = (
            "Set it to delete: compaction deletes plays. Plays that it has deleted are lost: "
            "send them again."
        )
        raise MisuseError(what, cure)
    for name, why in _find_risks(settings, retention_ms):
        _log.warning("topic setting", topic=topic, setting=f"{name}={settings[name]}", why=why)


def _find_risks(settings: Mapping[str, str], retention_ms: int) -> Iterator[tuple[str, str]]:
    """Yield each setting that can cost records, and how."""
    early = "Kafka may delete records before they are read; the reader then stops"
    if 0 <= int(settings["retention.ms"]) < retention_ms:
        yield "retention.ms", early
    if int(settings["retention.bytes"]) >= 0:
        yield "retention.bytes", early
    if int(settings["max.message.bytes"]) < MAX_RECORD_BYTES:
        yield "max.message.bytes", f"Kafka refuses larger records; {MAX_RECORD_BYTES} is expected"
    if settings["unclean.leader.election.enable"] == "true":
        yield "unclean.leader.election.enable", "a change of leader may lose acknowledged records"


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
                raise explain_failure(address, error.args[0]) from None
            time.sleep(_LEARN_S)
