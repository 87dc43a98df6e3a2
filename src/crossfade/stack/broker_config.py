"""The embedded broker's configuration, each setting with its reason."""

from pathlib import Path
from typing import NamedTuple

from crossfade.kafka.topics import MAX_RECORD_BYTES
from crossfade.stack.ports import LOOPBACK

_SETTINGS = {
    # One node that is broker and controller; its quorum is itself.
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": ("CONTROLLER:PLAINTEXT,INSIDE:PLAINTEXT,PLAINTEXT:PLAINTEXT"),
    # The stack's own processes come by a door of their own: the other one may be closed.
    "inter.broker.listener.name": "INSIDE",
    # A misspelt topic is an error, never a new topic.
    "auto.create.topics.enable": "false",
    "num.partitions": "4",
    # What a topic may take, a broker must take: records too large for the contract are kept.
    "message.max.bytes": str(MAX_RECORD_BYTES),
    # One node has one replica.
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # 50 partitions of each are files and memory that one machine has no use for.
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    # Nobody else will join: do not wait 3 s for them.
    "group.initial.rebalance.delay.ms": "0",
    # A killed broker is let in again once its old registration is over: half of the default.
    "broker.session.timeout.ms": "4500",
    "broker.heartbeat.interval.ms": "1000",
    # Threads and heap for two cores; the cleaner's buffer alone is 128 MiB by default.
    "num.network.threads": "2",
    "num.io.threads": "4",
    "background.threads": "4",
    "num.recovery.threads.per.data.dir": "1",
    "log.cleaner.dedupe.buffer.size": "16777216",
    # A quarter of the default: retention frees disk in smaller steps.
    "log.segment.bytes": "268435456",
    # Acknowledged records are never traded for availability.
    "unclean.leader.election.enable": "false",
}

LOG_CONFIG = """\
status = error
appender.console.type = Console
appender.console.name = stdout
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{yyyy-MM-dd'T'HH:mm:ss.SSSXXX}{UTC} %-5p %c{1}: %m%n
rootLogger.level = warn
rootLogger.appenderRef.stdout.ref = stdout
logger.server.name = kafka.server.KafkaRaftServer
logger.server.level = info
logger.start.name = org.apache.kafka.common.utils.AppInfoParser
logger.start.level = info
logger.log.name = org.apache.kafka.storage.internals.log.LogManager
logger.log.level = info
logger.config.name = org.apache.kafka.common.config
logger.config.level = error
"""
"""Warnings, and the few lines that tell a start, a recovery and a stop; for Kafka's log4j 2."""

_BEYOND_ASCII = 0x80


class BrokerPorts(NamedTuple):
    """Ports on loopback: for clients, for the stack's own processes, for the controller."""

    clients: int
    inside: int
    controller: int


def broker_properties(data: Path, ports: BrokerPorts, *, is_open: bool = True) -> str:
    """Return the text of `broker.properties`; only paths and ports differ between brokers.

    Args:
        data: the folder of its data.
        ports: where it listens.
        is_open: whether it listens for clients at all, or for the stack's own processes alone.
    """
    doors = [f"INSIDE://{LOOPBACK}:{ports.inside}"]
    if is_open:
        doors.append(f"PLAINTEXT://{LOOPBACK}:{ports.clients}")
    controller = f"{LOOPBACK}:{ports.controller}"
    places = {
        "log.dirs": str(data),
        "listeners": ",".join([*doors, f"CONTROLLER://{controller}"]),
        "advertised.listeners": ",".join(doors),
        "controller.quorum.bootstrap.servers": controller,
    }
    lines = (f"{name}={_escaped(value)}" for name, value in (_SETTINGS | places).items())
    return "\n".join(lines) + "\n"


def _escaped(value: str) -> str:
    """Write a value as Java reads it from a properties file: escaped beyond ASCII."""
    units = value.replace("\\", "\\\\").encode("utf-16-be")
    codes = (int.from_bytes(units[i : i + 2]) for i in range(0, len(units), 2))
    return "".join(chr(code) if code < _BEYOND_ASCII else f"\\u{code:04x}" for code in codes)
