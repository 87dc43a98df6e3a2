"""`crossfade doctor`: what this machine lacks to run a stack, and the cure."""

import sys
from collections.abc import Iterator

import msgspec
import typer
from rich.text import Text

from crossfade.cli.options import DataOption, JsonOption
from crossfade.cli.tables import Cell, Column, open_console, print_table
from crossfade.cli.waiting import show_wait
from crossfade.config import load_settings
from crossfade.stack.doctor import MachineCheck, examine_machine

_COLUMNS = (Column("check"), Column(""), Column("found, and the cure", "prose"))
_STYLES = {"ok": "green", "warning": "yellow", "fail": "bold red"}


def doctor(data: DataOption = None, *, as_json: JsonOption = False) -> None:
    """Check Python, Java, jars, ports, the data folder, disks and memory; exit 1 if a check fails.

    Example:
        crossfade doctor --data data
    """
    settings = load_settings(data=data)
    with show_wait("Checking this machine …"):
        checks = list(examine_machine(settings))
    if as_json:
        sys.stdout.write(msgspec.json.encode(checks).decode() + "\n")
    else:
        print_table(open_console(), _COLUMNS, (cells for one in checks for cells in _rows(one)))
    if any(one.verdict == "fail" for one in checks):
        raise typer.Exit(1)


def _rows(one: MachineCheck) -> Iterator[tuple[Cell, ...]]:
    """Yield what a check found, and below it the cure of a problem."""
    yield one.check, Text(one.verdict, _STYLES[one.verdict]), one.found
    if one.verdict != "ok" and one.cure:
        yield "", "", one.cure
