"""Measure archive and speed together on a preloaded topic, with two baselines."""

import subprocess
import sys

import msgspec

from benchmarks.kafka_tools import consumer_performance
from benchmarks.preload import Preloaded, preloaded_topic
from benchmarks.results import keep_result, spread
from crossfade.config import load_settings
from crossfade.errors import StackError
from crossfade.kafka.clients import read_record
from crossfade.kafka.topics import SONG_PLAYS

_REACH = "120,000 plays/s for archive + speed together, sketches and names included"


def measure_throughput(*, plays: int = 4_000_000, times: int = 3) -> None:
    """Fill a topic once; each variant reads it several times, first cold, then warm."""
    settings = load_settings()
    with preloaded_topic(plays) as topic:
        consumer = spread(
            [
                consumer_performance(topic.address, plays, settings.cache, settings.maven_mirror)
                for _ in range(times)
            ],
            0,
        )
        runs = _run(topic, times, "benchmarks.streams_worker")
        bare = _run(topic, times, "benchmarks.bare_speed", "drain")
        record = read_record(topic.address, SONG_PLAYS, 0, 0)
        size = len(record.value() or b"") if record else 0
    warm = _spread_warm(runs)
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
            "generator_plays_per_second": round(topic.plays_per_second),
            "consumer_performance_records_per_second": consumer,
            "cold_plays_per_second": runs[0]["plays_per_second"],
            "warm_plays_per_second": warm,
            "bare_spark_cold_plays_per_second": bare[0]["plays_per_second"],
            "bare_spark_warm_plays_per_second": _spread_warm(bare),
            "ratio_cold": round(runs[0]["plays_per_second"] / consumer["median"], 3),
            "ratio_warm": round(warm["median"] / consumer["median"], 3),
            "ratio_warm_to_bare_spark": round(warm["median"] / _spread_warm(bare)["median"], 2),
            "runs": runs,
            "bare_spark_runs": bare,
        },
    )


def _spread_warm(runs: list[dict[str, float]]) -> dict[str, float]:
    rates = [run["plays_per_second"] for run in runs]
    return spread(rates[1:] or rates, 0)


def _run(topic: Preloaded, times: int, module: str, *words: str) -> list[dict[str, float]]:
    """Run a module that reads the whole topic several times, and return its JSON objects."""
    scratch = topic.scratch / module
    scratch.mkdir()
    command = [
        *(sys.executable, "-m", module, *words, topic.address.bootstrap, str(scratch)),
        *(str(topic.broker), str(times)),
    ]
    log = scratch / "log"
    with log.open("wb") as errors:
        worker = subprocess.run(command, stdout=subprocess.PIPE, stderr=errors, check=False)
    runs = [msgspec.json.decode(line) for line in worker.stdout.splitlines() if line[:1] == b"{"]
    if worker.returncode or len(runs) != times:
        what = f"{module} ended with {worker.returncode}: {log.read_text('utf-8')[-600:]}"
        raise StackError(what)
    return runs
