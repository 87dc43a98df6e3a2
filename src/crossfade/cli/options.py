"""Options that several commands share."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from crossfade.config import Settings, expand_home
from crossfade.folder import DataFolder, is_data_folder, open_folder

DataOption = Annotated[
    Path | None,
    typer.Option("--data", help="Data folder (default: data, or CROSSFADE_DATA).", metavar="DIR"),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def expand_home_option(value: Any) -> Any:
    """Return a path, a list of paths or None, with the home folder for a leading `~`."""
    if value is None:
        return None
    if isinstance(value, list | tuple):
        return [expand_home(path) for path in value]
    return expand_home(value)


def open_or_create_folder(settings: Settings) -> DataFolder:
    """Open the data folder that the settings name; create it, and report that, if there is none."""
    is_new = not is_data_folder(settings.data)
    folder = open_folder(settings)
    if is_new:
        sys.stderr.write(f"Created the data folder {folder.root}.\n")
    return folder
