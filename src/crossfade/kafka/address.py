"""Where Kafka is: bootstrap servers and security options, for each kind of client."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from crossfade.config import Settings
from crossfade.errors import BrokerError


@dataclass(frozen=True, slots=True)
class KafkaAddress:
    """Bootstrap servers and the security options, in librdkafka's names."""

    bootstrap: str
    options: Mapping[str, str] = field(default_factory=dict)

    def client_config(self) -> dict[str, str]:
        """Return the part of a client's configuration that every client shares."""
        return {"bootstrap.servers": self.bootstrap, **self.options}

    def spark_options(self) -> dict[str, str]:
        """Return the address as options of Spark's Kafka source and sink."""
        options = {"kafka.bootstrap.servers": self.bootstrap}
        java = dict(self.options)
        username, password = java.pop("sasl.username", ""), java.pop("sasl.password", "")
        if username:
            module = (
                "scram.ScramLoginModule"
                if java.get("sasl.mechanism", "").startswith("SCRAM")
                else "plain.PlainLoginModule"
            )
            options["kafka.sasl.jaas.config"] = (
                f"org.apache.kafka.common.security.{module} required "
                f'username="{username}" password="{password}";'
            )
        if authority := java.pop("ssl.ca.location", ""):
            options["kafka.ssl.truststore.type"] = "PEM"
            options["kafka.ssl.truststore.location"] = authority
        return options | {f"kafka.{name}": value for name, value in java.items()}


def address_from(settings: Settings, bootstrap: str = "") -> KafkaAddress:
    """Return the address that the settings name, or else a running stack's `bootstrap`.

    Raises:
        BrokerError: neither names one.
    """
    options = {
        "security.protocol": settings.security_protocol,
        "sasl.mechanism": settings.sasl_mechanism,
        "sasl.username": settings.sasl_username,
        "sasl.password": settings.sasl_password,
        "ssl.ca.location": settings.ssl_ca,
    }
    servers = settings.bootstrap or bootstrap
    if not servers:
        what = "No Kafka address is known."
        raise BrokerError(what, 'Start "crossfade up", or set CROSSFADE_BOOTSTRAP.')
    return KafkaAddress(servers, {name: value for name, value in options.items() if value})
