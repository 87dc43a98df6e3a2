"""The page of results, `docs/benchmarks.md`, made of the stored JSON."""

from pathlib import Path
from typing import Any

import msgspec

from benchmarks.results import FOLDER

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"

_HEAD = """\
# Benchmarks

What the stack costs on one small machine. Every number below comes from a file in
`benchmarks/results/`, which also holds the machine, the commit, the input and the spread.
`python -m benchmarks` measures all of it again, `python -m benchmarks NAME…` a part;
`python -m benchmarks report` writes this page.

Rates differ between machines that look alike, and drift on one. So all but the charts are quoted
beside a base from the same run: what Kafka's own `ConsumerPerformance` reads from the same topic,
or what bare Spark gives, a query that one writes first (`bare_speed.py` for throughput and
freshness, `bare_spark.py` for the start), which judges and archives nothing. Run benchmarks on a
machine that does nothing else: the load before each is told.
"""

_MEANINGS = {
    "generator": "The simulated audience, 1,000,000 listeners, plays the past as fast as it can: "
    "to nowhere (`/dev/null`), to a file, and to Kafka, each with and without a ledger. In turn "
    "with them Kafka's own `ProducerPerformance` sends the same records, drawn from the "
    "generator's own file in memory, without keys. Sending is timed, not the gathering of the "
    "audience. CPU-seconds are of all processes, the broker included. `ready_lines_to_file` "
    "writes lines that lie in memory: the most that this file system gives anybody.",
    "throughput": "Archive and speed, in one driver as in the stack, read a preloaded topic to its "
    "end. Cold is the first time in a new JVM; warm are the times after it. "
    "Then bare Spark does the same without an archive.",
    "freshness": "Numbered probe plays are produced while the audience plays; the API is asked "
    "for their count again and again. From the call that produces to the answer that shows it; "
    "for bare Spark, to the row in the topic that it writes, with no API and no archive.",
    "start_up": "`crossfade up` on an empty folder with a warm cache; an audience starts as soon "
    "as Kafka answers. Beside it, a plain Spark query from Kafka, from its process's start to its "
    "first windows. Memory is the proportional set size of all processes, once idle.",
    "charts": "`crossfade batch --once` over the real listening year, from an empty lake.",
}


def render_page() -> str:
    """Write the page for the results that are stored."""
    return "\n".join([_HEAD, *(_render(name) for name in _MEANINGS)])


def _render(name: str) -> str:
    path = FOLDER / f"{name}.json"
    title = f"## {name.replace('_', ' ').capitalize()}\n\n{_MEANINGS[name]}\n"
    if not path.exists():
        return f"{title}\nNot measured yet.\n"
    result = msgspec.json.decode(path.read_bytes())
    machine = result["machine"]
    told = (
        f"`benchmarks/results/{name}.json`: commit {result['commit']}, {result['measured_at']}, "
        f"{machine['cores']} cores ({machine['processor']}), {machine['memory_gb']} GB, "
        f"load before it {machine['load_before']}. To reach: {result['reach']}."
    )
    known = ("benchmark", "measured_at", "commit", "machine", "reach", "runs")
    rows = [
        f"| {label.replace('_', ' ')} | {value} |"
        for label, value in _flatten({k: v for k, v in result.items() if k not in known})
    ]
    return "\n".join([title, told, "", "| what | value |", "|---|---|", *rows, ""])


def _flatten(value: Any, label: str = "") -> list[tuple[str, str]]:
    parts: list[tuple[str, Any]] = []
    if isinstance(value, dict):
        parts = list(value.items())
    elif isinstance(value, list):
        parts = [(str(number), part) for number, part in enumerate(value, 1)]
    else:
        return [(label, f"{value:,}" if isinstance(value, int | float) else str(value))]
    return [row for name, part in parts for row in _flatten(part, f"{label} {name}".strip())]
