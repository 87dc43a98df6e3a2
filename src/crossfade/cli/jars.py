"""`crossfade jars`: commands for the locked jars in the per-user cache."""

import signal
import sys
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from crossfade.cli.command_line import CommandGroup
from crossfade.cli.disk import format_bytes
from crossfade.cli.options import JsonOption
from crossfade.cli.tables import Column, open_console, print_table
from crossfade.cli.waiting import report_if_long, show_wait
from crossfade.config import load_settings
from crossfade.errors import MachineError
from crossfade.stack.jar_lock import Jar, read_lock
from crossfade.stack.jars import check_jars, fetch_jars

AgainOption = Annotated[bool, typer.Option("--again", help="Record them again.")]

app = typer.Typer(cls=CommandGroup, help="Fetch, verify and list the locked jars.")


@app.command()
def fetch(*, as_json: JsonOption = False) -> None:
    """Fetch the jars that the cache lacks; if it is complete, no network is needed.

    Each jar is verified against the lock before it is used. An interrupted fetch goes on next time.

    Example:
        CROSSFADE_MAVEN_MIRROR=URL crossfade jars fetch
    """
    settings = load_settings()
    columns = (
        TextColumn("jars"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[jar]}"),
    )
    screen = Console(stderr=True)
    bar_shown = Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal)
    with report_if_long("Fetching and verifying jars …"), bar_shown as progress:
        bar = progress.add_task("jars", total=None, jar="")

        def advance(jar: Jar, done: int, total: int) -> None:
            progress.update(bar, completed=done, total=total, jar=jar.module)

        fetched = fetch_jars(settings.cache, settings.maven_mirror, advance)
    size = sum(jar.size for jar in fetched)
    if as_json:
        answer = {"fetched": len(fetched), "bytes": size, "cache": str(settings.cache / "jars")}
        sys.stdout.write(msgspec.json.encode(answer).decode() + "\n")
    elif fetched:
        sys.stderr.write(f"{len(fetched)} jars fetched and verified, {format_bytes(size)}.\n")
    else:
        sys.stderr.write("All jars are there and verified.\n")


@app.command()
def record(*, again: AgainOption = False) -> None:
    """Record the classes that Kafka and Spark load, so that later starts are quicker.

    Both run once over a few plays, in a temporary folder. Java stores the classes in the Python
    environment (270 MB). If they are recorded for this Java and these jars, nothing is done.

    Example:
        crossfade jars record
    """
    from crossfade.stack.class_data import is_recorded

    if not again and is_recorded(load_settings().cache):
        sys.stderr.write("The classes are recorded already.\n")
        return
    from crossfade.cli.class_recording import record_stack_classes

    # On SIGTERM, exit by an exception, which ends the Javas and removes the folder.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with show_wait("Recording the classes of Kafka and Spark, a minute or two …"):
        record_stack_classes()
    sys.stderr.write("The classes of Kafka and Spark are recorded.\n")


@app.command()
def verify(*, as_json: JsonOption = False) -> None:
    """Hash every jar and compare it with the lock; exit 1 if one is missing or wrong.

    Example:
        crossfade jars verify
    """
    settings = load_settings()
    with show_wait("Hashing the jars …"):
        checks = check_jars(settings.cache, thorough=True)
    rows = [{"path": str(check.path), "state": check.state} for check in checks]
    wrong = [check for check in checks if check.state != "good"]
    if as_json:
        sys.stdout.write(msgspec.json.encode(rows).decode() + "\n")
    else:
        for check in wrong:
            sys.stdout.write(f"{check.state} {check.path}\n")
    if wrong:
        what = f"{len(wrong)} of {len(checks)} jars are missing or wrong, {wrong[0].path} first."
        raise MachineError(what, 'Run "crossfade jars fetch".')
    sys.stderr.write(f"All {len(checks)} jars have their locked SHA-256.\n")


@app.command(name="list")
def list_jars(*, as_json: JsonOption = False) -> None:
    """List the locked jars: set, coordinates, bytes and SHA-256.

    Example:
        crossfade jars list --json
    """
    rows = [
        {"set": j.jar_set, "coordinates": j.coordinates, "bytes": j.size, "sha256": j.sha256}
        for j in read_lock()
    ]
    if as_json:
        sys.stdout.write(msgspec.json.encode(rows).decode() + "\n")
        return
    names = [Column("set"), Column("coordinates", "text"), Column("size", "number")]
    columns = [*names, Column("SHA-256", "text")]
    cells = [(j.jar_set, j.coordinates, format_bytes(j.size), j.sha256) for j in read_lock()]
    print_table(open_console(), columns, cells)
