"""`crossfade reconcile`: the proof, with every record named that breaks it."""

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import msgspec
import typer
from rich.console import Console
from rich.table import Table as Grid

from crossfade.cli.options import DataOption, JsonOption
from crossfade.clock import format_time
from crossfade.config import Settings, load_settings
from crossfade.folder import DataFolder, open_folder, read_stack

if TYPE_CHECKING:
    from crossfade.kafka import KafkaAddress
    from crossfade.proof.findings import Reconciliation

_COLOURS = {"holds": "green", "unexplained": "bold red", "explained": "green"}


def reconcile(data: DataOption = None, *, as_json: JsonOption = False) -> None:
    """Prove every number anew from the tables and, while the stack runs, from Kafka.

    Exit code 1 if anything is unexplained; each wrong record is named.

    Example:
        crossfade reconcile --json
    """
    from crossfade.proof.reconcile import reconcile as prove

    settings = load_settings(data=data)
    folder = open_folder(settings, create=False)
    proof = prove(folder, _find_kafka(settings, folder))
    if as_json:
        sys.stdout.write(_to_json(proof) + "\n")
    else:
        _show(proof)
    if not proof.holds:
        raise typer.Exit(1)


def _find_kafka(settings: Settings, folder: DataFolder) -> "KafkaAddress | None":
    from crossfade.kafka import address_from

    stack = read_stack(folder)
    if stack is None and not settings.bootstrap:
        return None
    return address_from(settings, stack.bootstrap if stack else "")


def _to_json(proof: "Reconciliation") -> str:
    answer = {
        "holds": proof.holds,
        "run": proof.run,
        "boundary": _boundary(proof),
        "unexplained": len(proof.unexplained),
        "findings": [asdict(finding) for finding in proof.findings],
    }
    return msgspec.json.encode(answer).decode()


def _boundary(proof: "Reconciliation") -> str | None:
    return format_time(proof.boundary) if proof.boundary >= 0 else None


def _show(proof: "Reconciliation") -> None:
    grid = Grid("law", "about", box=None, header_style="bold", pad_edge=False)
    for name in ("expected", "found"):
        grid.add_column(name, justify="right")
    grid.add_column("verdict")
    grid.add_column("note", style="dim")
    for one in proof.findings:
        colour = _COLOURS.get(one.verdict, "yellow")
        sides = (_number(one.expected), _number(one.found))
        grid.add_row(one.check, one.subject, *sides, f"[{colour}]{one.verdict}[/]", one.note)
    console = Console()
    console.print(grid)
    for one in proof.unexplained:
        console.print(f"\n{one.check}, {one.subject}:", style="bold red", markup=False)
        for text in one.wrong:
            console.print(f"  {text}", markup=False, highlight=False)
    boundary = _boundary(proof) or "before everything"
    verdict = "nothing is unexplained" if proof.holds else f"{len(proof.unexplained)} unexplained"
    console.print(f"\nRun {proof.run}, boundary {boundary}: {verdict}.", style="bold")


def _number(value: int | str) -> str:
    return f"{value:,}" if isinstance(value, int) else value
