"""Measure the simulated audience to a file and to Kafka, and Kafka's own producer benchmark."""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from benchmarks.kafka_tools import producer_performance
from benchmarks.processes import cpu_seconds
from benchmarks.results import keep_result, spread
from crossfade.config import Settings, load_settings
from crossfade.errors import MachineError
from crossfade.kafka.topics import create_topics
from crossfade.stack.broker import Broker

_REACH = (
    "to Kafka at least 1.0 of ProducerPerformance with the same records; to a file 1,500,000 a "
    "second and core, half of that with the ledger; 1 GB at 1,000,000 listeners"
)
_PAST = ("--from", "2024-05-01", "--rate", "2000")
_PAYLOAD_LINES = 500_000
_PIECE_BYTES = 6_000_000


class _Timing(NamedTuple):
    """One run: records a second while sending, CPU-seconds per million records, peak memory."""

    per_second: float
    cpu_per_million: float
    peak_mb: float


def measure_generator(*, plays: int = 2_000_000, times: int = 5) -> None:
    """Run all variants in turn, so that a change of the machine's speed affects all of them."""
    settings = load_settings()
    with tempfile.TemporaryDirectory(prefix="crossfade-benchmark-") as scratch:
        folder = Path(scratch)
        payload = folder / "payload.jsonl"
        _generate(["--events", str(_PAYLOAD_LINES), "--out", str(payload)])
        size = payload.stat().st_size / _PAYLOAD_LINES
        runs: dict[str, list[_Timing]] = {}
        for turn in range(times):
            for name, timing in _take_turn(settings, folder, payload, plays, turn):
                runs.setdefault(name, []).append(timing)
                sys.stderr.write(f"{name} {timing.per_second:,.0f}/s\n")
    base = runs["producer_performance"]
    ratios = {
        name: spread(
            [one.per_second / other.per_second for one, other in zip(of_one, base, strict=True)], 2
        )
        for name, of_one in runs.items()
        if name.startswith("kafka")
    }
    keep_result(
        "generator",
        input_size={"records": plays, "bytes_of_a_record": round(size), "listeners": 1_000_000},
        measured={
            "repetitions": times,
            "reach": _REACH,
            "ratio_to_producer_performance": ratios,
            **{
                name: {
                    "records_per_second": spread([one.per_second for one in of_one], 0),
                    "cpu_seconds_per_million": spread([one.cpu_per_million for one in of_one], 2),
                    "records_per_cpu_second": spread(
                        [1e6 / one.cpu_per_million for one in of_one], 0
                    ),
                }
                | (
                    {"peak_mb": spread([one.peak_mb for one in of_one], 0)}
                    if of_one[0].peak_mb
                    else {}
                )
                for name, of_one in runs.items()
            },
        },
    )


def _take_turn(
    settings: Settings, folder: Path, payload: Path, plays: int, turn: int
) -> Iterator[tuple[str, _Timing]]:
    events = ["--events", str(plays)]
    target = str(folder / "plays.jsonl")
    yield "nowhere", _generate([*events, "--out", os.devnull])
    ledger = str(folder / f"ledger-file-{turn}")
    for name, way in {
        "ready_lines_to_file": lambda: _write_ready_lines(payload, plays, Path(target)),
        "file": lambda: _generate([*events, "--out", target]),
        "file_with_ledger": lambda: _generate([*events, "--out", target, "--ledger", ledger]),
    }.items():
        yield name, way()
        # Delete the file each time: recently freed memory is faster to write to.
        Path(target).unlink()
    with _run_broker(settings, folder, f"{turn}-perf") as broker:
        before = _cpu(broker.pid)
        rate = producer_performance(
            broker.address, plays, payload, settings.cache, settings.maven_mirror
        )
        yield "producer_performance", _Timing(rate, (_cpu(broker.pid) - before) / plays * 1e6, 0.0)
    with _run_broker(settings, folder, f"{turn}-own") as broker:
        yield "kafka", _generate(events, broker)
    with _run_broker(settings, folder, f"{turn}-ledger") as broker:
        ledger = str(folder / f"ledger-kafka-{turn}")
        yield "kafka_with_ledger", _generate([*events, "--ledger", ledger], broker)


def _write_ready_lines(payload: Path, plays: int, target: Path) -> _Timing:
    """Write lines from memory to a file, to measure the limit of the file system."""
    content = memoryview(payload.read_bytes())
    began, used = time.monotonic(), time.process_time()
    with target.open("wb") as file:
        for _ in range(plays // _PAYLOAD_LINES):
            for place in range(0, len(content), _PIECE_BYTES):
                file.write(content[place : place + _PIECE_BYTES])
    passed, used = time.monotonic() - began, time.process_time() - used
    return _Timing(plays / passed, used / plays * 1e6, 0.0)


@contextmanager
def _run_broker(settings: Settings, folder: Path, name: str) -> Iterator[Broker]:
    with Broker(folder / f"kafka-{name}", cache=settings.cache) as broker:
        create_topics(broker.address, settings)
        yield broker
    subprocess.run(["rm", "-rf", str(folder / f"kafka-{name}")], check=True)


def _generate(options: list[str], broker: Broker | None = None) -> _Timing:
    """Run the command; its time and CPU count from the end of the audience's set-up."""
    environment = {**os.environ}
    if broker is not None:
        environment["CROSSFADE_BOOTSTRAP"] = broker.address.bootstrap
    before = cpu_seconds(broker.pid) if broker else 0.0
    command = [sys.executable, "-m", "benchmarks.generator_worker", *_PAST, *options]
    began = time.monotonic()
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if run.returncode:
        what = f"crossfade generate failed after {time.monotonic() - began:.0f} s: {run.stderr}"
        raise MachineError(what)
    result = msgspec.json.decode(run.stdout)
    cpu = result["cpu_seconds"] + (cpu_seconds(broker.pid) - before if broker else 0.0)
    sent = result["sent"]
    return _Timing(sent * 1000 / result["elapsed_ms"], cpu / sent * 1e6, result["peak_mb"])


def _cpu(broker: int) -> float:
    """Sum the CPU seconds of a broker and of this process's ended children."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return cpu_seconds(broker) + ended.ru_utime + ended.ru_stime
