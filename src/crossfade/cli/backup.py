"""`crossfade backup`: a copy of a data folder whose parts belong together, while it is used."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from crossfade.cli.disk import format_bytes
from crossfade.cli.options import DataOption, JsonOption
from crossfade.config import load_settings
from crossfade.folder import open_folder

if TYPE_CHECKING:
    from crossfade.backup.manifest import Manifest

TargetArgument = Annotated[
    Path, typer.Argument(metavar="DIR", help="Where to: an empty or new folder.")
]


def backup(target: TargetArgument, data: DataOption = None, *, as_json: JsonOption = False) -> None:
    """Copy lake, checkpoint and Kafka's records as of one moment, also while the stack runs.

    DIR appears when all of it is written, and is what "crossfade restore DIR" takes.

    Example:
        crossfade backup /backups/2026-01-31 --data data
    """
    from crossfade.backup.take import take_backup
    from crossfade.cli.copy_progress import show_copying
    from crossfade.lake.tables import CLASSIC_TABLE

    folder = open_folder(load_settings(data=data), create=False)
    began = time.monotonic()
    with show_copying("Copying") as tell:
        manifest = take_backup(folder, target, tell)
    show_report({"backup": str(target.absolute()), **describe(manifest, began)}, as_json=as_json)
    if not manifest.has_kafka:
        sys.stderr.write("Kafka's records are not in it: they are not in this data folder.\n")
    if (folder.lake / CLASSIC_TABLE).exists():
        sys.stderr.write(f"The classic lake ({CLASSIC_TABLE}) is not in it.\n")


def describe(manifest: "Manifest", began: float) -> dict[str, Any]:
    """Say in plain values what a backup holds, and how long it took since `began`."""
    return {
        "taken_at": manifest.taken_at,
        "bytes": manifest.size,
        "files": len(manifest.files),
        "run": manifest.run,
        "records": manifest.records,
        "micro_batch": manifest.micro_batch,
        "end_offsets": manifest.end_offsets,
        "has_kafka": manifest.has_kafka,
        "seconds": round(time.monotonic() - began, 1),
    }


def show_report(told: dict[str, Any], *, as_json: bool) -> None:
    """Print a report on standard output."""
    if as_json:
        sys.stdout.write(msgspec.json.encode(told).decode() + "\n")
        return
    name, *others = told
    table = Table(name, str(told[name]), box=None, header_style="bold")
    for other in others:
        table.add_row(other, _shown(other, told[other]))
    Console().print(table)


def _shown(name: str, value: Any) -> str:
    if name == "bytes":
        return format_bytes(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {one:,}" for key, one in sorted(value.items()))
    return f"{value:,}" if isinstance(value, int) else str(value)
