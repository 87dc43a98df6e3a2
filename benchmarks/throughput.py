"""Archive and speed together over a preloaded topic, beside Kafka's own consumer."""

import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec

from benchmarks.kafka_tools import consumer_performance
from benchmarks.results import keep_result, spread
from crossfade.config import Settings, load_settings
from crossfade.embedded.broker import Broker
from crossfade.errors import StackError
from crossfade.generator.options import Report, SimulationOptions
from crossfade.generator.produce import simulate
from crossfade.generator.sinks import KafkaSink
from crossfade.kafka import SONG_PLAYS, KafkaAddress, create_topics, read_record

_REACH = "120,000 plays/s for archive + speed together, sketches and names included"


def measure_throughput(*, plays: int = 4_000_000, times: int = 3) -> None:
    """Preload once; then let both read it all, alternately cold, warm, warm."""
    settings = load_settings()
    with (
        tempfile.TemporaryDirectory(prefix="crossfade-benchmark-") as scratch,
        Broker(Path(scratch) / "kafka", cache=settings.cache) as broker,
    ):
        create_topics(broker.address, settings)
        options = SimulationOptions(rate=None, events=plays, report=Report.START)
        produced = simulate(KafkaSink(broker.address), options)
        bare = [_consume(broker.address, plays, settings) for _ in range(times)]
        runs = _run_streams(Path(scratch), broker, times)
        record = read_record(broker.address, SONG_PLAYS, 0, 0)
        size = len(record.value() or b"") if record else 0
    rates = [run["plays_per_second"] for run in runs]
    consumer = spread(bare, 0)
    keep_result(
        "throughput",
        input_size={
            "plays": plays,
            "bytes_of_a_play": size,
            "topic_partitions": settings.topic_partitions,
        },
        measured={
            "repetitions": times,
            "reach": _REACH,
            "generator_plays_per_second": round(produced.rate),
            "consumer_performance_records_per_second": consumer,
            "cold_plays_per_second": rates[0],
            "warm_plays_per_second": spread(rates[1:] or rates, 0),
            "ratio_cold": round(rates[0] / consumer["median"], 3),
            "ratio_warm": round(spread(rates[1:] or rates)["median"] / consumer["median"], 3),
            "runs": runs,
        },
    )


def _consume(address: KafkaAddress, plays: int, settings: Settings) -> float:
    return consumer_performance(address, plays, settings.cache, settings.maven_mirror)


def _run_streams(scratch: Path, broker: Broker, times: int) -> list[dict[str, float]]:
    command = [
        *(sys.executable, "-m", "benchmarks.streams_worker"),
        *(str(scratch), broker.address.bootstrap, str(broker.pid), str(times)),
    ]
    log = scratch / "streams.log"
    with log.open("wb") as errors:
        worker = subprocess.run(command, stdout=subprocess.PIPE, stderr=errors, check=False)
    runs = [msgspec.json.decode(line) for line in worker.stdout.splitlines() if line[:1] == b"{"]
    if worker.returncode or len(runs) != times:
        what = f"The streams ended with {worker.returncode}: {log.read_text('utf-8')[-600:]}"
        raise StackError(what)
    return runs
