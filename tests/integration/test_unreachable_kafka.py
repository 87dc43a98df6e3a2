"""A Kafka that cannot be reached is reported with its addresses and librdkafka's own reason."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import KafkaError
from typer.testing import CliRunner

from crossfade.cli import app, generate
from crossfade.config import load_settings
from crossfade.errors import BrokerError
from crossfade.folder import open_folder
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.reach import explain_failure, require_broker
from crossfade.kafka.topics import SONG_PLAYS, read_end_offsets
from crossfade.stack import broker as broker_module
from crossfade.stack.broker import Broker
from crossfade.stack.broker_config import broker_properties
from crossfade.stack.ports import find_free_ports

pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module")
def advertised() -> str:
    """Return an address on which nothing listens."""
    [port] = find_free_ports(1)
    return f"127.0.0.1:{port}"


@pytest.fixture(scope="module")
def misadvertised(
    cache: Path, tmp_path_factory: pytest.TempPathFactory, advertised: str
) -> Iterator[KafkaAddress]:
    """Yield the address of a broker that advertises another one to its clients."""

    def advertise(*args: object, **named: object) -> str:
        text = broker_properties(*args, **named)  # type: ignore[arg-type]
        lines = text.splitlines()
        for number, line in enumerate(lines):
            if line.startswith("advertised.listeners="):
                inside = line.partition(",PLAINTEXT://")[0]
                lines[number] = f"{inside},PLAINTEXT://{advertised}"
        return "\n".join(lines) + "\n"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(broker_module, "broker_properties", advertise)
        with Broker(tmp_path_factory.mktemp("misadvertised"), cache=cache) as running:
            yield running.address


def fail(address: KafkaAddress) -> str:
    with pytest.raises(BrokerError) as failure:
        require_broker(address, 2.0)
    assert "\n" not in str(failure.value)
    return str(failure.value)


def test_an_address_on_which_nothing_listens_is_named_with_the_reason(advertised: str) -> None:
    line = fail(KafkaAddress(advertised))
    assert line.startswith(f"Kafka at {advertised} does not answer: ")
    assert "Connection refused" in line


def test_a_name_that_does_not_exist_is_named_with_the_reason() -> None:
    line = fail(KafkaAddress("kafka.invalid:9092"))
    assert "Kafka at kafka.invalid:9092 does not answer: " in line
    assert "Failed to resolve" in line


def test_a_server_that_never_answers_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        bootstrap = f"127.0.0.1:{silent.getsockname()[1]}"
        assert f"Kafka at {bootstrap} does not answer: " in fail(KafkaAddress(bootstrap))


def test_encryption_towards_a_broker_without_it_is_named_with_the_reason(broker: Broker) -> None:
    address = KafkaAddress(broker.address.bootstrap, {"security.protocol": "SSL"})
    assert "SSL handshake failed" in fail(address)


def test_a_broker_that_advertises_another_address_is_named_with_both(
    misadvertised: KafkaAddress, advertised: str
) -> None:
    line = fail(misadvertised)
    what = f"Kafka at {misadvertised.bootstrap} answers, but it advertises {advertised}, which "
    assert line.startswith(f"{what}does not: ")
    assert "Connection refused" in line
    assert "advertised.listeners" in line


def test_a_reader_that_is_let_down_reports_the_same(
    misadvertised: KafkaAddress, advertised: str
) -> None:
    unreachable = KafkaAddress(advertised)
    with pytest.raises(BrokerError, match=f"Kafka at {advertised} does not answer: .*refused"):
        read_end_offsets(unreachable, SONG_PLAYS)
    timed_out = KafkaError(KafkaError._TIMED_OUT)
    assert f"advertises {advertised}" in str(explain_failure(misadvertised, timed_out))


@pytest.mark.parametrize(
    "command",
    [
        ["batch", "--once"],
        ["import", "jsonl", "plays.jsonl"],
        ["generate", "--events", "1", "--rate", "max"],
        ["erase", "--user", "anna", "--yes"],
    ],
    ids=["batch", "import", "generate", "erase"],
)
@pytest.mark.parametrize("is_advertised", [False, True], ids=["refused", "misadvertised"])
def test_a_command_reports_it_in_one_line(
    misadvertised: KafkaAddress,
    advertised: str,
    command: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_advertised: bool,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(generate, "_BROKER_WITHIN_S", 0.0)
    open_folder(load_settings(data=tmp_path / "data"))
    (tmp_path / "plays.jsonl").write_text("{}\n")
    bootstrap = misadvertised.bootstrap if is_advertised else advertised
    monkeypatch.setenv("CROSSFADE_BOOTSTRAP", bootstrap)
    failed = CliRunner().invoke(app, command)
    assert isinstance(failed.exception, BrokerError), failed.output
    line = str(failed.exception)
    assert f"Kafka at {bootstrap}" in line
    assert advertised in line
    assert "Connection refused" in line
