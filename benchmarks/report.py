"""Render the page of results, `docs/benchmarks.md`, from the stored JSON."""

from pathlib import Path
from typing import Any

import msgspec

from benchmarks.results import FOLDER

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"

_HEAD = """\
# Benchmarks

These are measurements of the stack on one small machine. Every number comes from a file in
`benchmarks/results/`, which also holds the machine, the commit, the input and the spread.
`python -m benchmarks` runs all benchmarks, `python -m benchmarks NAME…` some of them, and
`python -m benchmarks report` only writes this page.

Rates differ between machines of the same type, and change over time on one machine. So every
benchmark except the charts also measures a baseline in the same run. The baselines are Kafka's
own `ProducerPerformance` and `ConsumerPerformance`, and bare Spark: a simple query
(`bare_speed.py` for throughput and freshness, `bare_spark.py` for the start) that applies no rule
of the contract and archives nothing. Run benchmarks on a machine that does nothing else; each
result states the load before its start.

A target is the value that we want to reach. Not every target is reached: compare it with the
measured values below it.
"""

_MEANINGS = {
    "generator": "A simulated audience of 1,000,000 listeners generates past plays as fast as it "
    "can: to `/dev/null` (`nowhere`), to a file, and to Kafka, the last two with and without a "
    "ledger. `ProducerPerformance` sends records without keys. It draws them at random from a file "
    "that the generator wrote, and holds this file in memory. The variants run in turn. Only "
    "sending is timed, not the set-up of the audience. CPU-seconds are those of all processes, "
    "including the broker. `ready_lines_to_file` writes lines from memory, which shows the file "
    "system's limit.",
    "throughput": "Archive and speed run in one driver, as in the stack, and read a preloaded "
    "topic to its end. Cold is the first run in a new JVM; warm are the later runs. "
    "Then bare Spark reads the same topic without an archive. `ratio cold` and `ratio warm` are "
    "the rates divided by the median of `ConsumerPerformance`.",
    "freshness": "Numbered probe plays are produced while the audience plays, and the API is "
    "polled for their count. The time is measured from the call that produces a play to the "
    "answer that shows it; for bare Spark, to the row in the topic that it writes, without API "
    "and archive. `looks per second` is how often the API, or the topic, is polled.",
    "start_up": "`crossfade up` starts on an empty folder with a warm cache, and the audience "
    "starts as soon as Kafka answers. The baseline is a plain Spark query from Kafka, from the "
    "start of its process to its first windows. Memory is the proportional set size of all idle "
    "processes.",
    "charts": "`crossfade batch --once` runs over the real listening year, from an empty lake.",
}


def render_page() -> str:
    """Return the page as Markdown, from the stored results."""
    return "\n".join([_HEAD, *(_render(name) for name in _MEANINGS)])


def _render(name: str) -> str:
    path = FOLDER / f"{name}.json"
    title = f"## {name.replace('_', ' ').capitalize()}\n\n{_MEANINGS[name]}\n"
    if not path.exists():
        return f"{title}\nNot measured yet.\n"
    result = msgspec.json.decode(path.read_bytes())
    machine = result["machine"]
    source = (
        f"`benchmarks/results/{name}.json`: commit {result['commit']}, {result['measured_at']}, "
        f"{machine['cores']} cores ({machine['processor']}), {machine['memory_gb']} GB, "
        f"load before the start {machine['load_before']}. Target: {result['reach']}."
    )
    known = ("benchmark", "measured_at", "commit", "machine", "reach", "runs")
    rows = [
        f"| {label.replace('_', ' ')} | {value} |"
        for label, value in _flatten({k: v for k, v in result.items() if k not in known})
    ]
    return "\n".join([title, source, "", "| what | value |", "|---|---|", *rows, ""])


def _flatten(value: Any, label: str = "") -> list[tuple[str, str]]:
    parts: list[tuple[str, Any]] = []
    if isinstance(value, dict):
        parts = list(value.items())
    elif isinstance(value, list):
        parts = [(str(number), part) for number, part in enumerate(value, 1)]
    else:
        return [(label, f"{value:,}" if isinstance(value, int | float) else str(value))]
    return [row for name, part in parts for row in _flatten(part, f"{label} {name}".strip())]
