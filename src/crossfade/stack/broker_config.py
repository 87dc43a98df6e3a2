"""The embedded broker's configuration, with a reason for each setting."""

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
    # The stack's own processes use their own listener, since the other one may be closed.
    "inter.broker.listener.name": "INSIDE",
    # A misspelt topic is an error, not a new topic.
    "auto.create.topics.enable": "false",
    "num.partitions": "4",
    # The broker's limit must not be below the topic's: records too large for the contract are kept.
    "message.max.bytes": str(MAX_RECORD_BYTES),
    # One node has one replica.
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # The default of 50 partitions each wastes files and memory on one machine.
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    # No other member joins a group: do not wait 3 s for one.
    "group.initial.rebalance.delay.ms": "0",
    # A killed broker may register again when its old session has expired: half of the default.
    "broker.session.timeout.ms": "4500",
    "broker.heartbeat.interval.ms": "1000",
    # Threads and heap for two cores; the cleaner's buffer is 128 MiB by default.
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
"""Configuration of Kafka's log4j 2: warnings, and the lines about start, recovery and stop."""

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
        ports: the ports it listens on.
        is_open: whether it listens for clients too, or only for the stack's own processes.
    """
    listeners = [f"INSIDE://{LOOPBACK}:{ports.inside}"]
    if is_open:
        listeners.append(f"PLAINTEXT://{LOOPBACK}:{ports.clients}")
    controller = f"{LOOPBACK}:{ports.controller}"
    variable = {
        "log.dirs": str(data),
        "listeners": ",".join([*listeners, f"CONTROLLER://{controller}"]),
        "advertised.listeners": ",".join(listeners),
        "controller.quorum.bootstrap.servers": controller,
    }
    lines = (f"{name}={_escape(value)}" for name, value in (_SETTINGS | variable).items())
    return "\n".join(lines) + "\n"


def _escape(value: str) -> str:
    """Return a value as Java reads it from a properties file: escaped beyond ASCII."""
    units = value.replace("\\", "\\\\").encode("utf-16-be")
    codes = (int.from_bytes(units[i : i + 2]) for i in range(0, len(units), 2))
    return "".join(chr(code) if code < _BEYOND_ASCII else f"\\u{code:04x}" for code in codes)
