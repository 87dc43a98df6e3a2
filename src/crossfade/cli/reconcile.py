"""`crossfade reconcile`: the proof, which names every wrong record."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from crossfade.cli.options import DataOption, JsonOption, expand_home_option
from crossfade.clock import format_time
from crossfade.config import Settings, load_settings
from crossfade.folder import DataFolder, open_folder, read_stack

if TYPE_CHECKING:
    from crossfade.kafka.address import KafkaAddress
    from crossfade.lake.findings import Finding, Reconciliation

LedgerOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--ledger",
        metavar="DIR",
        callback=expand_home_option,
        help="A ledger of generate: check every record that was sent. May be repeated.",
    ),
]

_COLOURS = {"holds": "green", "unexplained": "bold red", "explained": "green"}


def reconcile(
    data: DataOption = None, ledger: LedgerOption = None, *, as_json: JsonOption = False
) -> None:
    """Prove every number from the tables and, while a stack runs, from Kafka.

    Exit code 1: something is unexplained; each wrong record is named.

    Example:
        crossfade reconcile --json
        crossfade reconcile --ledger ledger
    """
    from crossfade.contract.ledger import open_ledger
    from crossfade.proof.reconcile import prove_lake

    ledgers = [open_ledger(path) for path in dict.fromkeys(map(Path.resolve, ledger or ()))]
    settings = load_settings(data=data)
    folder = open_folder(settings, create=False)
    proof = prove_lake(folder, _find_kafka(settings, folder), ledgers)
    if as_json:
        sys.stdout.write(_to_json(proof) + "\n")
    else:
        _show(proof)
    if not proof.holds:
        raise typer.Exit(1)


def _find_kafka(settings: Settings, folder: DataFolder) -> "KafkaAddress | None":
    from crossfade.kafka.address import address_from

    stack = read_stack(folder)
    if stack is None and not settings.bootstrap:
        return None
    return address_from(settings, stack.readers if stack else "")


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
    console = Console()
    show_findings(console, proof.findings)
    boundary = _boundary(proof) or "none yet"
    end = "nothing is unexplained" if proof.holds else f"{len(proof.unexplained)} unexplained"
    console.print(f"\nRun {proof.run}, boundary {boundary}: {end}.", style="bold")


def show_findings(console: Console, all_findings: "Sequence[Finding]") -> None:
    """Print the findings by check, then every wrong record and file."""
    checks: dict[str, list[Finding]] = {}
    for finding in all_findings:
        checks.setdefault(finding.check, []).append(finding)
    for check, findings in checks.items():
        console.print(Text(check, "bold"))
        console.print(_draw(findings))
        for one in findings:
            if one.note:
                console.print(Text(f"    {one.subject}: {one.note}", "dim"), soft_wrap=True)
    _print_wrong(console, [one for one in all_findings if one.verdict == "unexplained"])


def _draw(findings: "Sequence[Finding]") -> Grid:
    """Return a table whose columns have the same widths for each check."""
    grid = Grid(box=None, show_header=False, padding=(0, 2, 0, 0))
    grid.add_column("about", width=30)
    grid.add_column("expected", width=16, justify="right")
    grid.add_column("found", width=16, justify="right")
    grid.add_column("verdict", no_wrap=True)
    for one in findings:
        verdict = Text(one.verdict, _COLOURS.get(one.verdict, "yellow"))
        grid.add_row(f"  {one.subject}", _number(one.expected), _number(one.found), verdict)
    return grid


def _print_wrong(console: Console, wrong: "Sequence[Finding]") -> None:
    for one in wrong:
        console.print(Text(f"\n{one.check}, {one.subject}:", "bold red"))
        for text in one.wrong:
            console.print(Text(f"  {text}"), soft_wrap=True)


def _number(value: int | str) -> str:
    return f"{value:,}" if isinstance(value, int) else value
