"""`crossfade restore`: a data folder from a backup, with every file verified."""

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from crossfade.cli.backup import describe, show_summary
from crossfade.cli.options import DataOption, JsonOption, expand_home_option
from crossfade.cli.waiting import report_step
from crossfade.config import load_settings

BackupArgument = Annotated[
    Path,
    typer.Argument(
        metavar="BACKUP",
        help='A folder that "crossfade backup" wrote.',
        callback=expand_home_option,
    ),
]


def restore(
    backup: BackupArgument, data: DataOption = None, *, as_json: JsonOption = False
) -> None:
    """Create a data folder from a backup; if one byte of it is wrong, create nothing.

    The data folder must be new or empty. To replace one, run "crossfade reset" first.

    Example:
        crossfade restore /backups/monday --data data
    """
    from crossfade.backup.restore import restore_backup
    from crossfade.cli.copy_progress import show_copying

    root = load_settings(data=data).data.absolute()
    began = time.monotonic()
    with show_copying("Restoring") as on_progress:
        manifest = restore_backup(backup, root, on_progress)
    report_step(f"Created the data folder {root}.")
    show_summary({"data": str(root), **describe(manifest, began)}, as_json=as_json)
    if manifest.has_kafka or manifest.topic_id is None:
        sys.stderr.write(f'Next: "crossfade up --data {root}".\n')
        return
    sys.stderr.write(
        "The backup has no Kafka records. Next: start archive, speed, batch and serve with "
        "CROSSFADE_BOOTSTRAP set to the Kafka whose topic song-plays has the id "
        f"{manifest.topic_id}.\n"
    )
