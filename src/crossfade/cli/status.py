"""`crossfade status`: running processes, progress of the layers, and disk usage."""

import sys
from typing import Any

import msgspec

from crossfade.cli.disk import measure_disk
from crossfade.cli.options import DataOption, JsonOption
from crossfade.cli.status_page import print_status
from crossfade.cli.waiting import show_wait
from crossfade.clock import format_time
from crossfade.config import load_settings
from crossfade.errors import CrossfadeError
from crossfade.folder import DataFolder, StackAddresses, open_folder, read_stack
from crossfade.stack.disk_guard import read_door
from crossfade.stack.supervisor import read_state


def status(data: DataOption = None, *, as_json: JsonOption = False) -> None:
    """Show what runs, how far it is, what waits, what is wrong, and how much disk is left.

    --json has the raw values: times in milliseconds, sizes in bytes, offsets by partition.

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
        print_status(summary)


def _read_layers(folder: DataFolder, stack: StackAddresses | None) -> dict[str, Any]:
    from crossfade.cli.api import fetch_answer
    from crossfade.contract.boundary import NO_BOUNDARY
    from crossfade.lake.runs import read_newest_run

    if stack is not None:
        try:
            with show_wait(f"Waiting for the API at {stack.api} …"):
                return fetch_answer(stack.api, "status")
        except CrossfadeError as error:
            return {"error": str(error)}
    run = read_newest_run(folder.lake)
    if run is None:
        return {"error": "no batch run was published yet"}
    boundary = None if run.boundary <= NO_BOUNDARY else format_time(run.boundary)
    return {"run": run.run, "boundary": boundary, "as_of": format_time(run.published_at_ms)}
