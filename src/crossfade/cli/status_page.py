"""The page of `crossfade status`: what runs, how far, what waits, what is wrong, and the disk."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from rich.console import Console
from rich.text import Text

from crossfade.cli.disk import format_bytes
from crossfade.cli.tables import (
    Column,
    format_counts,
    format_moment,
    open_console,
    print_facts,
    print_table,
)
from crossfade.clock import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, now_ms, parse_time

Fact = tuple[str, str | Text]
Values = Mapping[str, Any]

_PROCESSES = (
    Column("process"),
    Column("state"),
    Column("for", "number"),
    Column("restarts", "number"),
)


def print_status(summary: Values) -> None:
    """Print the state of a data folder, as `crossfade status --json` has it, for people."""
    console = open_console()
    stack, layers = summary["stack"], summary["layers"]
    if stack is None:
        console.print(f"No stack runs on {summary['data']}; crossfade up starts one.")
    else:
        console.print(
            f"A stack runs on {summary['data']}: Kafka {stack['bootstrap']}, {stack['api']}"
        )
        console.print()
        _print_processes(console, summary["children"])
    _print_section(console, "How far", list_progress(layers))
    _print_section(console, "What waits", list_waiting(layers))
    _print_section(console, "What is wrong", list_problems(summary))
    _print_section(console, "Disk", list(_list_disk(summary["disk"])))
    console.print(f"\nLogs: {summary['logs']}")


def list_progress(layers: Values) -> list[Fact]:
    """Return how far batch and speed answer, in time."""
    facts: list[Fact] = []
    if boundary := layers.get("boundary"):
        moment = parse_time(boundary)
        facts.append(("batch", f"answers up to {_moment(moment)} ({_since(moment)} ago)"))
    elif "error" not in layers:
        facts.append(("batch", "answers nothing yet: speed answers all"))
    if run := layers.get("batch"):
        took = f"took {run['took_ms'] / SECOND_MS:,.1f} s"
        published = _moment(parse_time(run["published_at"]))
        facts += [
            ("newest run", f"{run['run']:,}, published {published}, {took}"),
            ("records", _describe_records(run)),
        ]
    elif (as_of := layers.get("as_of")) is not None and "run" in layers:
        facts.append(("newest run", f"{layers['run']:,}, published {_moment(parse_time(as_of))}"))
    if work := layers.get("run_at_work"):
        began = parse_time(work["began_at"])
        facts.append(("at work", f"run {work['run']:,}, for {_since(began)}"))
    if "speed" in layers:
        facts.append(("speed", _describe_speed(layers["speed"])))
    return facts


def list_waiting(layers: Values) -> list[Fact]:
    """Return what no layer, or not yet batch, has taken."""
    facts: list[Fact] = []
    archived = ((layers.get("streams") or {}).get("archive") or {}).get("end_offsets", {})
    done = (layers.get("batch") or {}).get("end_offsets", {})
    if archived and (waiting := _count_ahead(archived, done)):
        facts.append(("batch", f"{waiting:,} archived records, for its next run"))
    if late := (layers.get("speed") or {}).get("late_pending"):
        facts.append(("late plays", f"{late:,}: only the next run of batch counts them"))
    return facts


def list_problems(summary: Values) -> list[Fact]:
    """Return what is wrong: alarms, refused plays, restarts, dropped fields, shared song ids."""
    layers = summary["layers"]
    run = layers.get("batch") or {}
    facts: list[Fact] = []
    for child in summary["children"]:
        if child["alarm"]:
            facts.append((child["name"], Text(f"alarm: {child['alarm']}", "bold red")))
        elif child["state"] == "waiting":
            facts.append((child["name"], Text("has failed and starts again", "bold red")))
    if summary["plays_refused"]:
        facts.append(("plays", Text(summary["plays_refused"], "bold red")))
    if "error" in layers:
        facts.append(("API" if summary["stack"] else "batch", Text(layers["error"], "yellow")))
    if trouble := (layers.get("speed") or {}).get("trouble"):
        facts.append(("speed", Text(trouble, "yellow")))
    if run.get("rejected"):
        reasons = format_counts(_by_count(run["rejected_by_reason"]))
        facts.append(("rejected", f"{reasons}; see crossfade rejected"))
    if dropped := run.get("dropped_by_field"):
        facts.append(("dropped fields", format_counts(_by_count(dropped))))
    if (shared := layers.get("song_id_conflicts") or {}).get("count"):
        named = ", ".join(shared["examples"])
        facts.append(("song ids", f"{shared['count']:,} name several songs: {named}"))
    return facts


def describe_length(length_ms: int) -> str:
    """Return a duration as people write it, in one or two units."""
    units = ((DAY_MS, "d"), (HOUR_MS, "h"), (MINUTE_MS, "min"), (SECOND_MS, "s"))
    for (size, unit), (smaller, small) in pairwise(units):
        if length_ms >= size:
            rest = length_ms % size // smaller
            return f"{length_ms // size:,} {unit}" + (f" {rest} {small}" if rest else "")
    return f"{max(length_ms, 0) // SECOND_MS} s"


def _print_processes(console: Console, children: Sequence[Values]) -> None:
    rows = [
        (
            child["name"],
            child["state"],
            "-" if child["since_ms"] is None else _since(child["since_ms"]),
            f"{child['restarts']:,}",
        )
        for child in children
    ]
    print_table(console, _PROCESSES, rows)


def _print_section(console: Console, title: str, facts: Sequence[Fact]) -> None:
    console.print(Text(f"\n{title}", "bold"))
    print_facts(console, facts or [("nothing", "")])


def _list_disk(disk: Values) -> Iterator[Fact]:
    for name, size in disk["parts"].items():
        if size:
            yield name, format_bytes(size)
    days = disk["days_left"]
    lasts = "" if days is None else f", full in {days:,.0f} days at this rate"
    yield "free", f"{format_bytes(disk['free'])}{lasts}"


def _describe_records(run: Values) -> str:
    names = ("accepted", "rejected", "duplicates", "erased")
    counted = ", ".join(f"{run[name]:,} {name}" for name in names if run[name] or name == names[0])
    late = f"; {run['late']:,} of them late" if run["late"] else ""
    return f"{run['bronze_rows']:,}: {counted}{late}"


def _describe_speed(speed: Values | None) -> str:
    if speed is None:
        return "is not read here"
    if not speed["ready"]:
        return "is being read"
    if speed["marker_age_ms"] is None:
        return "has not started yet"
    if speed["lag_ms"] is None:
        return (
            f"has not caught up yet; it last reported {describe_length(speed['marker_age_ms'])} ago"
        )
    lag = describe_length(speed["lag_ms"])
    reported = describe_length(speed["marker_age_ms"])
    return f"is {lag} behind; it last reported {reported} ago"


def _count_ahead(ends: Mapping[str, int], done: Mapping[str, int]) -> int:
    return sum(max(end - done.get(partition, 0), 0) for partition, end in ends.items())


def _by_count(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _moment(time_ms: int) -> str:
    return f"{format_moment(time_ms)} UTC"


def _since(time_ms: int) -> str:
    return describe_length(now_ms() - time_ms)
