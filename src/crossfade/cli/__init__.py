"""The command line; the commands are listed in the order in which a play travels."""

import os
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
from crossfade.cli.ending import DEBUG, explain_ending, prepare_output
from crossfade.cli.help_text import set_help_texts
from crossfade.stack.python_path import require_own_packages
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

app = typer.Typer(
    name="crossfade",
    cls=CommandGroup,
    help="What are people listening to, right now and over the years, and can you prove it?",
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="rich",
)


def main() -> None:
    """Run the command line; an error is one line on standard error, with its exit code."""
    prepare_output()
    with explain_ending():
        if "doctor" not in sys.argv[1:3]:
            require_own_packages()
        app(prog_name="crossfade")


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
    *,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the trace of an unexpected error.")
    ] = False,
) -> None:
    if debug:
        os.environ[DEBUG] = "1"
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
