"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

DataOption = Annotated[
    Path | None,
    typer.Option("--data", help="Data folder (default: data, or CROSSFADE_DATA).", metavar="DIR"),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
