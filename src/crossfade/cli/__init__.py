"""The commands, in the order in which a play travels."""

import errno
import importlib
import sys
from typing import Annotated

import typer

import crossfade
from crossfade.errors import CrossfadeError
from crossfade.telemetry import configure_logs

_COMMANDS = (
    ("demo", "demo", "demo"),
    ("up", "up", "up"),
    ("generate", "generate", "generate"),
    ("import", "imports", "import_plays"),
    ("archive", "streams", "archive"),
    ("speed", "streams", "speed"),
    ("batch", "batch", "batch"),
    ("serve", "serve", "serve"),
    ("trending", "trending", "trending"),
    ("chart", "chart", "chart"),
    ("geography", "geography", "geography"),
    ("status", "status", "status"),
    ("reconcile", "reconcile", "reconcile"),
    ("erase", "erase", "erase"),
    ("doctor", "doctor", "doctor"),
    ("config", "config", "config"),
    ("backup", "backup", "backup"),
    ("restore", "restore", "restore"),
    ("reset", "reset", "reset"),
)
"""Name, module and function of each command; modules load what is heavy only when called."""

_HIDDEN = (("streams", "streams", "streams"),)
"""Commands that only the supervisor needs."""

_GROUPS = (("rejected", "rejected"), ("lake", "lake"), ("jars", "jars"))
"""Name and module of each group of commands; the module's `app` holds them."""

_FULL = ("The disk is full", "Make room; all is kept.")
_DISK_FAULTS = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EROFS: ("The disk is read-only", "Mount it for writing again; all is kept."),
    errno.EIO: ("The disk fails, Input/output error", "See the system's log; replace it."),
}

app = typer.Typer(
    name="crossfade",
    help="What are people listening to, now and ever, and can you prove it?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="rich",
)


def main() -> None:
    """Run the command line; an error of ours is one line and its exit code, never a trace."""
    try:
        app()
    except CrossfadeError as error:
        sys.stderr.write(f"Error: {error}\n")
        sys.exit(error.exit_code)
    except OSError as error:
        if error.errno not in _DISK_FAULTS:
            raise
        what, cure = _DISK_FAULTS[error.errno]
        sys.stderr.write(f"Error: {what}: {error.filename or error}. {cure}\n")
        sys.exit(1)


@app.callback()
def _configure(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True)
    ] = False,
) -> None:
    configure_logs()
    if version:
        sys.stdout.write(f"crossfade {crossfade.__version__}\n")
        raise typer.Exit


def _register() -> None:
    for name, module, function in _COMMANDS:
        command = getattr(importlib.import_module(f"crossfade.cli.{module}"), function)
        app.command(name)(command)
    for name, module, function in _HIDDEN:
        command = getattr(importlib.import_module(f"crossfade.cli.{module}"), function)
        app.command(name, hidden=True)(command)
    for name, module in _GROUPS:
        app.add_typer(importlib.import_module(f"crossfade.cli.{module}").app, name=name)


_register()
