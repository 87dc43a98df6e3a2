"""The command line; the commands are listed in the order in which a play travels."""

import errno
import sys
from collections.abc import Callable
from typing import Annotated

import typer

import crossfade
from crossfade.cli import (
    backup,
    batch,
    chart,
    config,
    demo,
    doctor,
    erase,
    generate,
    geography,
    imports,
    jars,
    lake,
    reconcile,
    rejected,
    reset,
    restore,
    serve,
    status,
    streams,
    trending,
    up,
)
from crossfade.cli.command_line import Command, CommandGroup
from crossfade.cli.help_text import set_help_texts
from crossfade.errors import CrossfadeError
from crossfade.telemetry import configure_logs

_COMMANDS: dict[str, Callable[..., None]] = {
    "demo": demo.demo,
    "up": up.up,
    "generate": generate.generate,
    "import": imports.import_plays,
    "archive": streams.archive,
    "speed": streams.speed,
    "streams": streams.streams,
    "batch": batch.batch,
    "serve": serve.serve,
    "trending": trending.trending,
    "chart": chart.chart,
    "geography": geography.geography,
    "status": status.status,
    "reconcile": reconcile.reconcile,
    "erase": erase.erase,
    "doctor": doctor.doctor,
    "config": config.config,
    "backup": backup.backup,
    "restore": restore.restore,
    "reset": reset.reset,
}
"""The functions import what is heavy when they are called."""

_HIDDEN = {"streams"}
_GROUPS = {"rejected": rejected.app, "lake": lake.app, "jars": jars.app}

_FULL = ("The disk is full", "Make room; nothing is lost.")
_DISK_FAULTS = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EROFS: ("The disk is read-only", "Mount it for writing again; nothing is lost."),
    errno.EIO: ("The disk fails, Input/output error", "See the system's log; replace the disk."),
}

app = typer.Typer(
    name="crossfade",
    cls=CommandGroup,
    help="What are people listening to, right now and over the years, and can you prove it?",
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="rich",
)


def main() -> None:
    """Run the command line; print an expected error as one line and exit with its code."""
    try:
        app(prog_name="crossfade")
    except CrossfadeError as error:
        sys.stderr.write(f"Error: {error}\n")
        sys.exit(error.exit_code)
    except OSError as error:
        if error.errno not in _DISK_FAULTS:
            raise
        what, cure = _DISK_FAULTS[error.errno]
        sys.stderr.write(f"Error: {what}: {error.filename or error}. {cure}\n")
        sys.exit(1)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        sys.stdout.write(f"crossfade {crossfade.__version__}\n")
        raise typer.Exit


@app.callback()
def _configure(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", is_eager=True, callback=_print_version
        ),
    ] = False,
) -> None:
    configure_logs()


def _register() -> None:
    for name, command in _COMMANDS.items():
        app.command(name, hidden=name in _HIDDEN)(command)
    for name, group in _GROUPS.items():
        app.add_typer(group, name=name)
    for commands in (app, *_GROUPS.values()):
        set_help_texts(commands)
        for registered in commands.registered_commands:
            registered.cls = Command


_register()
