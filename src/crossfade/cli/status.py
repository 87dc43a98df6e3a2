"""`crossfade status`: running processes, progress of the layers, and disk usage."""

import sys
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from crossfade.cli.disk import format_bytes, measure_disk
from crossfade.cli.options import DataOption, JsonOption
from crossfade.clock import format_duration, format_time, now_ms
from crossfade.config import load_settings
from crossfade.errors import CrossfadeError
from crossfade.folder import DataFolder, StackAddresses, open_folder, read_stack
from crossfade.stack.disk_guard import read_door
from crossfade.stack.supervisor import read_state


def status(data: DataOption = None, *, as_json: JsonOption = False) -> None:
    """Show what runs, how far each layer is, where the logs are and how much disk is left.

    Example:
        crossfade status --data data
    """
    folder = open_folder(load_settings(data=data), create=False)
    stack = read_stack(folder)
    door = read_door(folder) if stack else None
    summary = {
        "data": str(folder.root),
        "stack": msgspec.to_builtins(stack) if stack else None,
        "children": msgspec.to_builtins(read_state(folder.children_file)) if stack else [],
        "plays_refused": door.why if door else "",
        "layers": _read_layers(folder, stack),
        "disk": msgspec.to_builtins(measure_disk(folder)),
        "logs": str(folder.logs),
    }
    if as_json:
        sys.stdout.write(msgspec.json.encode(summary).decode() + "\n")
    else:
        _show(summary, folder)


def _read_layers(folder: DataFolder, stack: StackAddresses | None) -> dict[str, Any]:
    from crossfade.cli.api import fetch_answer
    from crossfade.contract.boundary import NO_BOUNDARY
    from crossfade.lake.runs import read_newest_run

    if stack is not None:
        try:
            return fetch_answer(stack.api, "status")
        except CrossfadeError as error:
            return {"error": str(error)}
    run = read_newest_run(folder.lake)
    if run is None:
        return {"error": "no batch run was published yet"}
    boundary = None if run.boundary <= NO_BOUNDARY else format_time(run.boundary)
    return {"run": run.run, "boundary": boundary, "as_of": format_time(run.published_at_ms)}


def _show(summary: dict[str, Any], folder: DataFolder) -> None:
    console = Console()
    stack, disk, children = summary["stack"], summary["disk"], summary["children"]
    if stack is None:
        console.print(f"No stack runs on {folder.root}; 'crossfade up' starts one.")
    else:
        console.print(f"Kafka {stack['bootstrap']}   API {stack['api']}   pid {stack['pid']}")
        console.print(_draw_children(children))
        alarms = [f"{child['name']}: {child['alarm']}" for child in children if child["alarm"]]
        for alarm in [*alarms, *filter(None, [summary["plays_refused"]])]:
            console.print(Text(alarm, "bold red"))
    layers = Table("what", "state", box=None, header_style="bold")
    for name, value in _flatten(summary["layers"]):
        layers.add_row(name, str(value))
    console.print(layers)
    parts = Table("disk", "size", box=None, header_style="bold")
    for name, size in disk["parts"].items():
        parts.add_row(name, format_bytes(size))
    days = "" if disk["days_left"] is None else f", {disk['days_left']:,.0f} days at this rate"
    parts.add_row("free", f"{format_bytes(disk['free'])}{days}")
    console.print(parts)
    console.print(f"Logs: {summary['logs']}")


def _draw_children(children: list[dict[str, Any]]) -> Table:
    columns = ("process", "state", "pid", "for", "restarts", Column("log", overflow="fold"))
    table = Table(*columns, box=None, header_style="bold")
    for child in children:
        since = child["since_ms"]
        running = "-" if since is None else format_duration((now_ms() - since) // 1000 * 1000)
        table.add_row(
            child["name"],
            child["state"],
            str(child["pid"] or "-"),
            running,
            str(child["restarts"]),
            child["log"],
        )
    return table


def _flatten(value: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for name, inner in value.items():
        if isinstance(inner, dict):
            rows += _flatten(inner, f"{prefix}{name} ")
        else:
            rows.append((prefix + name, inner))
    return rows
