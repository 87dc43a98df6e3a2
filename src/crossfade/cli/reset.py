"""`crossfade reset`: empty a data folder, to start from scratch."""

import shutil
import sys
from typing import Annotated

import typer

from crossfade.cli.options import DataOption
from crossfade.cli.waiting import show_wait
from crossfade.config import load_settings
from crossfade.errors import MisuseError
from crossfade.folder import open_folder
from crossfade.stack.hold import hold_folder

YesOption = Annotated[
    bool, typer.Option("--yes", help="Delete; without it, only list what would be deleted.")
]


def reset(data: DataOption = None, *, yes: YesOption = False) -> None:
    """Delete everything in a data folder: Kafka's records, the lake, its checkpoints, logs.

    Refuses a folder on which a stack runs, and one that Crossfade did not create.

    Example:
        crossfade reset --data data --yes
    """
    folder = open_folder(load_settings(data=data), create=False)
    with hold_folder(folder):
        parts = sorted(path for path in folder.root.iterdir() if path != folder.run)
        if not yes:
            listed = ", ".join(path.name for path in parts)
            what = f"This permanently deletes {listed} in {folder.root}."
            raise MisuseError(what, "Add --yes to do it.")
        with show_wait(f"Deleting {folder.root} …"):
            for path in sorted(parts, key=lambda path: path == folder.identity_file):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.rmtree(folder.run, ignore_errors=True)
    sys.stderr.write(f"{folder.root} is empty: the next start creates it from scratch.\n")
