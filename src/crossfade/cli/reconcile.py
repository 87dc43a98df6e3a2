"""`crossfade reconcile`: the proof, which names every wrong record."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from crossfade.cli.options import DataOption, JsonOption, expand_home_option
from crossfade.cli.tables import (
    Cell,
    Column,
    format_moment,
    format_number,
    open_console,
    print_table,
)
from crossfade.cli.waiting import show_wait
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

_COLUMNS = (
    Column("", "text", least=30),
    Column("", "number", least=14),
    Column("", "number", least=14),
    Column(""),
)
"""The same widths for each check."""

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
    address = _find_kafka(settings, folder)
    read = "the tables" if address is None else "the tables and Kafka"
    with show_wait(f"Proving every number from {read} …"):
        proof = prove_lake(folder, address, ledgers)
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
    console = open_console()
    show_findings(console, proof.findings)
    moment = f"{format_moment(proof.boundary)} UTC" if proof.boundary >= 0 else "none yet"
    end = "nothing is unexplained" if proof.holds else f"{len(proof.unexplained)} unexplained"
    console.print(Text(f"\nRun {proof.run:,}, boundary {moment}: {end}.", "bold"))


def show_findings(console: Console, all_findings: "Sequence[Finding]") -> None:
    """Print the findings by check, then every wrong record and file."""
    checks: dict[str, list[Finding]] = {}
    for finding in all_findings:
        checks.setdefault(finding.check, []).append(finding)
    for check, findings in checks.items():
        console.print(Text(check, "bold"))
        print_table(console, _COLUMNS, _cells(findings))
        for one in findings:
            if one.note:
                console.print(Text(f"    {one.subject}: {one.note}", "dim"), soft_wrap=True)
    _print_wrong(console, [one for one in all_findings if one.verdict == "unexplained"])


def _cells(findings: "Sequence[Finding]") -> list[tuple[Cell, ...]]:
    """Return the cells of each finding: about what, expected, found and the verdict."""
    return [
        (
            f"  {one.subject}",
            format_number(one.expected),
            format_number(one.found),
            Text(one.verdict, _COLOURS.get(one.verdict, "yellow")),
        )
        for one in findings
    ]


def _print_wrong(console: Console, wrong: "Sequence[Finding]") -> None:
    for one in wrong:
        console.print(Text(f"\n{one.check}, {one.subject}:", "bold red"))
        for text in one.wrong:
            console.print(Text(f"  {text}"), soft_wrap=True)
