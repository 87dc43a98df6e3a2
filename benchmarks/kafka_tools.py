"""Run Kafka's own benchmark tools, with the broker's jars and one more."""

import hashlib
import subprocess
import tempfile
from pathlib import Path

from crossfade.errors import MachineError
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.topics import SONG_PLAYS
from crossfade.stack.broker_config import LOG_CONFIG
from crossfade.stack.ivy import download_jars, pyspark_jars
from crossfade.stack.jar_lock import read_lock
from crossfade.stack.jars import require_jars
from crossfade.stack.java import find_java

_LOCK = Path(__file__).with_name("jars.lock")
_LOGGING_JARS = ("slf4j-api-2.*.jar", "log4j-slf4j2-impl-*.jar")
_TIMEOUT_S = 300


def consumer_performance(address: KafkaAddress, plays: int, cache: Path, mirror: str) -> float:
    """Read the topic with `ConsumerPerformance`; return records a second of its fetch time."""
    run = _run_tool(
        "ConsumerPerformance",
        *("--bootstrap-server", address.bootstrap, "--topic", SONG_PLAYS),
        *("--num-records", str(plays), "--timeout", "60000"),
        class_path=_class_path(cache, mirror),
    )
    rows = [line.split(",") for line in run.stdout.splitlines() if line.count(",") > 5]
    if run.returncode or len(rows) != 2:
        what = f"ConsumerPerformance failed: {(run.stderr or run.stdout)[-400:]}"
        raise MachineError(what)
    names, values = ([cell.strip() for cell in row] for row in rows)
    cells = dict(zip(names, values, strict=True))
    if int(float(cells["data.consumed.in.nMsg"])) < plays:
        what = f"ConsumerPerformance read {cells['data.consumed.in.nMsg']} of {plays} records."
        raise MachineError(what)
    return float(cells["fetch.nMsg.sec"])


def producer_performance(
    address: KafkaAddress, plays: int, payload: Path, cache: Path, mirror: str
) -> float:
    """Send random lines of a file with `ProducerPerformance`; return records a second.

    The producer's settings are the generator's (acks, idempotence, compression), but without keys.
    """
    config = {
        "acks": "all",
        "enable.idempotence": "true",
        "compression.type": "lz4",
        "linger.ms": "50",
        "batch.size": "1000000",
        "buffer.memory": "268435456",
    }
    run = _run_tool(
        "ProducerPerformance",
        *("--bootstrap-server", address.bootstrap, "--topic", SONG_PLAYS),
        *("--num-records", str(plays), "--throughput", "-1", "--payload-file", str(payload)),
        "--command-property",
        *(f"{name}={value}" for name, value in config.items()),
        class_path=_class_path(cache, mirror),
    )
    sent = [line for line in run.stdout.splitlines() if line.startswith(f"{plays} records sent")]
    if run.returncode or len(sent) != 1:
        what = f"ProducerPerformance failed: {(run.stderr or run.stdout)[-400:]}"
        raise MachineError(what)
    return float(sent[0].split(",")[1].split()[0])


def _run_tool(name: str, *options: str, class_path: str) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryDirectory() as scratch:
        log_config = Path(scratch) / "log4j2.properties"
        log_config.write_text(LOG_CONFIG, "utf-8")
        command = [
            *(str(find_java().executable), "-Xmx2g"),
            f"-Dlog4j2.configurationFile={log_config}",
            *("-cp", class_path, f"org.apache.kafka.tools.{name}"),
            *options,
        ]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )


def _class_path(cache: Path, mirror: str) -> str:
    logging = [sorted(pyspark_jars().glob(pattern))[-1] for pattern in _LOGGING_JARS]
    jars = [*logging, *_fetch(cache, mirror), *require_jars("broker", cache)]
    return ":".join(str(jar) for jar in jars)


def _fetch(cache: Path, mirror: str) -> list[Path]:
    """Download the jars that only benchmarks need into the cache, and verify them at each use."""
    jars = read_lock(_LOCK)
    if missing := [jar for jar in jars if not jar.path(cache).exists()]:
        with tempfile.TemporaryDirectory(dir=cache / "jars") as staging:
            for jar, draft in download_jars(missing, Path(staging), mirror):
                draft.replace(jar.path(cache))
    for jar in jars:
        if hashlib.sha256(jar.path(cache).read_bytes()).hexdigest() != jar.sha256:
            jar.path(cache).unlink()
            what = f"The jar {jar.coordinates} does not have its locked SHA-256."
            raise MachineError(what, "It was deleted. Run the benchmark again to download it.")
    return [jar.path(cache) for jar in jars]
