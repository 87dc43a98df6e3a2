"""`crossfade restore`: a data folder made of a backup, each file of it verified."""

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from crossfade.cli.backup import describe, show_report
from crossfade.cli.options import DataOption, JsonOption
from crossfade.config import load_settings

BackupArgument = Annotated[
    Path, typer.Argument(metavar="BACKUP", help='A folder that "crossfade backup" wrote.')
]


def restore(
    backup: BackupArgument, data: DataOption = None, *, as_json: JsonOption = False
) -> None:
    """Make a data folder of a backup; one byte that is wrong, and nothing is made.

    The data folder must be empty or new: to replace one, "crossfade reset" it first.

    Example:
        crossfade restore /backups/2026-01-31 --data data
    """
    from crossfade.backup.restore import restore_backup
    from crossfade.cli.copy_progress import show_copying

    root = load_settings(data=data).data.absolute()
    began = time.monotonic()
    with show_copying("Restoring") as tell:
        manifest = restore_backup(backup, root, tell)
    show_report({"data": str(root), **describe(manifest, began)}, as_json=as_json)
    if manifest.has_kafka or manifest.topic_id is None:
        sys.stderr.write(f'Next: "crossfade up --data {root}".\n')
        return
    sys.stderr.write(
        "Kafka's records did not come along. Next: archive, speed, batch and serve, with "
        f"CROSSFADE_BOOTSTRAP at the Kafka whose song-plays has the id {manifest.topic_id}.\n"
    )
