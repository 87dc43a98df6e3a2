"""`crossfade doctor`: what this machine lacks for a stack, and how to cure it."""

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
    """Examine Python, Java, jars, ports, the data folder, disk and memory; exit 1 if one fails.

    Example:
        crossfade doctor --data data
    """
    findings = list(examine_machine(load_settings(data=data)))
    if as_json:
        sys.stdout.write(msgspec.json.encode(findings).decode() + "\n")
    else:
        table = Table("check", "", "found", "cure", box=None, header_style="bold")
        for finding in findings:
            cure = "" if finding.verdict == "ok" else finding.cure
            style = _STYLES[finding.verdict]
            table.add_row(finding.check, f"[{style}]{finding.verdict}[/]", finding.found, cure)
        Console().print(table)
    if any(finding.verdict == "fail" for finding in findings):
        raise typer.Exit(1)
