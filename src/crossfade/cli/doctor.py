"""`crossfade doctor`: what this machine lacks to run a stack, and the cure."""

import sys

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from crossfade.cli.options import DataOption, JsonOption
from crossfade.config import load_settings
from crossfade.stack.doctor import examine_machine

_STYLES = {"ok": "green", "warning": "yellow", "fail": "bold red"}


def doctor(data: DataOption = None, *, as_json: JsonOption = False) -> None:
    """Check Python, Java, jars, ports, the data folder, disks and memory; exit 1 if a check fails.

    Example:
        crossfade doctor --data data
    """
    checks = list(examine_machine(load_settings(data=data)))
    if as_json:
        sys.stdout.write(msgspec.json.encode(checks).decode() + "\n")
    else:
        table = Table("check", "", "found", "cure", box=None, header_style="bold")
        for one in checks:
            cure = "" if one.verdict == "ok" else one.cure
            style = _STYLES[one.verdict]
            table.add_row(one.check, f"[{style}]{one.verdict}[/]", one.found, cure)
        Console().print(table)
    if any(one.verdict == "fail" for one in checks):
        raise typer.Exit(1)
