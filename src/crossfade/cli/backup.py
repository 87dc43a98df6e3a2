"""`crossfade backup`: a consistent copy of a data folder, also while a stack uses it."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from crossfade.cli.disk import format_bytes
from crossfade.cli.options import DataOption, JsonOption, expand_home_option
from crossfade.cli.tables import (
    format_counts,
    format_number,
    open_console,
    print_facts,
    shorten_times,
)
from crossfade.config import load_settings
from crossfade.folder import open_folder

if TYPE_CHECKING:
    from crossfade.backup.manifest import Manifest

TargetArgument = Annotated[
    Path,
    typer.Argument(
        metavar="DIR", help="The backup: a new or empty folder.", callback=expand_home_option
    ),
]


def backup(target: TargetArgument, data: DataOption = None, *, as_json: JsonOption = False) -> None:
    """Back up lake, checkpoint and Kafka's records as of one moment, also while a stack runs.

    DIR appears when the whole backup is written. "crossfade restore DIR" reads it.

    Example:
        crossfade backup /backups/monday --data data
    """
    from crossfade.backup.take import take_backup
    from crossfade.cli.copy_progress import show_copying
    from crossfade.lake.tables import CLASSIC_TABLE

    folder = open_folder(load_settings(data=data), create=False)
    began = time.monotonic()
    with show_copying("Copying") as on_progress:
        manifest = take_backup(folder, target, on_progress)
    show_summary({"backup": str(target.absolute()), **describe(manifest, began)}, as_json=as_json)
    if not manifest.has_kafka:
        sys.stderr.write("Kafka's records are not in it: they are not in this data folder.\n")
    if (folder.lake / CLASSIC_TABLE).exists():
        sys.stderr.write(f"The classic lake ({CLASSIC_TABLE}) is not in it.\n")


def describe(manifest: "Manifest", began: float) -> dict[str, Any]:
    """Return what a backup holds and the seconds since `began`, as plain values."""
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


def show_summary(fields: dict[str, Any], *, as_json: bool) -> None:
    """Print the fields on standard output, as JSON or as a table."""
    if as_json:
        sys.stdout.write(msgspec.json.encode(fields).decode() + "\n")
        return
    print_facts(
        open_console(),
        [(name.replace("_", " "), _format(name, value)) for name, value in fields.items()],
    )


def _format(name: str, value: Any) -> str:
    if name == "bytes":
        return format_bytes(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return format_counts((f"partition {key}:", one) for key, one in sorted(value.items()))
    if name == "seconds":
        return f"{value:,.1f}"
    return shorten_times(format_number(value))
