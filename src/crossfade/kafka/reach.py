"""Whether Kafka can be reached, at the address asked and at those that it advertises."""

import threading
import time
from collections.abc import Callable

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, BrokerMetadata, ConfigResource, ResourceType

from crossfade.errors import BrokerError
from crossfade.kafka.address import KafkaAddress
from crossfade.telemetry import get_logger

_ASK_FOR_S = 2.0
_ANSWER_WITHIN_S = 10.0
_SILENT = 0
"""librdkafka's log level for clients whose errors are all raised."""
_STATE = " (after "
"""Begins the internal part of librdkafka's reasons: "(after 0ms in state CONNECT)"."""
_START_IT = 'Start it, or see "crossfade status".'

_log = get_logger("kafka")


class Admin(AdminClient):
    """An admin client that keeps librdkafka's reasons for the connections that failed.

    Keep a reference to it: its futures fail once it is garbage-collected.
    """

    def __init__(self, address: KafkaAddress) -> None:
        self._reasons: list[KafkaError] = []
        super().__init__(
            {
                **address.client_config(),
                "socket.timeout.ms": 10_000,
                "log_level": _SILENT,
                "error_cb": self._reasons.append,
            }
        )

    def explain(self, error: KafkaError, server: str = "") -> str:
        """Return why a connection, to one server if it is named, failed; else the error's text."""
        self.poll(0)
        reasons = [
            reason.str().split(_STATE)[0]
            for reason in self._reasons
            if reason.code() != KafkaError._ALL_BROKERS_DOWN and server in reason.str()
        ]
        return reasons[-1] if reasons else error.str()


def require_broker(address: KafkaAddress, within_s: float = _ANSWER_WITHIN_S) -> None:
    """Check that Kafka answers, at the address asked and at every address that it advertises.

    Raises:
        BrokerError: it does not within that time; the message has the addresses and the reason.
    """
    admin = Admin(address)
    try:
        brokers = admin.list_topics(timeout=within_s).brokers.values()
    except KafkaException as error:
        what = f"Kafka at {address.bootstrap} does not answer: {admin.explain(error.args[0])}."
        raise BrokerError(what, _START_IT) from None
    for broker in brokers:
        _require_advertised(admin, address, broker, within_s)


def explain_unreachable(address: KafkaAddress) -> BrokerError | None:
    """Return why Kafka cannot be reached, after a request has failed; None if it can."""
    try:
        require_broker(address, _ASK_FOR_S)
    except BrokerError as unreachable:
        return unreachable
    return None


def explain_failure(address: KafkaAddress, error: KafkaError) -> BrokerError:
    """Return the error for a request that failed; if Kafka is unreachable, it says why."""
    unreachable = explain_unreachable(address) if error.code() < 0 else None
    what = f"Kafka at {address.bootstrap} does not answer: {error.str()}."
    return unreachable or BrokerError(what, _START_IT)


def await_broker(
    address: KafkaAddress,
    within_s: float,
    given_up: threading.Event,
    *,
    report: Callable[[BrokerError], object] = lambda error: _log.info("waiting", why=str(error)),
) -> None:
    """Wait until Kafka, which may be starting, answers.

    Args:
        address: where it is expected.
        within_s: how long to wait.
        given_up: set to stop waiting.
        report: called with the first error, if Kafka does not answer at once.

    Raises:
        BrokerError: it does not within that time, or until the wait is given up.
    """
    deadline = time.monotonic() + within_s
    is_reported = False
    while True:
        try:
            return require_broker(address, _ASK_FOR_S)
        except BrokerError as error:
            if given_up.is_set() or time.monotonic() > deadline:
                raise
            if not is_reported:
                report(error)
                is_reported = True


def _require_advertised(
    admin: Admin, address: KafkaAddress, broker: BrokerMetadata, within_s: float
) -> None:
    """Ask one broker, which only its advertised address reaches; a refusal is an answer too."""
    advertised = f"{broker.host}:{broker.port}"
    asked = ConfigResource(ResourceType.BROKER, str(broker.id))
    try:
        admin.describe_configs([asked], request_timeout=within_s)[asked].result()
    except KafkaException as error:
        if error.args[0].code() >= 0:
            return
        what = (
            f"Kafka at {address.bootstrap} answers, but it advertises {advertised}, which does "
            f"not: {admin.explain(error.args[0], advertised)}."
        )
        cure = "Set advertised.listeners of that broker to an address that works from here."
        raise BrokerError(what, cure) from None
